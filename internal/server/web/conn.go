package web

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"
)

// listener wraps what is accepted.
type listener struct {
	net.Listener
	server *Server
}

// Accept returns a *conn.
func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: nc}
	if sc, ok := nc.(syscall.Conn); ok {
		c.raw, _ = sc.SyscallConn()
	}
	if ap, err := netip.ParseAddrPort(nc.RemoteAddr().String()); err == nil {
		peer := ap.Addr().Unmap().WithZone("")
		must := func(p netip.Prefix) bool { return p.Contains(peer) }
		if slices.ContainsFunc(l.server.site.Load().proxyProtocol, must) {
			// The header is read with the first byte asked for, by the connection's own goroutine.
			c.Conn = proxyproto.NewConn(nc, proxyproto.WithPolicy(proxyproto.REQUIRE), proxyproto.SetReadHeaderTimeout(headerTimeout))
			c.proxied = true
		}
	}
	return c, nil
}

// conn is a connection whose writes must make progress, and that can send files
// without copying them. One goroutine writes at a time.
type conn struct {
	net.Conn
	raw     syscall.RawConn // of the socket; nil: there is none
	proxied bool            // a PROXY header said who it is
	more    bool            // the next Write is a head that a file follows
}

// Write gives the client writeTimeout to make room.
func (c *conn) Write(p []byte) (n int, err error) {
	_ = c.SetWriteDeadline(time.Now().Add(writeTimeout))
	if c.more && c.raw != nil {
		if n, err = c.writeMore(p); err != nil || n == len(p) {
			return n, err
		}
	}
	m, err := c.Conn.Write(p[n:])
	return n + m, err
}

type connKey struct{}

// withConn makes the connection known to requests.
func withConn(ctx context.Context, nc net.Conn) context.Context {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	return context.WithValue(ctx, connKey{}, nc)
}

// connOf is the connection of a request; nil without a Server.
func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}
