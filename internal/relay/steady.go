package relay

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// A steadyConn fails a Write that makes no progress for patience. One that is slow
// goes on. TLS is on top of it: a TLS connection can't go on after a deadline.
type steadyConn struct {
	net.Conn
	patience time.Duration

	mu    sync.Mutex
	limit time.Time // no write goes on beyond it; zero: none
}

// Write implements net.Conn.
func (c *steadyConn) Write(p []byte) (n int, err error) {
	for {
		if err := c.extend(); err != nil {
			return n, err
		}
		m, err := c.Conn.Write(p[n:])
		n += m
		switch {
		case n == len(p):
			return n, nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return n, err
		case m == 0:
			return n, fmt.Errorf("the connection has taken nothing for %s", c.patience)
		}
	}
}

// extend sets the deadline of the next write.
func (c *steadyConn) extend() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	deadline := time.Now().Add(c.patience)
	if !c.limit.IsZero() && c.limit.Before(deadline) {
		deadline = c.limit
	}
	return c.SetWriteDeadline(deadline)
}

// endBy lets nothing be written after t.
func (c *steadyConn) endBy(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = t
	_ = c.SetWriteDeadline(t)
}

// CloseWrite says that nothing more comes.
func (c *steadyConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
