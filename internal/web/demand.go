package web

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/segstore"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// A Demander is an Audience that can bring about a stream that somebody asks for:
// one that is pulled from another server.
type Demander interface {
	// Demand begins the stream of a playlist that is not there, if it is such a
	// stream, and waits for the playlist until ctx ends.
	Demand(ctx context.Context, playlist string) (f segstore.File, ok bool)
}

// demandWait is how long a request for the playlist of such a stream waits: its first
// fragment has to come. Players ask again after that.
const demandWait = 15 * time.Second

// demanded waits for the playlist of a stream that begins because it is asked for.
func (x *exchange) demanded(path string) (segstore.File, bool) {
	d, can := x.site.deps.Audience.(Demander)
	if !can {
		return segstore.File{}, false
	}
	ctx, cancel := context.WithTimeout(x.r.Context(), demandWait)
	defer cancel()
	return d.Demand(ctx, path)
}

// A Defaulter is an Audience that can say which stream is shown in the place of one that
// is not there.
type Defaulter interface {
	// Instead returns what the viewer is to get, who asks for playlist.
	Instead(ctx context.Context, playlist string, v viewers.Visit) (viewers.Substitute, bool)
	// Meant returns what a file is called really whose name begins with one that Instead
	// was asked about not long ago.
	Meant(absPath string, now time.Time) (viewers.Substitute, bool)
}

// meant finds the live file that a path below a mount means. done: it was answered.
func (x *exchange) meant(l *location, urlPath string, m *mount, in string) (real string, lf segstore.File, done bool) {
	d, can := x.site.deps.Audience.(Defaulter)
	if !can || len(x.r.URL.RawQuery) > maxQuery {
		return in, lf, false
	}
	dir := strings.TrimSuffix(m.dir, "/") + "/"
	list := isManifest(in)
	s, ok := d.Meant(dir+in, x.start)
	if list && !ok {
		s, ok = d.Instead(x.r.Context(), dir+in, x.visit(urlPath, &segstore.File{}))
	}
	switch {
	case !ok:
		return in, lf, false
	case s.Rename == nil:
		return in, lf, x.instead(l, urlPath, s)
	}
	real, below := strings.CutPrefix(strings.TrimSuffix(s.Dir, "/")+"/"+s.Name, dir)
	if !below {
		return in, lf, false
	}
	if lf, ok = x.site.deps.Live.Lookup(dir + real); !ok {
		lf, _ = x.hinted(dir + real)
		return real, lf, false
	}
	if list {
		x.serveRenamed(l, urlPath, m, real, &lf, s.Rename)
		return real, lf, true
	}
	return real, lf, false
}

func isManifest(name string) bool {
	return strings.HasSuffix(name, ".m3u8") || strings.HasSuffix(name, ".mpd")
}

// serveRenamed serves a live playlist or MPD under another name.
func (x *exchange) serveRenamed(l *location, urlPath string, m *mount, in string, lf *segstore.File, rename func([]byte) []byte) {
	r := *x.r
	r.Method, r.ProtoMajor, r.Header = http.MethodGet, 1, x.r.Header.Clone()
	for _, name := range []string{"Accept-Encoding", "Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		r.Header.Del(name) // what it is about are the bytes before
	}
	got := &kept{header: x.Header()}
	y := *x
	y.ResponseWriter, y.r, y.account, y.once = got, &r, account{}, y.once || x.r.Method == http.MethodHead
	y.serveLive(l, urlPath, m, in, lf)
	x.meter, x.tokenGuarded, x.account = y.meter, y.tokenGuarded, y.account
	body := got.body.Bytes()
	h := x.Header()
	if got.status == http.StatusOK {
		body = rename(body)
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
		h.Del("Etag")
		h.Del("Last-Modified")
		h.Del("Accept-Ranges")
	}
	x.WriteHeader(got.status)
	if x.r.Method != http.MethodHead {
		_, _ = x.Write(body)
	}
}

// A kept answer is not sent. Its header is the exchange's.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (k *kept) Header() http.Header { return k.header }

func (k *kept) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

func (k *kept) Write(p []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	return k.body.Write(p)
}

// instead sends a viewer to the playlist of another stream; false: there is none. The
// address it has asked for may belong to a stream the next time, so no cache keeps the
// redirect.
func (x *exchange) instead(l *location, urlPath string, s viewers.Substitute) bool {
	to := x.site.table.pathOf(s.Dir, s.Name, func(other *location) bool { return other == l || x.mayHint(l, other) })
	if to == "" || to == urlPath {
		return false
	}
	h := x.Header()
	l.setExtra(h)
	h["Location"] = []string{relativeTo(urlPath, to, x.r.URL.RawQuery)}
	h["Cache-Control"] = cacheNoStore
	x.WriteHeader(http.StatusFound)
	return true
}

// relativeTo is the reference that leads from one path of the site to another: a proxy
// may serve both below a prefix.
func relativeTo(from, to, query string) string {
	dirs, target := strings.Split(from, "/"), strings.Split(to, "/")
	common := 0
	for common < len(dirs)-1 && common < len(target)-1 && dirs[common] == target[common] {
		common++
	}
	ref := strings.Repeat("../", len(dirs)-1-common) + strings.Join(target[common:], "/")
	return (&url.URL{Path: ref, RawQuery: string(appendQuery(nil, query))}).String()
}
