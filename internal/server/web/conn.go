package web

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"slices"
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

// conn is a connection whose writes must make progress.
type conn struct {
	net.Conn
	proxied bool // a PROXY header said who it is
}

// Write gives the client writeTimeout to make room.
func (c *conn) Write(p []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(writeTimeout))
	return c.Conn.Write(p)
}

// ReadFrom keeps the kernel's ways of copying reachable.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	_ = c.SetWriteDeadline(time.Now().Add(writeTimeout))
	if rf, ok := c.Conn.(io.ReaderFrom); ok {
		return rf.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

type connKey struct{}

// withConn makes the connection known to requests.
func withConn(ctx context.Context, nc net.Conn) context.Context {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	return context.WithValue(ctx, connKey{}, nc)
}

// proxied reports whether a PROXY header said who is asking.
func proxied(ctx context.Context) bool {
	c, ok := ctx.Value(connKey{}).(*conn)
	return ok && c.proxied
}
