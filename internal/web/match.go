package web

import (
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strings"

	"github.com/rtmpd/rtmpd/config/value"
)

// router finds the location of a path: "= /x" first, then the longest prefix
// that ends at a segment boundary. It never redirects.
type router struct {
	exact    map[string]*location
	prefixes []*location // longest first
}

func (t *router) add(l *location) error {
	if l.exact {
		if t.exact == nil {
			t.exact = make(map[string]*location)
		}
		if t.exact[l.path] != nil {
			return fmt.Errorf("location \"= %s\" is there twice", l.path)
		}
		t.exact[l.path] = l
		return nil
	}
	for _, o := range t.prefixes {
		if o.path == l.path {
			return fmt.Errorf("location %q is there twice", l.path)
		}
	}
	t.prefixes = append(t.prefixes, l)
	sort.SliceStable(t.prefixes, func(i, j int) bool { return len(t.prefixes[i].path) > len(t.prefixes[j].path) })
	return nil
}

// match returns the location of path; nil: there is none.
func (t *router) match(path string) *location {
	if l := t.exact[path]; l != nil {
		return l
	}
	for _, l := range t.prefixes {
		if under(path, l.path) {
			return l
		}
	}
	return nil
}

// all calls f for every location, the longest prefixes first, until f is false.
func (t *router) all(f func(*location) bool) {
	for _, l := range t.prefixes {
		if !f(l) {
			return
		}
	}
	for _, l := range t.exact {
		if !f(l) {
			return
		}
	}
}

// under reports whether path is prefix or lies below it. A prefix with a final slash
// does not match without it.
func under(path, prefix string) bool {
	if !strings.HasPrefix(path, prefix) {
		return false
	}
	return len(path) == len(prefix) || strings.HasSuffix(prefix, "/") || path[len(prefix)] == '/'
}

// cleanPath returns the path of a request in one form: decoded once, composed (NFC), a
// single slash between segments, no "." or "..". This is done before the location is
// looked up, so that no spelling of a path gets around the location that guards it.
// status is 0, or the status to answer with:
//
//   - 400 for NUL and other control characters, a backslash (a separator
//     elsewhere), "." and ".." (clients resolve them before they ask, RFC 3986
//     §5.2.4; only an attack still has them)
//   - 404 for an encoded slash: no file name has one, and proxies treat it in
//     different ways
func cleanPath(u *url.URL) (path string, status int) {
	path = u.Path
	if path == "" || path[0] != '/' {
		return "", http.StatusBadRequest
	}
	double := false
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c < 0x20 || c == 0x7f || c == '\\':
			return "", http.StatusBadRequest
		case c == '/' && i > 0 && path[i-1] == '/':
			double = true
		}
	}
	path = value.NormalName(path) // as files of streams are called
	if u.RawPath != "" && strings.Contains(strings.ToLower(u.RawPath), "%2f") {
		return "", http.StatusNotFound
	}
	if double {
		path = mergeSlashes(path)
	}
	if strings.Contains(path, "/.") { // rare: dotfiles, or worse
		for seg := range strings.SplitSeq(path[1:], "/") {
			if seg == "." || seg == ".." {
				return "", http.StatusBadRequest
			}
		}
	}
	return path, 0
}

func mergeSlashes(path string) string {
	b := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		if path[i] == '/' && i > 0 && path[i-1] == '/' {
			continue
		}
		b = append(b, path[i])
	}
	return string(b)
}
