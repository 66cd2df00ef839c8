package web

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// headerTimeout is for a whole request head; nobody needs longer to say
	// which fragment, and whoever drips bytes holds a connection no longer.
	headerTimeout = 10 * time.Second
	// idleTimeout outlasts the pause between two fragments of any playlist.
	idleTimeout = 75 * time.Second
	// writeTimeout is how long a client may take nothing at all. There is no
	// limit for a whole answer: recordings are long and phones are slow.
	writeTimeout = 45 * time.Second
	// bodyTimeout is for a whole request body; the ones there are are short.
	bodyTimeout = 10 * time.Second
	// lingerTimeout and lingerBytes bound what is read of a body nobody wants.
	lingerTimeout = time.Second
	lingerBytes   = 256 << 10
	// maxHeader is for a whole request head.
	maxHeader = 16 << 10

	// maxStreams bounds the requests that one HTTP/2 connection has under way;
	// a browser that plays has a handful. Each costs a goroutine and buffers.
	maxStreams = 32
	// maxReceive bounds what HTTP/2 takes of bodies, which nothing here wants.
	maxReceive = 64 << 10
)

// Server serves the Site it was given last on any number of listeners.
type Server struct {
	site  atomic.Pointer[Site]
	plain *plain
	tls   *http.Server

	mu        sync.Mutex
	closed    bool
	listeners []net.Listener
	silent    map[net.Conn]struct{} // https: they have asked for nothing so far
}

// NewServer makes a server for site, which stays the caller's to close.
func NewServer(site *Site, log *zap.Logger) *Server {
	if log == nil {
		log = zap.NewNop()
	}
	s := &Server{silent: make(map[net.Conn]struct{})}
	s.plain = newPlain(s, log)
	s.site.Store(site)
	errorLog, _ := zap.NewStdLogAt(log, zap.DebugLevel) // fails for unknown levels only
	s.tls = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReceiveBufferPerConnection: maxReceive,
			MaxReceiveBufferPerStream:     maxReceive,
			SendPingTimeout:               writeTimeout / 2, // finds who is gone without a word
			PingTimeout:                   writeTimeout / 3,
			WriteByteTimeout:              writeTimeout,
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
		if site == s.site.Load() { // closed and not replaced: the server is going down
			http.Error(w, "closed", http.StatusServiceUnavailable)
			return
		}
	}
}

// Serve answers on a plain listener, which it closes, until Shutdown or Close.
// The error is nil then.
func (s *Server) Serve(l net.Listener) error {
	return clean(s.plain.serve(s.listen(l)))
}

// ServeTLS is Serve with TLS and HTTP/2; every Site must have a certificate.
func (s *Server) ServeTLS(l net.Listener) error {
	return clean(s.tls.ServeTLS(s.listen(l), "", ""))
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

// connState notes which connections net/http would wait for although they have
// asked for nothing.
func (s *Server) connState(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == http.StateNew {
		s.silent[c] = struct{}{}
	} else {
		delete(s.silent, c)
	}
}

func clean(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Shutdown stops accepting, lets requests under way end, and closes the rest
// when ctx is over; then the error is ctx's. The listeners are closed last: until
// then who comes waits.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	for c := range s.silent {
		_ = c.Close()
	}
	s.closed = true
	listeners := s.listeners
	s.mu.Unlock()
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
		done <- err
	}()
	return errors.Join(s.plain.shutdown(ctx), <-done)
}
