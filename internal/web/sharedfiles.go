package web

import (
	"io/fs"
	"os"
	"syscall"
)

// A sharedFile is a file that is being sent to one or more clients. A client that
// requests a file a thousand times and reads nothing holds one descriptor.
type sharedFile struct {
	f     *os.File
	users int // guarded by openFiles.mu
}

type fileID struct{ dev, inode uint64 }

// share returns f or, if the same file is open already, that one, and closes f. The
// caller must call done.
func (o *openFiles) share(f *os.File, fi fs.FileInfo) (_ *os.File, done func()) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return f, func() { _ = f.Close() }
	}
	id := fileID{uint64(st.Dev), st.Ino}
	o.mu.Lock()
	s := o.byID[id]
	if s == nil {
		s = &sharedFile{f: f}
		o.byID[id] = s
	}
	s.users++
	o.mu.Unlock()
	if s.f != f {
		_ = f.Close()
	}
	return s.f, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if s.users--; s.users == 0 {
			delete(o.byID, id)
			_ = s.f.Close()
		}
	}
}
