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

// notFound answers 404. If the request has the right name of a playlist and the wrong
// path, the answer says the right path; it never says a name that the request does
// not have. l may be nil.
func (x *exchange) notFound(l *location, urlPath string) {
	text := "404 not found"
	if (strings.HasSuffix(urlPath, ".m3u8") || strings.HasSuffix(urlPath, ".mpd")) && x.site.deps.Live != nil {
		if there := x.elsewhere(l, streamOf(urlPath), path.Ext(urlPath)); there != "" && there != urlPath {
			text = fmt.Sprintf("404 not found: did you mean %s?", (&url.URL{Path: there}).EscapedPath())
		}
	}
	x.fail(l, http.StatusNotFound, text)
}

// streamOf returns the name of the stream that a playlist or MPD belongs to: "test" for
// "/x/test.m3u8" and "/x/test/index.m3u8".
func streamOf(playlist string) string {
	name := strings.TrimSuffix(strings.TrimSuffix(path.Base(playlist), ".m3u8"), ".mpd")
	if name == "index" {
		if dir := path.Base(path.Dir(playlist)); dir != "/" && dir != "." {
			return dir
		}
	}
	return name
}

// elsewhere returns the path of a playlist of that stream, with that extension, that this
// client may get; "" if there is none.
func (x *exchange) elsewhere(l *location, stream, ext string) string {
	s := x.site
	debug := s.log.Core().Enabled(zap.DebugLevel)
	var exists []string
	found := ""
	for _, dir := range s.deps.Live.Paths() {
		for _, name := range s.deps.Live.Streams(dir) {
			if debug && len(exists) < 100 {
				exists = append(exists, dir+"/"+name)
			}
			if found == "" && streamOf("/"+name) == stream && path.Ext(name) == ext {
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

// mayHint reports whether the client may learn names of l: those behind credentials
// only after it has sent them.
func (x *exchange) mayHint(from, to *location) bool {
	if len(to.rules) > 0 && !to.rules.Allows(x.client) {
		return false
	}
	return !to.guarded() || from == to
}

// PlaylistPath returns the escaped path of a file of an hls directory; empty if no
// location serves it without credentials.
func (s *Site) PlaylistPath(dir, name string) string {
	p := s.table.pathOf(dir, name, func(l *location) bool { return !l.guarded() })
	return (&url.URL{Path: p}).EscapedPath()
}

// pathOf returns the path of a file of an hls directory in a location that ok accepts,
// or "".
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
