package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/listen"
)

// The states of a serverConn.
const (
	connIdle   = iota // waits for a request: may be closed at any time
	connActive        // answers one
	connClosed        // closed by Shutdown
)

// serverConn is one connection. Fields other than state belong to its goroutine.
type serverConn struct {
	*Conn
	srv   *Server
	state atomic.Int32
	in    *input // nil while a request without a body is answered
	addr  string
}

// An input is what a connection reads requests with. Thousands of connections may wait for
// an answer, so those have none.
type input struct {
	br   *bufio.Reader
	head []byte // scratch: of a request
}

var inputs = sync.Pool{New: func() any { return &input{br: bufio.NewReaderSize(nil, 2<<10)} }}

// release gives the input back if there is nothing in it.
func (c *serverConn) release() {
	if c.in == nil || c.in.br.Buffered() > 0 {
		return
	}
	c.in.br.Reset(nil)
	inputs.Put(c.in)
	c.in = nil
}

// run answers the requests of a connection.
func (c *serverConn) run() {
	defer c.srv.forget(c)
	defer func() { _ = c.Close() }()
	c.addr = c.RemoteAddr().String() // may wait for a PROXY header
	w := &ResponseWriter{c: c.Conn, date: &c.srv.date, header: make(http.Header, 12)}
	ctx := c.srv.ctx
	if c.srv.connContext != nil {
		ctx = c.srv.connContext(ctx, c.Conn)
	}
	for wait := HeaderTimeout; ; wait = IdleTimeout {
		r, err := c.next(ctx, wait)
		if err != nil {
			c.refuse(err)
			c.release()
			return
		}
		if r.Body == http.NoBody {
			c.release()
		}
		w.br = nil
		if c.in != nil {
			w.br = c.in.br
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

// next waits for a request and reads its head, which may take HeaderTimeout
// from its first byte on.
func (c *serverConn) next(ctx context.Context, wait time.Duration) (*http.Request, error) {
	if c.in == nil {
		c.in = inputs.Get().(*input)
		c.in.br.Reset(c.Conn)
	}
	br := c.in.br
	_ = c.SetReadDeadline(time.Now().Add(wait))
	if _, err := br.Peek(1); err != nil {
		return nil, err
	}
	if b, _ := br.Peek(br.Buffered()); !bytes.Contains(b, []byte("\r\n\r\n")) {
		_ = c.SetReadDeadline(time.Now().Add(HeaderTimeout))
	}
	var err error
	if c.in.head, err = readHead(br, c.in.head); err != nil {
		return nil, err
	}
	if !c.state.CompareAndSwap(connIdle, connActive) {
		return nil, errShutdown
	}
	r, err := parseRequest(ctx, c.in.head, br)
	if err != nil {
		return nil, err
	}
	r.RemoteAddr = c.addr
	if cap(c.in.head) > 4<<10 {
		c.in.head = nil
	}
	return r, nil
}

// answer runs the handler and reports whether another request may follow.
func (c *serverConn) answer(w *ResponseWriter, r *http.Request) (again bool) {
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
		_ = c.SetReadDeadline(time.Now().Add(BodyTimeout))
	}
	defer func() {
		if v := recover(); v != nil {
			again = false // the answer is incomplete: the client sees a closed connection
			if v != http.ErrAbortHandler {
				c.srv.log.Error("request handler panicked", zap.Any("reason", v), zap.ByteString("stack", debug.Stack()))
			}
		}
	}()
	c.srv.handler.ServeHTTP(w, r)
	return w.finish()
}

// refuse answers a request that can't be parsed.
func (c *serverConn) refuse(err error) {
	var bad *requestError
	if !errors.As(err, &bad) {
		return
	}
	c.srv.log.Debug("bad request", zap.String("remote", c.addr), zap.String("reason", bad.text))
	_, err = io.WriteString(c.Conn, fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s\n",
		bad.status, http.StatusText(bad.status), len(bad.text)+1, bad.text))
	if err == nil {
		c.linger()
	}
}

// linger gives the client time to read the answer.
func (c *serverConn) linger() {
	c.state.Store(connIdle) // a stop does not wait for it
	if !c.srv.closing.Load() {
		listen.Linger(c.Conn, lingerTimeout, lingerBytes)
	}
}
