// Package web serves HTTP: locations, files, live playlists, access rules and the
// access log.
//
// A config.HTTP block is compiled into a Site; this may fail and belongs to the acquire
// phase of a reload. A Server serves the Site it was given last. The package knows no
// streams: it asks Live for live files and Audience for who may watch.
//
//	listener → http1 or net/http → Server.ServeHTTP → Site.handle → exchange.route
//	→ router.match → location.serve → exchange.send
//
// A goroutine of package http1 or net/http serves each connection; the Server owns
// them and waits for them in Shutdown.
package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/accesslog"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/pages"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// Live answers for absolute paths below the configured hls paths, spelled as
// the configuration spells them. Its methods are called by many goroutines.
type Live interface {
	// Lookup returns the live file of that path.
	Lookup(absPath string) (segstore.File, bool)
	// Streams returns the playlists below an hls directory, relative to it:
	// "test.m3u8", or "test/index.m3u8" when nested.
	Streams(absDir string) []string
	// Paths returns the hls directories in use.
	Paths() []string
}

// Deps is what a Site needs from the rest of the server.
type Deps struct {
	Live     Live                           // nil: nothing is live
	IsKey    func(word string) bool         // reports whether word is a stream key, which no log may hold; nil: none is
	Audience Audience                       // of live files; nil: viewers are not counted and all are let in
	KeyPaths []string                       // hls keys.path directories: only an alias that names them serves them
	Stat     func(config.Stat) http.Handler // serves stat locations; nil: they are an error
	// Control serves GET and POST of control locations. Requests from pages of
	// other sites do not reach it. nil: such locations are an error.
	Control func(config.Control) http.Handler
	// API makes what serves an api location at a path. Requests from pages of other
	// sites do not reach it. nil: such locations are an error.
	API     func(c config.API, path string) APIFunc
	Health  http.Handler // writes the body, and a status other than 200, of health locations; nil: "ok"
	Metrics http.Handler // serves metrics locations; nil: they are an error
	// Player makes what serves a player location; nil: such locations are an error.
	Player  func(config.Player) (PageFunc, error)
	ACME    ACME        // nil: tls.domains are an error
	Traffic *Traffic    // counters to continue; nil: new ones
	Log     *zap.Logger // nil: silent
	// OpenLog opens an access log for appending. nil: the file of that
	// name, made with its directory if need be.
	OpenLog func(path string) (io.WriteCloser, error)
	Now     func() time.Time // nil: time.Now
}

// A PageFunc answers a request for the pages of a player location.
type PageFunc = func(http.ResponseWriter, *http.Request, pages.Visit)

// An APIFunc answers a request of an api location.
type APIFunc = func(http.ResponseWriter, *http.Request, api.Caller)

// Site is one http block, compiled. It is an http.Handler.
type Site struct {
	deps  Deps
	log   *zap.Logger
	now   func() time.Time
	table router
	proxy proxies
	guard *guard
	files *openFiles

	listen  string // addresses as configured; they identify a Site across reloads
	traffic *Traffic
	limits  *siteLimits // nil: none

	access *accesslog.Log[*exchange] // nil: none
	cert   *certificate              // nil: no TLS

	proxyProtocol []netip.Prefix // must send a PROXY header
	plainRedirect bool           // plain listeners only redirect to https
	tlsPort       uint16         // the port they redirect to

	warned    warnings
	untrusted atomic.Bool // a proxy that is not trusted was reported
	mounts    []*mount
	refs      atomic.Int64 // one for the owner, one per request under way
	closed    atomic.Bool  // takes no new request
	closing   sync.Once
	ending    chan struct{} // closed by hangUp
	hangUp    func()        // ends the WebSockets
	freeErr   error         // written before the last reference is gone
}

