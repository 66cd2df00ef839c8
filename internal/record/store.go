// Package record writes streams to files as nginx-rtmp's record module does,
// with its names, its rotation and its moments, in formats that players can seek in.
//
//	cursor → Recorder (what, when) → file (os.Root, name, lock) → writer (flv, mp4, mkv, ts)
//
// A Recorder belongs to one record block of one stream. A file has its final
// name from the beginning, and is playable at any time: after a power failure only the
// index and at most one second are missing.
package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"time"

	"github.com/rtmpd/rtmpd/internal/flv"
)

// A Store knows which files are being written, so that no two recorders write
// one. The zero Store is ready; all recorders of a process share one.
type Store struct {
	ledgers sync.Mutex // of all directories; held over small reads and writes
	mu      sync.Mutex
	open    map[string]struct{} // absolute paths
}

// isOpen reports whether the file name below dir is being written.
func (s *Store) isOpen(dir, name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, open := s.open[filepath.Join(dir, filepath.FromSlash(name))]
	return open
}

func (s *Store) take(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.open[path]; taken {
		return false
	}
	if s.open == nil {
		s.open = make(map[string]struct{})
	}
	s.open[path] = struct{}{}
	return true
}

func (s *Store) release(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, path)
}

const (
	dirMode  = 0o755
	fileMode = 0o644

	// maxNumber is how many names are tried for one file.
	maxNumber = 100_000
)

// A file is one recording that is being written.
type file struct {
	store  *Store
	root   *os.Root // of the record block's path
	f      *os.File
	w      writer
	path   string      // absolute
	plain  string      // path without a number
	number int         // 0: it has none
	name   string      // below root
	empty  bool        // it was made here, and has nothing yet
	dir    fs.FileInfo // of the directory it is in
	inode  uint64
}

var errLocked = errors.New("another process has locked it")

// A want describes the file to open.
type want struct {
	dir       string
	naming    naming
	now       time.Time
	since     time.Time // with overwrite, older files of the name are overwritten; zero: none
	last      string    // the plain path of the recorder's file before, which is not
	number    int       // of its newest file
	keyframes int       // expected; 0 unknown
}

// create opens the first file whose name is free, or may be taken.
func (s *Store) create(w want) (*file, error) {
	if err := os.MkdirAll(w.dir, dirMode); err != nil {
		return nil, fmt.Errorf("record path: %w", err)
	}
	root, err := os.OpenRoot(w.dir)
	if err != nil {
		return nil, fmt.Errorf("record path: %w", err)
	}
	plain := ""
	for i := 0; i < w.number+maxNumber; i++ {
		name, err := w.naming.file(w.now, i)
		if err != nil {
			_ = root.Close()
			return nil, err
		}
		full := filepath.Join(w.dir, filepath.FromSlash(name))
		if i == 0 {
			plain = full
		}
		if i == 0 && full == w.last && !w.naming.cfg.Append {
			i = w.number // numbers go up, also when older files are deleted
			continue
		}
		if !s.take(full) {
			continue
		}
		f := &file{store: s, root: root, path: full, plain: plain, name: name, number: i}
		err = f.openFile(&w, i > 0)
		if err == nil {
			return f, nil
		}
		s.release(full)
		if !errors.Is(err, fs.ErrExist) && !errors.Is(err, flv.ErrNotFLV) {
			_ = root.Close()
			return nil, fmt.Errorf("record %s: %w", full, err)
		}
	}
	_ = root.Close()
	return nil, fmt.Errorf("record %s: %d files of that name are there", w.dir, maxNumber)
}

// openFile opens f.name: a new file, one that is gone on with, or an old one
// that is overwritten. fs.ErrExist: another name is needed.
func (f *file) openFile(w *want, numbered bool) error {
	if dir := path.Dir(f.name); dir != "." {
		if err := f.root.MkdirAll(dir, dirMode); err != nil {
			return err
		}
	}
	cfg := w.naming.cfg
	flags := os.O_RDWR | os.O_CREATE
	info, err := f.root.Lstat(f.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		flags |= os.O_EXCL
		f.empty = true
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("it is there and no regular file")
	case cfg.Append && !numbered:
	case numbered, !cfg.Overwrite, w.since.IsZero(), info.ModTime().After(w.since):
		return fs.ErrExist // what is there stays; a rotation never overwrites
	}
	h, err := f.root.OpenFile(f.name, flags, fileMode)
	if err != nil {
		return err
	}
	if f.dir, err = f.root.Stat(path.Dir(f.name)); err != nil {
		_ = h.Close()
		return err
	}
	if err := f.begin(h, w, cfg.Append && !numbered); err != nil {
		_ = h.Close()
		if f.empty {
			_ = f.root.Remove(f.name)
		}
		return err
	}
	return nil
}

func (f *file) begin(h *os.File, w *want, resume bool) error {
	if w.naming.cfg.Lock {
		if err := lock(h); err != nil {
			return err
		}
	}
	f.f = h
	if info, err := h.Stat(); err == nil {
		f.inode = inode(info)
	}
	if resume && !f.empty {
		info, err := h.Stat()
		if err != nil {
			return err
		}
		rec, err := flv.ResumeRecording(withVectors(h), info.Size())
		f.w = &flvWriter{rec: rec}
		return err
	}
	if err := h.Truncate(0); err != nil {
		return err
	}
	f.empty = true
	f.w = newWriter(w.naming.cfg.Format, h, w.now, w.keyframes)
	return nil
}

// moved reports that the file is no longer at its path: it was deleted, or
// its directory was renamed, deleted, or another one mounted over it. A file that
// was renamed itself was moved on purpose.
func (f *file) moved() bool {
	now, err := os.Stat(filepath.Dir(f.path))
	return deleted(f.f) || errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(f.dir, now)
}

// close finishes the file, and removes one in which nothing was written.
func (f *file) close() error {
	var err error
	if !f.w.Empty() {
		err = f.w.Finish()
		f.empty = f.empty && (err != nil || f.w.Written() == 0)
	}
	if f.empty {
		if rerr := f.root.Remove(f.name); !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}
	err = errors.Join(err, f.f.Close(), f.root.Close())
	f.store.release(f.path)
	return err
}
