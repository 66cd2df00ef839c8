package vod

import (
	"os"

	"golang.org/x/sys/unix"
)

// free is how much may still be written where f is, in bytes.
func free(f *os.File) int64 {
	var s unix.Statfs_t
	if unix.Fstatfs(int(f.Fd()), &s) != nil {
		return minFree
	}
	return int64(s.Bavail) * int64(s.Bsize)
}
