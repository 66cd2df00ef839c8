package web

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/fdlimit"
	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/web/http1"
)

// listener wraps accepted connections.
type listener struct {
	net.Listener
	server *Server
}

// Close ends accepting. Server.Shutdown closes the socket.
func (l *listener) Close() error {
	if d, ok := l.Listener.(interface{ SetDeadline(time.Time) error }); ok {
		return d.SetDeadline(time.Unix(1, 0))
	}
	return l.Listener.Close()
}

// Accept returns an *http1.Conn that holds a *conn.
func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if fdlimit.ShortOf(nc) {
		_ = nc.Close()
		return nil, fdlimit.Error{}
	}
	c := &conn{Conn: nc, server: l.server, traffic: l.server.site.Load().traffic}
	c.traffic.conns.Add(1)
	c.rtmp = func() {
		site, at := l.server.site.Load(), nc.LocalAddr()
		if site.warned.first("RTMP " + at.String()) {
			site.log.Warn("this looks like RTMP, which has a port of its own: closed", zap.Stringer("listener", at), zap.Stringer("remote", c.RemoteAddr()))
		}
	}
	if ap, err := netip.ParseAddrPort(nc.RemoteAddr().String()); err == nil {
		peer := ap.Addr().Unmap().WithZone("")
		must := func(p netip.Prefix) bool { return p.Contains(peer) }
		site := l.server.site.Load()
		if slices.ContainsFunc(site.proxyProtocol, must) {
			c.proxied = true
			// It is read with the first byte asked for, by the connection's own goroutine.
			c.header = sync.OnceValues(func() (netip.AddrPort, error) {
				source, err := listen.ReadPROXYHeader(nc, time.Now().Add(http1.HeaderTimeout))
				if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && site.warned.first("PROXY "+peer.String()) {
					site.log.Warn("connections without a good PROXY header are closed", zap.Stringer("remote", peer), zap.Error(err))
				}
				return source, err
			})
		}
	}
	return http1.NewConn(c), nil
}

// conn is an accepted connection. It reads the PROXY header, counts bytes, and
// recognises an encoder that uses the wrong port.
type conn struct {
	net.Conn
	server  *Server
	proxied bool   // its address comes from a PROXY header
	begun   bool   // something was read
	rtmp    func() // reports that RTMP is spoken here

	traffic *Traffic // counts the connection
	closed  atomic.Bool
	moved   atomic.Int64 // HTTP/2: when the client last took a part of an answer, Unix ns

	header func() (source netip.AddrPort, err error) // reads the PROXY header, once; nil: none is expected
}

// Read reads the bytes behind the PROXY header, if one is expected.
func (c *conn) Read(p []byte) (int, error) {
	if c.header != nil {
		if _, err := c.header(); err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.traffic.received.Add(uint64(n))
	}
	if !c.begun && n > 0 {
		c.begun = true
		if p[0] == rtmpVersion { // and neither HTTP nor TLS: both ends would wait for the other
			c.rtmp()
			return 0, io.EOF
		}
	}
	return n, err
}

const rtmpVersion = 3 // RTMP 1.0 §5.2.2: C0, an encoder's first byte

// RemoteAddr returns the client's address from the PROXY header, which it waits for;
// without one the peer's.
func (c *conn) RemoteAddr() net.Addr {
	if c.header != nil {
		if source, err := c.header(); err == nil && source.IsValid() {
			return net.TCPAddrFromAddrPort(source)
		}
	}
	return c.Conn.RemoteAddr()
}

// Close closes the connection. It may be called more than once.
func (c *conn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.traffic.conns.Add(-1)
	}
	return c.Conn.Close()
}

// SyscallConn returns the socket: answers are written to it directly.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// CloseWrite closes the sending side.
func (c *conn) CloseWrite() error {
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return errors.ErrUnsupported
}

type connKey struct{}

// withConn puts the connection into the context of its requests.
func withConn(ctx context.Context, nc net.Conn) context.Context {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	if h, ok := nc.(*http1.Conn); ok {
		nc = h.Conn
	}
	return context.WithValue(ctx, connKey{}, nc)
}

// connOf returns the connection of a request; nil without a Server.
func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}
