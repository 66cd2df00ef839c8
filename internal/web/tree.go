package web

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/fdlimit"
)

// tree is the directory that a root or alias serves, with the hls directories in it.
// Each has an os.Root of its own, so that an hls directory may be a symbolic link
// while other links out of the directory are not followed.
type tree struct {
	dir    string // the directory of name "", as configured
	base   string // the same, resolved
	url    string // the prefix that an alias replaces in a path; "" for a root
	mounts []*mount
	keys   []keyPlace
	isKeys bool // an alias of a key directory, which is to be served
}

// keyPlace is a directory of fragment keys in a tree. A mixed one holds fragments too.
type keyPlace struct {
	name  string
	mixed bool
}

// place is an hls directory: as configured, and with its links resolved.
type place struct {
	dir, resolved string
}

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

// livePlaces resolves the hls directories once.
func (s *Site) livePlaces() []place {
	var out []place
	if s.deps.Live != nil {
		for _, dir := range s.deps.Live.Paths() {
			out = append(out, place{filepath.Clean(dir), value.Resolve(dir)})
		}
	}
	return out
}

// newTree makes the tree of a location. An alias replaces the location's prefix.
func (s *Site) newTree(dir string, alias bool, prefix string, places []place) *tree {
	dir = filepath.Clean(dir)
	t := &tree{base: value.Resolve(dir), dir: dir}
	if alias {
		t.url = strings.TrimSuffix(prefix, "/")
	}
	top := &mount{dir: dir, path: t.base, at: dir}
	t.mounts = []*mount{top}
	for _, p := range places {
		if name, ok := below(dir, p.dir, t.base, p.resolved); ok && name != "" {
			t.mounts = append(t.mounts, &mount{name: name, dir: p.dir, path: p.resolved, at: p.dir})
		} else if name, ok := below(p.dir, dir, p.resolved, t.base); ok {
			top.dir = filepath.Join(p.dir, name) // the tree is, or is in, an hls directory
		}
	}
	for _, k := range s.deps.KeyPaths {
		k, _, perApp := strings.Cut(k, "$app")
		if perApp {
			k = filepath.Dir(k + "x")
		}
		kp := place{filepath.Clean(k), value.Resolve(k)}
		if name, ok := below(kp.dir, dir, kp.resolved, t.base); ok && alias {
			t.isKeys = true
			if top.dir == dir {
				top.dir = filepath.Join(kp.dir, name) // as Live spells it
			}
		} else if name, ok := below(dir, kp.dir, t.base, kp.resolved); ok {
			mixed := perApp || slices.ContainsFunc(places, func(p place) bool {
				_, ok := below(kp.dir, p.dir, kp.resolved, p.resolved)
				return ok
			})
			t.keys = append(t.keys, keyPlace{name, mixed})
		} else if _, ok := below(kp.dir, dir, kp.resolved, t.base); ok {
			t.keys = append(t.keys, keyPlace{"", false}) // a root inside of it
		}
	}
	s.mounts = append(s.mounts, t.mounts...)
	return t
}

// below returns the name of in relative to dir, as spelled or as resolved.
func below(dir, in, dirResolved, inResolved string) (string, bool) {
	if name, ok := cutDir(in, dir); ok {
		return name, true
	}
	return cutDir(inResolved, dirResolved)
}

func cutDir(path, dir string) (string, bool) {
	if path == dir {
		return "", true
	}
	if dir != "/" {
		dir += "/"
	}
	return strings.CutPrefix(path, dir)
}

// name returns the file name in the tree for a clean path.
func (t *tree) name(path string) string { return strings.Trim(path[len(t.url):], "/") }

// find returns the mount that holds a name, and the name in it.
func (t *tree) find(name string) (m *mount, in string) {
	m, in = t.mounts[0], name
	for _, c := range t.mounts[1:] {
		if len(c.name) > len(m.name) && under(name, c.name) {
			m, in = c, strings.TrimPrefix(name[len(c.name):], "/")
		}
	}
	return m, in
}

// linked returns the path, as configured, of the file that a name reaches by a symbolic
// link within the tree; "" without one.
func (t *tree) linked(m *mount, in string) string {
	plain := filepath.Join(m.path, in)
	real, err := filepath.EvalSymlinks(plain)
	if err != nil || real == plain {
		return ""
	}
	path, longest := "", -1
	for _, c := range t.mounts {
		if rest, ok := cutDir(real, c.path); ok && len(c.path) > longest {
			path, longest = filepath.Join(c.dir, rest), len(c.path)
		}
	}
	return path
}

// secret reports whether a name is never served: dotfiles (temporary files of the
// packager too) and keys.
func (t *tree) secret(name string) bool {
	if name != "" && (name[0] == '.' || strings.Contains(name, "/.")) {
		return true
	}
	for _, k := range t.keys {
		if (k.name == "" || under(name, k.name)) && (!k.mixed || strings.HasSuffix(name, ".key")) {
			return true
		}
	}
	return false
}

// recheck is how often a directory is compared with the one that was opened.
const recheck = time.Second

// errMissingDir says that the directory of a mount does not exist.
var errMissingDir = &fs.PathError{Op: "open", Path: ".", Err: syscall.ENOENT}

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
