package web

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
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