// Compile opens and parses everything that cfg names. After an error nothing stays open.
// The caller must close the Site. A directory that does not exist yet is no error.
func Compile(cfg config.HTTP, d Deps) (*Site, error) {
	if d.Log == nil {
		d.Log = zap.NewNop()
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.OpenLog == nil {
		d.OpenLog = accesslog.OpenFile
	}
	s := &Site{deps: d, log: d.Log, now: d.Now, guard: newGuard(d.Now), files: newOpenFiles(d.Now), ending: make(chan struct{})}
	s.hangUp = sync.OnceFunc(func() { close(s.ending) })
	s.refs.Store(1)
	s.listen, s.traffic = ListenText(cfg), d.Traffic
	if s.traffic == nil {
		s.traffic = &Traffic{}
	}
	s.limits = newSiteLimits(cfg.Limits, s.traffic)
	if err := s.compile(cfg); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Site) compile(cfg config.HTTP) error {
	var err error
	if s.proxy, err = newProxies(cfg); err != nil {
		return err
	}
	if t := cfg.TLS; t != nil {
		if s.cert, err = newCertificate(*t, s.deps.ACME, s.log, s.now); err != nil {
			return err
		}
		s.plainRedirect = t.Redirect
		if len(t.Listen) > 0 {
			s.tlsPort = t.Listen[0].Port
		}
	}
	s.proxyProtocol = cfg.ProxyProtocol
	places := s.livePlaces()
	for _, c := range cfg.Locations {
		l, err := s.newLocation(c, places)
		if err != nil {
			return fmt.Errorf("location %q: %w", c.Path, err)
		}
		if err := s.table.add(l); err != nil {
			return err
		}
	}
	// Last, so that a rejected configuration leaves no empty log behind.
	if cfg.AccessLog != "" {
		format, err := parseLogFormat(string(cfg.AccessLogFormat))
		if err != nil {
			return fmt.Errorf("access_log_format: %w", err)
		}
		o := accesslog.Options{Open: s.deps.OpenLog, Now: s.now, Log: s.log}
		if s.access, err = accesslog.Open(string(cfg.AccessLog), format, o); err != nil {
			return err
		}
	}
	return nil
}

// ListenText returns the addresses of an http block, as configured. It identifies the
// block.
func ListenText(cfg config.HTTP) string {
	addresses := slices.Clone(cfg.Listen)
	if cfg.TLS != nil {
		addresses = append(addresses, cfg.TLS.Listen...)
	}
	var b strings.Builder
	for i, a := range addresses {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(a.String())
	}
	return b.String()
}

// Listen returns the ListenText of the Site's block.
func (s *Site) Listen() string { return s.listen }

// Traffic returns the Site's counters.
func (s *Site) Traffic() *Traffic { return s.traffic }

// Close closes the Site to new requests. Its files are closed when the last running
// request has ended: in Close itself if there is none.
func (s *Site) Close() error {
	var err error
	s.closing.Do(func() {
		s.closed.Store(true)
		s.hangUp()
		if s.release() {
			err = s.freeErr
		}
	})
	return err
}

// Reopen opens the access log again, after log rotation has moved it.
func (s *Site) Reopen() error {
	if s.access == nil || !s.acquire() {
		return nil
	}
	defer s.release()
	return s.access.Reopen()
}

// acquire keeps the Site alive until release; false: it is closed.
func (s *Site) acquire() bool {
	for {
		n := s.refs.Load()
		if n <= 0 || s.closed.Load() {
			return false
		}
		if s.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release drops a reference. It reports whether it was the last one; then everything
// has been closed.
func (s *Site) release() bool {
	if s.refs.Add(-1) > 0 {
		return false
	}
	s.freeErr = s.free()
	return true
}

func (s *Site) free() error {
	var errs []error
	s.files.close()
	for _, m := range s.mounts {
		errs = append(errs, m.close())
	}
	if s.access != nil {
		errs = append(errs, s.access.Close())
	}
	return errors.Join(errs...)
}

// warnings keeps what has been logged already: a message that every request would
// repeat is logged once per Site.
type warnings struct {
	mu   sync.Mutex
	said map[string]struct{}
}

// maxWarnings bounds how much clients can make a Site keep and log.
const maxWarnings = 64

func (w *warnings) first(what string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.said[what]; ok || len(w.said) >= maxWarnings {
		return false
	}
	if w.said == nil {
		w.said = make(map[string]struct{})
	}
	w.said[what] = struct{}{}
	return true
}
