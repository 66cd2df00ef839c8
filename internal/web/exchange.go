package web

import (
	"io"
	"net/http"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/viewers"
	"github.com/rtmpd/rtmpd/internal/web/http1"
)

// exchange is one request and its answer. It is the http.ResponseWriter of the
// handlers: it counts the bytes written and has a ReadFrom that uses sendfile.
type exchange struct {
	http.ResponseWriter
	site   *Site
	conn   *conn // nil without a Server
	r      *http.Request
	peer   netip.Addr   // the other end of the connection
	client netip.Addr   // the client, as trusted proxies name it
	user   string       // who was authenticated by basic_auth
	token  *scopedToken // of an api block, that let it in; nil: another way
	start  time.Time
	status int
	bytes  int64
	told   int64 // of them, in the counters already
	// tokenGuarded: the Authorization header is for the location.
	tokenGuarded bool
	reports      string // the query for the rendition reports of a low-latency playlist
	account      account
	meter        *viewers.Meter // of the session of a viewer; nil: it has none
	once         bool           // it is no part of watching: no viewer is counted
	names        bool           // the URL names streams, whether there are such or not: control, player
	api          bool           // it is a call of the API
}

var (
	methodsFiles   = []string{"GET, HEAD, OPTIONS"}
	methodsControl = []string{"GET, POST, OPTIONS"} // no HEAD: it must not act
	methodsAPI     = []string{"GET, POST, DELETE, OPTIONS"}
)

// ServeHTTP answers one request. A closed Site answers 503.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.acquire() {
		http.Error(w, "closed", http.StatusServiceUnavailable)
		return
	}
	defer s.release()
	s.handle(w, r)
}

// handle is ServeHTTP for a caller that holds a reference.
func (s *Site) handle(w http.ResponseWriter, r *http.Request) {
	x := &exchange{ResponseWriter: w, site: s, r: r, conn: connOf(r.Context()), start: s.now()}
	x.peer, x.client = s.who(r)
	x.openAccount()
	s.traffic.begin()
	defer s.traffic.end(x)
	if s.access != nil {
		defer s.access.Add(x)
	}
	if r.ContentLength != 0 {
		// Only the API reads a body, and a client that sends one slowly must not
		// hold a connection. net/http, which serves TLS, waits for the body
		// before it answers.
		w.Header().Set("Connection", "close")
		if r.TLS != nil {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(http1.BodyTimeout))
		}
	}
	x.route()
	if x.meter != nil {
		x.meter.End(x.bytes - x.told)
	}
	x.hideKeys()
}

// route decides in this order: path, location, access, method, credentials, and only
// then which file there is.
func (x *exchange) route() {
	s, r := x.site, x.r
	if x.answerChallenge() {
		return
	}
	if s.plainRedirect && r.TLS == nil {
		x.toTLS()
		return
	}
	path, status := cleanPath(r.URL)
	if status != 0 {
		if r.Method == http.MethodOptions && r.URL.Path == "*" { // RFC 9110 §9.3.7: the server itself
			x.preflight(nil)
			return
		}
		x.fail(nil, status, "")
		return
	}
	l := s.table.match(path)
	if l == nil {
		x.notFound(nil, path)
		return
	}
	l.cors.set(x.Header(), r.Header.Get("Origin"))
	if len(l.rules) > 0 && !l.rules.Allows(x.client) {
		x.fail(l, http.StatusForbidden, "")
		return
	}
	switch {
	case r.Method == http.MethodGet, r.Method == http.MethodHead && !l.control, r.Method == http.MethodPost && l.control, r.Method == http.MethodDelete && l.api != nil:
	case r.Method == http.MethodOptions:
		x.preflight(l)
		return
	default:
		x.Header()["Allow"] = methodsFiles
		switch {
		case l.api != nil:
			x.Header()["Allow"] = methodsAPI
		case l.control:
			x.Header()["Allow"] = methodsControl
		}
		x.fail(l, http.StatusMethodNotAllowed, "")
		return
	}
	x.names, x.api = l.control || l.pages != nil, l.api != nil
	if l.control { // before credentials: a browser sends those for pages of every site
		if why := x.fromOtherSite(l); why != "" {
			x.fail(l, http.StatusForbidden, why)
			return
		}
	}
	if l.guarded() && !x.authorize(l) {
		return
	}
	l.serve(x, l, path)
}

// fail answers an error in plain text; l may be nil.
func (x *exchange) fail(l *location, status int, text string) {
	h := x.Header()
	if l != nil {
		for _, a := range l.onError {
			h[a.name] = a.value
		}
	}
	if text == "" {
		text = http.StatusText(status)
	}
	h["Cache-Control"] = cacheNo // a missing playlist may exist soon
	http.Error(x, text, status)
}

// serveHealth answers with the health of the server.
func (x *exchange) serveHealth(l *location, _ string) {
	h := x.Header()
	h["Content-Type"] = typeText
	l.setCache(h, cacheNoStore)
	l.setExtra(h)
	if x.site.deps.Health == nil {
		_, _ = io.WriteString(x, "ok\n")
		return
	}
	x.site.deps.Health.ServeHTTP(x, x.r)
}

// serveInner calls the handler of another package.
func (x *exchange) serveInner(l *location, _ string) {
	h := x.Header()
	if l.cache != nil {
		h["Cache-Control"] = l.cache
	}
	l.setExtra(h)
	r := x.r
	if w, ok := x.ResponseWriter.(*http1.ResponseWriter); ok {
		ctx, stop := w.Watch(r.Context())
		defer stop()
		r = r.WithContext(ctx)
	}
	l.inner.ServeHTTP(x, r)
}

// serveStat is serveInner for clients that may see it.
func (x *exchange) serveStat(l *location, path string) {
	if len(l.rules) == 0 && !l.guarded() {
		if why := x.notLocal(); why != "" {
			if x.site.warned.first("local " + l.path) {
				x.site.log.Info("location refused: it answers only this machine until access, token or basic_auth is set",
					zap.String("location", l.path), zap.Stringer("remote", x.client), zap.String("reason", why))
			}
			x.fail(l, http.StatusForbidden, localOnly(l.path, why))
			return
		}
	}
	x.serveInner(l, path)
}

// WriteHeader records the status.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= 200 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes.
func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	if x.r.ProtoMajor == 2 {
		return x.writeStream(p)
	}
	n, err := x.ResponseWriter.Write(p)
	x.count(int64(n))
	return n, err
}

// count counts bytes that were sent.
func (x *exchange) count(n int64) {
	x.bytes += n
	x.account.add(n)
}

// ReadFrom copies src to the client, with sendfile where possible.
func (x *exchange) ReadFrom(src io.Reader) (int64, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	if rf, ok := x.ResponseWriter.(io.ReaderFrom); ok {
		n, err := rf.ReadFrom(src)
		x.count(n)
		return n, err
	}
	return x.copyStream(src) // HTTP/2, or a test
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// Flush is for handlers that look for an http.Flusher.
func (x *exchange) Flush() { _ = http.NewResponseController(x.ResponseWriter).Flush() }
