package web

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/web/http1"
)

const (
	// maxStreams bounds the concurrent requests of one HTTP/2 connection; a
	// browser that plays has a handful. Each costs a goroutine and buffers.
	maxStreams = 32
	// maxReceive bounds how many bytes of bodies, which nothing reads, HTTP/2 takes.
	maxReceive = 64 << 10
)

// Server serves the Site it was given last on any number of listeners.
type Server struct {
	site  atomic.Pointer[Site]
	plain *http1.Server
	tls   *http.Server

	mu        sync.Mutex
	closed    bool
	listeners []net.Listener
	silent    map[net.Conn]struct{} // https connections without a request so far
	held      map[*conn]struct{}    // that have become WebSockets
	holding   sync.WaitGroup        // of held
	stopping  chan struct{}         // closed by Shutdown
}

// NewServer makes a server for site, which stays the caller's to close.
func NewServer(site *Site, log *zap.Logger) *Server {
	if log == nil {
		log = zap.NewNop()
	}
	s := &Server{silent: make(map[net.Conn]struct{}), held: make(map[*conn]struct{}), stopping: make(chan struct{})}
	s.plain = http1.NewServer(s, log, withConn)
	s.site.Store(site)
	errorLog, _ := zap.NewStdLogAt(log, zap.DebugLevel) // fails for unknown levels only
	s.tls = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: http1.HeaderTimeout,
		IdleTimeout:       http1.IdleTimeout,
		MaxHeaderBytes:    http1.MaxHeader,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReceiveBufferPerConnection: maxReceive,
			MaxReceiveBufferPerStream:     maxReceive,
			SendPingTimeout:               http1.WriteTimeout / 2, // finds clients that vanished
			PingTimeout:                   http1.WriteTimeout / 3,
			WriteByteTimeout:              http1.WriteTimeout,
		},
		ConnContext: withConn,
		ErrorLog:    errorLog,
		ConnState:   s.connState,
		TLSConfig:   &tls.Config{GetConfigForClient: s.tlsConfig, MinVersion: tls.VersionTLS12},
	}
	return s
}

// Swap makes site answer from the next request on and returns the one before,
// which may be closed at once: requests under way keep it.
func (s *Server) Swap(site *Site) (old *Site) { return s.site.Swap(site) }

// ServeHTTP answers with the newest Site.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for {
		site := s.site.Load()
		if site.acquire() {
			defer site.release()
			site.handle(w, r)
			return
		}
		if site == s.site.Load() { // closed and not replaced: the server is stopping
			http.Error(w, "closed", http.StatusServiceUnavailable)
			return
		}
	}
}

// Serve answers on a plain listener, which it closes, until Shutdown. The error is
// nil: what goes wrong in between is logged and waited out.
func (s *Server) Serve(l net.Listener) error {
	s.plain.Serve(s.listen(l))
	return nil
}

// ServeTLS is Serve with TLS and HTTP/2; every Site must have a certificate.
func (s *Server) ServeTLS(l net.Listener) error {
	err := s.tls.ServeTLS(s.listen(l), "", "")
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// listen keeps l for Shutdown.
func (s *Server) listen(l net.Listener) *listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = l.Close()
	}
	s.listeners = append(s.listeners, l)
	return &listener{Listener: l, server: s}
}

// connState keeps the connections without a request: net/http would wait for them at a
// shutdown.
func (s *Server) connState(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == http.StateNew {
		s.silent[c] = struct{}{}
	} else {
		delete(s.silent, c)
	}
}

// Shutdown stops accepting, waits for requests to end, and closes the rest when ctx is
// over; then it returns ctx's error. The listeners are closed last: until then new
// connections wait.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	for c := range s.silent {
		_ = c.Close()
	}
	if !s.closed {
		close(s.stopping)
	}
	s.closed = true
	listeners := s.listeners
	s.mu.Unlock()
	s.site.Load().hangUp()
	defer func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}()
	done := make(chan error, 1)
	go func() {
		err := s.tls.Shutdown(ctx)
		if err != nil {
			_ = s.tls.Close()
		}
		s.endHeld(ctx) // net/http does not wait for them
		done <- err
	}()
	return errors.Join(s.plain.Shutdown(ctx), <-done)
}
