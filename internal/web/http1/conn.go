package http1

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// Conn is a connection whose writes must make progress, and that can send files
// without copying them. One goroutine writes at a time.
type Conn struct {
	net.Conn
	raw  syscall.RawConn // of the socket; nil: there is none
	more bool            // the next Write is a head that a file follows
}

// NewConn returns nc as a Conn: itself if it is one. What a Conn sends goes to
// nc's SyscallConn, where it has one.
func NewConn(nc net.Conn) *Conn {
	if c, ok := nc.(*Conn); ok {
		return c
	}
	c := &Conn{Conn: nc}
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			c.raw = raw
		}
	}
	return c
}

// Write gives the client WriteTimeout to make room.
func (c *Conn) Write(p []byte) (n int, err error) {
	_ = c.SetWriteDeadline(time.Now().Add(WriteTimeout))
	if c.more && c.raw != nil {
		if n, err = c.writeMore(p); err != nil || n == len(p) {
			return n, err
		}
	}
	m, err := c.Conn.Write(p[n:])
	return n + m, err
}

// CloseWrite closes the sending side, if the connection has one.
func (c *Conn) CloseWrite() error {
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return errors.ErrUnsupported
}
