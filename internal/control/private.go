package control

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"unicode"
)

// ownDir makes a directory for the control socket, or sees that the one there is
// ours alone: in /tmp anybody may have made it first, and would be asked, or
// believed, in our place.
func ownDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	fi, err := trusted(dir, func(uid int) bool { return uid == os.Geteuid() })
	if err != nil {
		return err
	}
	if fi.Mode().Perm()&0o077 != 0 { // as systemd makes it if it is not told more
		return os.Chmod(dir, 0o700)
	}
	return nil
}

// askable says whether what answers in dir may be believed: the directory is this
// user's or root's; root, who may do all there is, believes the service's user.
func askable(dir string) error {
	self := os.Geteuid()
	_, err := trusted(dir, func(uid int) bool { return uid == self || uid == 0 || self == 0 })
	return err
}

// trusted is what dir is, if it is a directory of an owner that will do, in which
// nobody else may write.
func trusted(dir string, owner func(uid int) bool) (fs.FileInfo, error) {
	fi, err := os.Lstat(dir)
	if err == nil && fi.Mode()&fs.ModeSymlink != 0 {
		if !owner(uidOf(fi)) && uidOf(fi) != 0 {
			return nil, fmt.Errorf("%s is a link that belongs to uid %d", dir, uidOf(fi))
		}
		fi, err = os.Stat(dir)
	}
	switch {
	case err != nil:
		return nil, err
	case !fi.IsDir():
		return nil, fmt.Errorf("%s is no directory", dir)
	case !owner(uidOf(fi)):
		return nil, fmt.Errorf("%s belongs to uid %d, not to this user (uid %d): remove it, or set runtime_dir to another", dir, uidOf(fi), os.Geteuid())
	case fi.Mode().Perm()&0o022 != 0:
		return nil, fmt.Errorf("others may write in %s: chmod 700 it, or set runtime_dir to another", dir)
	}
	return fi, nil
}

// uidOf is a file's owner; our own where the system has none.
func uidOf(fi fs.FileInfo) int {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return os.Geteuid()
}

// printable is what a terminal may be given of s: clients write some of what the
// control socket answers, and an escape sequence in it would be obeyed.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}
