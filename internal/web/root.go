package web

import (
	"errors"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/rtmpd/rtmpd/internal/fdlimit"
)

// mount is a directory in which files are opened.
type mount struct {
	name string // its name in the tree; "" is the tree itself
	dir  string // as Live spells it
	path string // resolved when the Site was made
	at   string // as configured; links are followed when it is opened

	mu      sync.Mutex
	root    *os.Root    // nil until the directory is there
	info    fs.FileInfo // of root
	checked time.Time   // when at was last compared with info
	closed  bool
}

// open opens a regular file or directory below the mount.
func (m *mount) open(name string, now time.Time) (*os.File, fs.FileInfo, error) {
	root, err := m.get(now)
	if err != nil {
		return nil, nil, err
	}
	if name == "" {
		name = "."
	}
	// Non-blocking: opening a named pipe would wait for a writer.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	if fdlimit.ShortOf(f) {
		_ = f.Close()
		return nil, nil, fdlimit.Error{}
	}
	fi, err := f.Stat()
	if err != nil || !(fi.Mode().IsRegular() || fi.IsDir()) {
		_ = f.Close()
		return nil, nil, errors.Join(err, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist})
	}
	return f, fi, nil
}

// get returns the open directory. The directory may be created or replaced while the
// Site lives.
func (m *mount) get(now time.Time) (*os.Root, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, fs.ErrClosed
	}
	if m.root != nil && now.Sub(m.checked) < recheck {
		return m.root, nil
	}
	m.checked = now
	fi, err := os.Stat(m.at)
	if err == nil && m.root != nil && os.SameFile(fi, m.info) {
		return m.root, nil
	}
	if err != nil || !fi.IsDir() {
		if m.root != nil {
			return m.root, nil // removed: files in it are not found either
		}
		return nil, errMissingDir
	}
	root, err := os.OpenRoot(m.at)
	if err != nil {
		return nil, err
	}
	if m.root != nil {
		_ = m.root.Close() // os.Root waits for running calls
	}
	m.root, m.info = root, fi
	return root, nil
}

func (m *mount) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if m.root == nil {
		return nil
	}
	err := m.root.Close()
	m.root = nil
	return err
}
