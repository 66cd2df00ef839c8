package segstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
)

const (
	dirMode  = 0o755 // readable for a web server of another user
	fileMode = 0o644
)

// A disk is one directory tree reached through os.Root: whatever a stream is
// called, nothing outside it is touched. Names are slash separated and relative.
type disk struct {
	path  string
	what  string                      // what errors call the directory: "hls path"
	held  atomic.Pointer[held]        // nil: the directory can't be used
	fault func(op, name string) error // tests: fails the step before it happens
}

// held is the open directory, and its identity (device and inode).
type held struct {
	root *os.Root
	info fs.FileInfo
}

// ErrTorn, returned by Options.Fault at "write", leaves half of the file behind.
var ErrTorn = errors.New("torn write")

// forbidden is advice for an error in dir that is for want of permission; else empty.
func forbidden(dir string, err error) string {
	if !errors.Is(err, fs.ErrPermission) {
		return ""
	}
	return fmt.Sprintf(" (let root give it to you: install -d -o %d %s)", os.Geteuid(), dir)
}

// open makes the directory if it is missing, opens it and shows that files can
// be written there.
func (k *disk) open() error {
	if err := k.step("open", "."); err != nil {
		return fmt.Errorf("%s %s: %w", k.what, k.path, err)
	}
	if err := os.MkdirAll(k.path, dirMode); err != nil {
		return fmt.Errorf("%s %s: %w%s", k.what, k.path, err, forbidden(k.path, err))
	}
	root, err := os.OpenRoot(k.path)
	if err != nil {
		return fmt.Errorf("%s %s: %w%s", k.what, k.path, err, forbidden(k.path, err))
	}
	info, err := root.Stat(".")
	if err != nil {
		_ = root.Close()
		return fmt.Errorf("%s %s: %w", k.what, k.path, err)
	}
	probe, err := root.OpenFile(probeName, os.O_WRONLY|os.O_CREATE, fileMode)
	if err != nil {
		_ = root.Close()
		return fmt.Errorf("%s %s is not writable for this user: %w%s", k.what, k.path, err, forbidden(k.path, err))
	}
	_ = probe.Close()
	_ = root.Remove(probeName)
	k.hold(&held{root, info})
	return nil
}

const probeName = ".rtmpd-probe"

// hold makes h, which may be nil, the directory in use.
func (k *disk) hold(h *held) {
	if old := k.held.Swap(h); old != nil {
		_ = old.root.Close() // calls under way finish
	}
}

// current says whether the directory in use is the one that path names. It is
// another one after a rename, a mount over it, or when it was deleted.
func (k *disk) current() bool {
	h := k.held.Load()
	if h == nil {
		return false
	}
	now, err := os.Stat(k.path)
	return err == nil && os.SameFile(h.info, now)
}

// errUnusable is why nothing can be done in a directory that can't be opened.
var errUnusable = errors.New("the directory can't be used")

// dir is the open directory.
func (k *disk) dir() (*os.Root, error) {
	if h := k.held.Load(); h != nil {
		return h.root, nil
	}
	return nil, errUnusable
}

// Mistyped says that a path can't ever be a directory: a mistake in the
// configuration. Every other error may pass, like a disk that is full,
// read-only, not mounted yet or not ours yet.
func Mistyped(err error) bool {
	return errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENAMETOOLONG) || errors.Is(err, syscall.EINVAL)
}

func (k *disk) close() { k.hold(nil) }

func (k *disk) step(op, name string) error {
	if k.fault == nil {
		return nil
	}
	return k.fault(op, name)
}

// temporary is where a file is written before it is renamed to name: in the
// same directory, and a dotfile so that no web server serves it.
func temporary(name string) string {
	dir, base := path.Split(name)
	return dir + "." + base + ".tmp"
}

// replace makes name hold data in one instant: readers see the old file or the
// whole new one. After a failure there is no temporary file.
func (k *disk) replace(name string, data []byte) error {
	root, err := k.dir()
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Join(k.path, name), err)
	}
	tmp := temporary(name)
	if err = k.write(root, tmp, data); err == nil {
		if err = k.step("rename", name); err == nil {
			err = root.Rename(tmp, name)
		}
	}
	if err != nil {
		_ = k.remove(tmp)
		return fmt.Errorf("write %s: %w", filepath.Join(k.path, name), err)
	}
	return nil
}

func (k *disk) write(root *os.Root, name string, data []byte) error {
	if err := k.step("create", name); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	if err = k.step("write", name); err == nil {
		_, err = f.Write(data)
	} else if errors.Is(err, ErrTorn) {
		_, _ = f.Write(data[:len(data)/2])
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// remove deletes a file or an empty directory; one that is not there is no error.
func (k *disk) remove(name string) error {
	if err := k.step("remove", name); err != nil {
		return err
	}
	root, err := k.dir()
	if err == nil {
		err = root.Remove(name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (k *disk) mkdir(name string) error {
	if err := k.step("mkdir", name); err != nil {
		return err
	}
	root, err := k.dir()
	if err != nil {
		return err
	}
	return root.Mkdir(name, dirMode)
}

// stat describes name itself, not what a link points to.
func (k *disk) stat(name string) (fs.FileInfo, error) {
	root, err := k.dir()
	if err != nil {
		return nil, err
	}
	return root.Lstat(name)
}

func (k *disk) exists(name string) bool {
	_, err := k.stat(name)
	return err == nil
}

var errTooLarge = errors.New("file is larger than any we write")

// read returns a regular file of at most limit bytes.
func (k *disk) read(name string, limit int64) ([]byte, fs.FileInfo, error) {
	root, err := k.dir()
	if err != nil {
		return nil, nil, err
	}
	info, err := root.Lstat(name)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = errTooLarge
	}
	return b, info, err
}

// list returns the names in a directory of the tree, unsorted.
func (k *disk) list(dir string) ([]string, error) {
	root, err := k.dir()
	if err != nil {
		return nil, err
	}
	f, err := root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// CleanName says whether a name from a ledger can be one of ours.
func CleanName(name string) bool {
	return fs.ValidPath(name) && name != "." && !strings.HasPrefix(name, ".") && !strings.Contains(name, "/.")
}
