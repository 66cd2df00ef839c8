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

// lookEvery is how often a File that is written checks whether its path has moved.
const lookEvery = 2 * time.Second

// A File is a log file. If its directory was renamed, deleted or mounted over, it is
// opened again at its path. A file that was renamed itself, as for a rotation, stays
// open until Reopen.
type File struct {
	path string

	mu     sync.Mutex
	f      *os.File
	dir    fs.FileInfo // of f's directory
	looked time.Time
}

// OpenFile opens a log file for appending. It creates the file and its directory if they
// do not exist.
func OpenFile(path string) (io.WriteCloser, error) {
	f := &File{path: path}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

// open opens the file at the path. After an error the file that was open stays.
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

// moved reports whether f's path names another directory now.
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

// Mistyped reports whether err says that a path can never be a file: a mistake in the
// configuration. Other errors may go away: a disk is full, read-only or not mounted.
func Mistyped(err error) bool {
	return errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ELOOP) ||
		errors.Is(err, syscall.ENAMETOOLONG) || errors.Is(err, syscall.EINVAL)
}
