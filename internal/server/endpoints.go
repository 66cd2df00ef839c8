package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/rtmpserver"
	"github.com/rtmpd/rtmpd/internal/web"
)

// An endpoint is an address and what is spoken there.
type endpoint struct {
	kind string // rtmp rtmps http https
	addr value.Address
}

// key tells endpoints apart over reloads, whatever line they stand on.
func (e endpoint) key() string { return e.kind + " " + e.addr.String() }

// endpoints lists what a configuration listens on.
func endpoints(c *config.Config) []endpoint {
	var all []endpoint
	for i := range c.RTMP {
		all = append(all, rtmpEndpoints(&c.RTMP[i])...)
	}
	for i := range c.HTTP {
		all = append(all, httpEndpoints(&c.HTTP[i])...)
	}
	return all
}

func rtmpEndpoints(b *config.RTMP) []endpoint { return endpointsOf("rtmp", b.Listen, b.TLS) }

func httpEndpoints(h *config.HTTP) []endpoint { return endpointsOf("http", h.Listen, h.TLS) }

func endpointsOf(kind string, plain value.Addresses, secure *config.TLS) []endpoint {
	var all []endpoint
	for _, a := range plain {
		all = append(all, endpoint{kind, a})
	}
	if secure != nil {
		for _, a := range secure.Listen {
			all = append(all, endpoint{kind + "s", a})
		}
	}
	return all
}

// A listener is one endpoint at work: for an rtmp block or for a site, which a
// reload may change.
type listener struct {
	endpoint
	ln   net.Listener
	rtmp atomic.Pointer[rtmpserver.Block] // rtmp, rtmps
	tls  atomic.Pointer[tls.Config]       // rtmps
	web  *web.Server                      // http, https
}

// serve accepts until ln is closed.
func (s *Server) serve(l *listener, ln net.Listener) {
	l.ln = ln
	s.log.Info("listening", zap.String("for", l.kind), zap.Stringer("listener", ln.Addr()))
	s.goes.Go(func() {
		var err error
		switch l.kind {
		case "rtmp", "rtmps":
			listen.AcceptLoop(ln, s.log, func(nc net.Conn) { l.rtmp.Load().Accept(nc, l.tls.Load()) })
		case "http":
			err = l.web.Serve(ln)
		case "https":
			err = l.web.ServeTLS(ln)
		}
		if err != nil && !errors.Is(err, net.ErrClosed) {
			s.log.Error("listener stopped", zap.Stringer("listener", ln.Addr()), zap.Error(err))
		}
	})
}

func (s *Server) bound(e endpoint) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listeners[e.key()] != nil
}

// unbind closes an endpoint's socket but keeps who serves there, for rebind.
func (s *Server) unbind(e endpoint) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.listeners[e.key()]
	if l == nil {
		return false
	}
	l.ln.Close()
	return true
}

func (s *Server) rebind(e endpoint) error {
	ln, err := s.opts.Bind(e.addr)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serve(s.listeners[e.key()], ln)
	return nil
}

// commitListeners starts the new listeners, points the kept ones at their new
// blocks and closes those that no block names any more.
func (s *Server) commitListeners(a *acquired, blocks []*rtmpserver.Block) {
	s.mu.Lock()
	defer s.mu.Unlock()
	want := make(map[string]bool)
	for i := range a.cfg.RTMP {
		for _, e := range rtmpEndpoints(&a.cfg.RTMP[i]) {
			want[e.key()] = true
			l, kept := s.listeners[e.key()], true
			if l == nil {
				l, kept = &listener{endpoint: e}, false
				s.listeners[e.key()] = l
			}
			l.rtmp.Store(blocks[i])
			if e.kind == "rtmps" {
				l.tls.Store(a.tls[i])
			}
			if !kept {
				s.serve(l, a.listeners[e.key()])
			}
		}
	}
	for i := range a.cfg.HTTP {
		for _, e := range httpEndpoints(&a.cfg.HTTP[i]) {
			want[e.key()] = true
			if l := s.listeners[e.key()]; l != nil {
				l.web.Swap(a.sites[i])
				continue
			}
			l := &listener{endpoint: e, web: web.NewServer(a.sites[i], s.log)}
			s.listeners[e.key()] = l
			s.serve(l, a.listeners[e.key()])
		}
	}
	for key, l := range s.listeners {
		if !want[key] {
			delete(s.listeners, key)
			s.retire(l)
		}
	}
	for _, old := range s.sites {
		_ = old.Close() // requests under way keep what they need
	}
	s.sites = a.sites
}

// retireTime is how long requests of a removed http listener may take to end.
const retireTime = 30 * time.Second

// retire closes a listener for good. The connections of an RTMP listener stay,
// HTTP requests under way may end.
func (s *Server) retire(l *listener) {
	l.ln.Close()
	s.log.Info("listener closed", zap.String("for", l.kind), zap.Stringer("listener", l.ln.Addr()))
	if l.web != nil {
		s.goes.Go(func() { l.shutdown(s.ctx, time.Now().Add(retireTime)) })
	}
}

func (l *listener) shutdown(ctx context.Context, deadline time.Time) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	_ = l.web.Shutdown(ctx) // past the deadline they are cut: that is its error
}

// closeHTTP ends every http listener, at the latest at deadline.
func (s *Server) closeHTTP(deadline time.Time) {
	s.mu.Lock()
	var all []*listener
	for _, l := range s.listeners {
		if l.web != nil {
			all = append(all, l)
		}
	}
	sites := s.sites
	s.mu.Unlock()
	for _, l := range all {
		l.shutdown(context.Background(), deadline)
	}
	for _, site := range sites {
		_ = site.Close()
	}
}

// Port is the port that an address of the configuration got, for ":0".
func (s *Server) Port(kind string, addr value.Address) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.listeners[endpoint{kind, addr}.key()]
	if l == nil {
		return 0
	}
	a, ok := l.ln.Addr().(*net.TCPAddr)
	if !ok {
		return 0
	}
	return a.Port
}
