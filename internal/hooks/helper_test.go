package hooks

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rtmpd/rtmpd/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// notify returns the defaults of the notify_ attributes.
func notify() *config.Notify {
	return &config.Notify{Method: "post", Timeout: 10 * time.Second, UpdateTimeout: 30 * time.Second, Concurrency: 64}
}

func newTestClient(t testing.TB) (*Client, *Caller, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	c := New(zap.New(core))
	t.Cleanup(func() { c.Close(time.Now()) })
	return c, c.Caller(zap.New(core)), logs
}

// A pipeNet is a network within a synctest bubble: addresses are names of
// servers, which can be down.
type pipeNet struct {
	mu      sync.Mutex
	servers map[string]*pipeListener
	dials   int
}

func (n *pipeNet) dial(_ context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dials++
	l := n.servers[address]
	n.mu.Unlock()
	if l == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: net.UnknownNetworkError("connection refused")}
	}
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// serve answers at address until stop.
func (n *pipeNet) serve(address string, h http.Handler) (stop func()) {
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	srv := &http.Server{Handler: h}
	go func() { _ = srv.Serve(l) }()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.servers == nil {
		n.servers = make(map[string]*pipeListener)
	}
	n.servers[address] = l
	return func() {
		n.mu.Lock()
		delete(n.servers, address)
		n.mu.Unlock()
		_ = srv.Close()
	}
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }
