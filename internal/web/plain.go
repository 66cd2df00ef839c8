package web

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// plain speaks HTTP/1.1 without TLS. It exists because it is measured to cost
// half of what net/http does per fragment (BenchmarkViewers): net/http starts a
// goroutine for each request to see whether the client has gone, copies the
// header map, and sends a head and its file in two segments. HTTP/2 and
// everything with TLS is net/http's.
type plain struct {
	handler http.Handler
	log     *zap.Logger
	date    dateLine
	ctx     context.Context // of all requests; ends when connections are cut
	cut     context.CancelFunc

	closing atomic.Bool
	mu      sync.Mutex // guards the rest
	conns   map[*plainConn]struct{}
	lns     map[net.Listener]struct{}
	empty   chan struct{} // closed once closing and conns is empty
}

// The states of a plainConn.
const (
	connIdle   = iota // waits for a request: may be closed at any time
	connActive        // answers one
	connClosed        // closed by shutdown
)

// plainConn is one connection; all but state belongs to its goroutine.
type plainConn struct {
	*conn
	srv   *plain
	state atomic.Int32
	br    *bufio.Reader
	head  []byte
	addr  string
}

func newPlain(h http.Handler, log *zap.Logger) *plain {
	p := &plain{
		handler: h, log: log, empty: make(chan struct{}),
		conns: make(map[*plainConn]struct{}), lns: make(map[net.Listener]struct{}),
	}
	p.ctx, p.cut = context.WithCancel(context.Background())
	return p
}

// serve accepts until the listener fails; http.ErrServerClosed after shutdown.
func (p *plain) serve(l net.Listener) error {
	if !p.track(func() { p.lns[l] = struct{}{} }) {
		_ = l.Close()
		return http.ErrServerClosed
	}
	defer func() {
		_ = l.Close()
		p.mu.Lock()
		delete(p.lns, l)
		p.mu.Unlock()
	}()
	pause := time.Duration(0)
	for {
		nc, err := l.Accept()
		if err != nil {
			if p.closing.Load() {
				return http.ErrServerClosed
			}
			if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) || !temporary(err) {
				return err
			}
			if pause == 0 { // once, until one is accepted
				p.log.Warn("connections not accepted", zap.Error(err))
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			select {
			case <-time.After(pause):
			case <-p.ctx.Done():
			}
			continue
		}
		pause = 0
		c := &plainConn{conn: nc.(*conn), srv: p}
		if !p.track(func() { p.conns[c] = struct{}{} }) {
			_ = nc.Close()
			return http.ErrServerClosed
		}
		go c.run() // shutdown waits for it: conns
	}
}

// temporary: no descriptors left, or a client that gave up before it was accepted.
func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// track runs f with the lock held, unless the server is closing.
func (p *plain) track(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing.Load() {
		return false
	}
	f()
	return true
}

func (p *plain) forget(c *plainConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	if p.closing.Load() && len(p.conns) == 0 {
		p.close()
	}
}

// close marks the server as empty; mu is held.
func (p *plain) close() {
	select {
	case <-p.empty:
	default:
		close(p.empty)
	}
}

// shutdown closes listeners and idle connections, waits for the others, and
// closes those too when ctx ends.
func (p *plain) shutdown(ctx context.Context) error {
	p.mu.Lock()
	p.closing.Store(true)
	for l := range p.lns {
		_ = l.Close()
	}
	for c := range p.conns {
		if c.state.CompareAndSwap(connIdle, connClosed) {
			_ = c.Close()
		}
	}
	if len(p.conns) == 0 {
		p.close()
	}
	p.mu.Unlock()
	select {
	case <-p.empty:
		p.cut()
		return nil
	case <-ctx.Done():
	}
	p.cut()
	p.mu.Lock()
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	<-p.empty
	return ctx.Err()
}

// run answers the requests of a connection.
func (c *plainConn) run() {
	defer c.srv.forget(c)
	defer func() { _ = c.Close() }()
	c.addr = c.RemoteAddr().String() // reads the PROXY header, if there must be one
	c.br = bufio.NewReaderSize(c.conn, 4<<10)
	w := &writer{c: c.conn, br: c.br, date: &c.srv.date, header: make(http.Header, 12)}
	ctx := withConn(c.srv.ctx, c.conn)
	for wait := headerTimeout; ; wait = idleTimeout {
		r, err := c.next(ctx, wait)
		if err != nil {
			c.refuse(err)
			return
		}
		again := c.answer(w, r)
		if w.hijacked {
			return
		}
		if !again {
			if r.Body != http.NoBody {
				c.linger()
			}
			return
		}
		c.state.Store(connIdle)
		if c.srv.closing.Load() {
			return
		}
	}
}

var errShutdown = errors.New("shutting down")

// next waits for a request and reads its head, which may take headerTimeout
// from its first byte on.
func (c *plainConn) next(ctx context.Context, wait time.Duration) (*http.Request, error) {
	_ = c.SetReadDeadline(time.Now().Add(wait))
	if _, err := c.br.Peek(1); err != nil {
		return nil, err
	}
	if b, _ := c.br.Peek(c.br.Buffered()); !bytes.Contains(b, []byte("\r\n\r\n")) {
		_ = c.SetReadDeadline(time.Now().Add(headerTimeout))
	}
	var err error
	if c.head, err = readHead(c.br, c.head); err != nil {
		return nil, err
	}
	if !c.state.CompareAndSwap(connIdle, connActive) {
		return nil, errShutdown
	}
	r, err := parseRequest(ctx, c.head, c.br)
	if err != nil {
		return nil, err
	}
	r.RemoteAddr = c.addr
	if cap(c.head) > 4<<10 {
		c.head = nil
	}
	return r, nil
}

// answer runs the handler and reports whether another request may follow.
func (c *plainConn) answer(w *writer, r *http.Request) (again bool) {
	w.reset(r)
	if v := r.Header.Get("Expect"); v != "" && r.ProtoMinor > 0 {
		if !strings.EqualFold(v, "100-continue") {
			w.closing = true
			http.Error(w, "expectation failed", http.StatusExpectationFailed)
			w.finish()
			return false
		}
		if b, ok := r.Body.(*requestBody); ok {
			b.proceed = func() {
				if w.status == 0 {
					w.raw([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
				}
			}
		}
	}
	if r.Body != http.NoBody {
		_ = c.SetReadDeadline(time.Now().Add(bodyTimeout))
	}
	defer func() {
		if v := recover(); v != nil {
			again = false // what was promised can't be kept: the client sees a cut
			if v != http.ErrAbortHandler {
				c.srv.log.Error("request handler panicked", zap.Any("reason", v), zap.ByteString("stack", debug.Stack()))
			}
		}
	}()
	c.srv.handler.ServeHTTP(w, r)
	return w.finish()
}

// refuse answers what is no request, where the client can be expected to listen.
func (c *plainConn) refuse(err error) {
	var bad *requestError
	if !errors.As(err, &bad) {
		return
	}
	c.srv.log.Debug("bad request", zap.String("remote", c.addr), zap.String("reason", bad.text))
	_, err = io.WriteString(c.conn, fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s\n",
		bad.status, http.StatusText(bad.status), len(bad.text)+1, bad.text))
	if err == nil {
		c.linger()
	}
}

// linger reads what the client still sends, for a moment: closing at once would
// make its kernel throw away the answer (RFC 9112 §9.6).
func (c *plainConn) linger() {
	c.state.Store(connIdle) // a stop does not wait for it
	if c.srv.closing.Load() {
		return
	}
	type closeWriter interface{ CloseWrite() error }
	if cw, ok := c.Conn.(closeWriter); !ok || cw.CloseWrite() != nil {
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(lingerTimeout))
	_, _ = io.CopyN(io.Discard, c.conn, lingerBytes)
}

// watched is a context that ends with the request or when its client goes away,
// for handlers that wait for something. stop must be called before the handler
// returns.
func (c *conn) watched(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c.gone() {
			cancel()
		}
	}()
	return ctx, func() {
		cancel()
		_ = c.SetReadDeadline(time.Unix(1, 0)) // gone returns
		<-done
		_ = c.SetReadDeadline(time.Time{})
	}
}
