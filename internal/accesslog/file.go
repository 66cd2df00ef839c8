package accesslog

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// lookEvery is how often a File that is written looks where its path is.
const lookEvery = 2 * time.Second

// A File is a log file. It goes on where its path is when its directory was
// renamed, deleted, or another one mounted over it. A file that was renamed
// itself, as for a rotation, stays open until Reopen.
type File struct {
	path string

	mu     sync.Mutex
	f      *os.File
	dir    fs.FileInfo // of f's directory
	looked time.Time
}

// OpenFile opens a log file for appending, made with its directory if need be.
func OpenFile(path string) (io.WriteCloser, error) {
	f := &File{path: path}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

// open begins with the file of that path; what was open stays if it can't.
func (f *File) open() error {
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	if f.f != nil {
		_ = f.f.Close()
	}
	f.f, f.dir, f.looked = out, info, time.Now()
	return nil
}

// moved says that f's directory is not what its path names any more.
func (f *File) moved() bool {
	f.looked = time.Now()
	now, err := os.Stat(filepath.Dir(f.path))
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(f.dir, now)
}

// Write appends p.
func (f *File) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.looked) >= lookEvery && f.moved() {
		_ = f.open() // else the old one serves on
	}
	n, err := f.f.Write(p)
	if err != nil && n == 0 && f.moved() && f.open() == nil {
		return f.f.Write(p)
	}
	return n, err
}

// Close closes the file.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.f.Close()
}

// Mistyped says that a path can't ever be a file: a mistake in the configuration.
// Other errors may pass, like a disk that is full, read-only, or not mounted yet.
func Mistyped(err error) bool {
	return errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ELOOP) ||
		errors.Is(err, syscall.ENAMETOOLONG) || errors.Is(err, syscall.EINVAL)
}
