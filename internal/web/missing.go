package web

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config/value"
)

// notFound answers 404. Whoever asks for a playlist under the wrong path, but
// by its right name, is told the right one; nobody is told a name that they did
// not know. l may be nil.
func (x *exchange) notFound(l *location, urlPath string) {
	text := "404 not found"
	if strings.HasSuffix(urlPath, ".m3u8") && x.site.deps.Live != nil {
		if there := x.elsewhere(l, streamOf(urlPath)); there != "" && there != urlPath {
			text = fmt.Sprintf("404 not found: did you mean %s?", (&url.URL{Path: there}).EscapedPath())
		}
	}
	x.fail(l, http.StatusNotFound, text)
}

// streamOf is the name of the stream that a playlist belongs to: "test" of
// "/x/test.m3u8" and of "/x/test/index.m3u8".
func streamOf(playlist string) string {
	name := strings.TrimSuffix(path.Base(playlist), ".m3u8")
	if name == "index" {
		if dir := path.Base(path.Dir(playlist)); dir != "/" && dir != "." {
			return dir
		}
	}
	return name
}

// elsewhere finds the path of a playlist of that stream which this client would
// get, "" if there is none.
func (x *exchange) elsewhere(l *location, stream string) string {
	s := x.site
	debug := s.log.Core().Enabled(zap.DebugLevel)
	var exists []string
	found := ""
	for _, dir := range s.deps.Live.Paths() {
		for _, name := range s.deps.Live.Streams(dir) {
			if debug && len(exists) < 100 {
				exists = append(exists, dir+"/"+name)
			}
			if found == "" && streamOf("/"+name) == stream {
				found = s.table.pathOf(dir, name, func(other *location) bool { return x.mayHint(l, other) })
			}
		}
		if found != "" && !debug {
			break
		}
	}
	if debug {
		s.log.Debug("playlist not found", zap.String("path", x.site.withoutKeys(x.r.URL.Path)), zap.Strings("exists", exists))
	}
	return found
}

// mayHint: a name behind credentials is told only to who has shown them.
func (x *exchange) mayHint(from, to *location) bool {
	if len(to.rules) > 0 && !to.rules.Allows(x.client) {
		return false
	}
	return !to.guarded() || from == to
}

// PlaylistPath is the path, escaped, under which anybody gets a file of an hls
// directory; empty if no location serves it without credentials.
func (s *Site) PlaylistPath(dir, name string) string {
	p := s.table.pathOf(dir, name, func(l *location) bool { return !l.guarded() })
	return (&url.URL{Path: p}).EscapedPath()
}

// pathOf is the path under which a file of an hls directory is served by a
// location that ok accepts, or "".
func (t *router) pathOf(dir, name string, ok func(*location) bool) (found string) {
	resolved := value.Resolve(dir)
	t.all(func(l *location) bool {
		if l.tree == nil || !ok(l) {
			return true
		}
		in, is := below(l.tree.dir, dir, l.tree.base, resolved)
		if !is {
			return true
		}
		p := path.Join(l.tree.url+"/", in, name)
		if t.match(p) != l || l.tree.secret(l.tree.name(p)) {
			return true
		}
		found = p
		return false
	})
	return found
}
