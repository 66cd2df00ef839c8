package web

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/rtmpd/rtmpd/internal/pages"
	"github.com/rtmpd/rtmpd/internal/web/http1"
	"github.com/rtmpd/rtmpd/internal/websocket"
)

// servePages answers from a player location.
func (x *exchange) servePages(l *location, urlPath string) {
	h := x.Header()
	if l.cache != nil {
		h["Cache-Control"] = l.cache
	}
	l.setExtra(h)
	prefix := strings.TrimSuffix(l.path, "/")
	v := pages.Visit{
		Location: prefix, Path: urlPath[len(prefix):], Client: x.client,
		// As the browser counts: it does not know that slashes were merged.
		Depth: strings.Count(x.r.URL.Path, "/") - strings.Count(prefix, "/") - 1,
		Base: func() string {
			base, _ := x.site.PublicURL(x.r)
			return base
		},
		Mark: x.markPublicURL,
		PlaylistPath: func(dir, name string) string {
			p := x.site.table.pathOf(dir, name, func(other *location) bool { return x.mayWatch(l, other) })
			return (&url.URL{Path: p}).EscapedPath()
		},
		Ending: x.site.ending,
	}
	if !websocket.IsUpgrade(x.r) {
		l.pages(x, x.r, v)
		return
	}
	x.overSocket(l, func() { l.pages(x, x.r, v) })
}

// overSocket calls f, which answers a request for a WebSocket, if that may be.
func (x *exchange) overSocket(l *location, f func()) {
	// The rule of cors_origins for scripts of other sites, which no browser enforces
	// for WebSockets.
	if origin := x.r.Header.Get("Origin"); origin != "" && crossSite(x) && !l.cors.allows(origin) && !x.isOwn(origin) {
		x.fail(l, http.StatusForbidden, "cors_origins does not name the page's origin")
		return
	}
	x.whileHeld(l, f)
}

// whileHeld calls serve, which takes the connection over for a WebSocket.
func (x *exchange) whileHeld(l *location, serve func()) {
	if x.conn != nil {
		if !x.conn.server.hold(x.conn) {
			x.fail(l, http.StatusServiceUnavailable, "")
			return
		}
		defer x.conn.server.drop(x.conn)
	}
	serve()
}

// isOwn reports whether an origin is the public one of the server: a proxy may have
// changed the Host.
func (x *exchange) isOwn(origin string) bool {
	base, _ := x.site.PublicURL(x.r)
	own, ok := parseBase(base)
	u, ok2 := parseBase(origin)
	return ok && ok2 && own.origin == u.origin
}

// hold keeps a connection that was taken over for a WebSocket, for Shutdown to wait for;
// false: the server is stopping.
func (s *Server) hold(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.held[c] = struct{}{}
	s.holding.Add(1)
	return true
}

func (s *Server) drop(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, c)
	s.holding.Done()
}

// endHeld waits until the connections that are held have ended, and closes them when ctx
// is over.
func (s *Server) endHeld(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.held {
			_ = c.Close()
		}
	})
	defer stop()
	s.holding.Wait()
}

// mayWatch reports whether a page of l may name the playlists of a location: whoever sees
// the page must be able to have them.
func (x *exchange) mayWatch(l, to *location) bool {
	if len(to.rules) > 0 && !to.rules.Allows(x.client) {
		return false
	}
	return !to.guarded() || l.guarded()
}

// markPublicURL says in an answer what its absolute URLs depend on.
func (x *exchange) markPublicURL(h http.Header) {
	if _, fromHeader := x.site.PublicURL(x.r); fromHeader {
		cache := h["Cache-Control"]
		if MarkPrivate(h); len(cache) == 1 && (cache[0] == "no-cache" || cache[0] == "no-store") {
			h["Cache-Control"] = []string{"private, " + cache[0]}
		}
		return
	}
	if len(x.site.proxy.trusted) > 0 { // another proxy may say another address
		h.Add("Vary", varyProxy)
	}
}

// Hijack is for WebSockets.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err == nil {
		x.status = http.StatusSwitchingProtocols
		if c, ok := nc.(*http1.Conn); ok {
			nc = c.Conn // it has deadlines of its own
		}
	}
	return nc, rw, err
}
