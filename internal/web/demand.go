package web

import (
	"context"
	"net/http"
	"net/url"
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
	// Instead returns the directory and the name of the playlist that the viewer is to
	// get, who asks for playlist.
	Instead(ctx context.Context, playlist string, v viewers.Visit) (dir, name string, ok bool)
}

// instead sends a viewer to the playlist of another stream; false: there is none. The
// address it has asked for may belong to a stream the next time, so no cache keeps the
// redirect.
func (x *exchange) instead(l *location, urlPath, playlist string) bool {
	d, can := x.site.deps.Audience.(Defaulter)
	if !can || len(x.r.URL.RawQuery) > maxQuery {
		return false
	}
	dir, name, ok := d.Instead(x.r.Context(), playlist, x.visit(urlPath, segstore.File{}))
	if !ok {
		return false
	}
	to := x.site.table.pathOf(dir, name, func(other *location) bool { return other == l || x.mayHint(l, other) })
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
