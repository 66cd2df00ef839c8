package http1

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/listen"
)

const (
	// HeaderTimeout is for a whole request head. A client that sends it byte by
	// byte can't hold a connection for longer.
	HeaderTimeout = 10 * time.Second
	// IdleTimeout outlasts the pause between two fragments of any playlist.
	IdleTimeout = 75 * time.Second
	// WriteTimeout is how long a client may receive nothing. There is no limit
	// for a whole answer: recordings are long and phones are slow.
	WriteTimeout = 45 * time.Second
	// BodyTimeout is for a whole request body.
	BodyTimeout = 10 * time.Second
	// lingerTimeout and lingerBytes bound how much of an unread body is discarded
	// before the connection is closed.
	lingerTimeout = time.Second
	lingerBytes   = 256 << 10
	// MaxHeader is for a whole request head.
	MaxHeader = 16 << 10
)

// A Server answers HTTP/1.1 on its listeners.
type Server struct {
	handler     http.Handler
	log         *zap.Logger
	connContext func(context.Context, net.Conn) context.Context
	date        dateLine
	ctx         context.Context // of all requests; ends when connections are cut
	cut         context.CancelFunc

	closing atomic.Bool
	mu      sync.Mutex // guards the rest
	conns   map[*serverConn]struct{}
	lns     map[net.Listener]struct{}
	empty   chan struct{} // closed when closing is set and conns is empty
}

// NewServer makes a server for h. connContext makes the context of a connection's
// requests, as that of http.Server does; nil: none but the server's.
func NewServer(h http.Handler, log *zap.Logger, connContext func(context.Context, net.Conn) context.Context) *Server {
	s := &Server{
		handler: h, log: log, connContext: connContext, empty: make(chan struct{}),
		conns: make(map[*serverConn]struct{}), lns: make(map[net.Listener]struct{}),
	}
	s.ctx, s.cut = context.WithCancel(context.Background())
	return s
}

// Serve answers on l, which it closes, until Shutdown.
func (s *Server) Serve(l net.Listener) {
	defer func() { _ = l.Close() }()
	if !s.track(func() { s.lns[l] = struct{}{} }) {
		return
	}
	listen.AcceptLoop(l, s.log, func(nc net.Conn) {
		c := &serverConn{Conn: NewConn(nc), srv: s}
		if !s.track(func() { s.conns[c] = struct{}{} }) {
			_ = nc.Close()
			return
		}
		go c.run() // Shutdown waits for it: conns
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.lns, l)
}

// track runs f with the lock held, unless the server is closing.
func (s *Server) track(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	f()
	return true
}

func (s *Server) forget(c *serverConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.closing.Load() && len(s.conns) == 0 {
		s.close()
	}
}

// close marks the server as empty; mu is held.
func (s *Server) close() {
	select {
	case <-s.empty:
	default:
		close(s.empty)
	}
}

// Shutdown closes listeners and idle connections, waits for the others, and
// closes those too when ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing.Store(true)
	for l := range s.lns {
		_ = l.Close()
	}
	for c := range s.conns {
		if c.state.CompareAndSwap(connIdle, connClosed) {
			_ = c.Close()
		}
	}
	if len(s.conns) == 0 {
		s.close()
	}
	s.mu.Unlock()
	select {
	case <-s.empty:
		s.cut()
		return nil
	case <-ctx.Done():
	}
	s.cut()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	<-s.empty
	return ctx.Err()
}
