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

	mu       sync.Mutex
	deadline time.Time // of writes, that is set
	limit    time.Time // no write goes on beyond it; zero: none
}

// Write implements net.Conn.
func (c *steadyConn) Write(p []byte) (n int, err error) {
	for {
		if err := c.extend(); err != nil {
			return n, err
		}
		m, err := c.Conn.Write(p[n:])
		n += m
		if n == len(p) {
			return n, nil
		}
		if err := c.stuck(int64(m), err); err != nil {
			return n, err
		}
	}
}

// WriteBuffers is Write for scattered memory.
func (c *steadyConn) WriteBuffers(v *net.Buffers) (n int64, err error) {
	for {
		if err := c.extend(); err != nil {
			return n, err
		}
		m, err := v.WriteTo(c.Conn)
		n += m
		if len(*v) == 0 {
			return n, nil
		}
		if err := c.stuck(m, err); err != nil {
			return n, err
		}
	}
}

// stuck says why a write that failed after n bytes is not gone on with; nil: it is
// slow.
func (c *steadyConn) stuck(n int64, err error) error {
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return err
	case n == 0:
		return fmt.Errorf("the connection has taken nothing for %s", c.patience)
	}
	return nil
}

// extend sets the deadline of the next write, unless the one that is set leaves it
// patience: setting it at each write would cost a good part of what the write does.
func (c *steadyConn) extend() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.limit.IsZero() && c.deadline.Sub(now) >= c.patience {
		return nil
	}
	c.deadline = now.Add(c.patience + c.patience/2)
	if !c.limit.IsZero() && c.limit.Before(c.deadline) {
		c.deadline = c.limit
	}
	return c.Conn.SetWriteDeadline(c.deadline)
}

// SetDeadline implements net.Conn.
func (c *steadyConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = time.Time{} // the next write sets it
	return c.Conn.SetDeadline(t)
}

// endBy lets nothing be written after t.
func (c *steadyConn) endBy(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit, c.deadline = t, t
	_ = c.Conn.SetWriteDeadline(t)
}

// CloseWrite says that nothing more comes.
func (c *steadyConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
