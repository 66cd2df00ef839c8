package rtmpserver

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// Accept makes a session of a connection that a listener accepted, unless the
// limits turn it away. secure is what an rtmps listener speaks with; nil: RTMP.
func (b *Block) Accept(nc net.Conn, secure *tls.Config) {
	cfg, s := b.Config(), b.server
	peer, tcp := nc.RemoteAddr().(*net.TCPAddr)
	if err := b.gate.Enter(cfg.MaxConnections); err != nil {
		b.gate.Complain(s.Log, nc.RemoteAddr().String(), err, time.Now())
		nc.Close()
		return
	}
	sess := &session{
		srv: s, block: b, raw: nc, nc: nc,
		addr: netip.AddrFrom4([4]byte{127, 0, 0, 1}), // who comes through a unix socket is here
		peer: nc.RemoteAddr().String(), started: time.Now(),
	}
	if tcp {
		sess.addr = peer.AddrPort().Addr().Unmap().WithZone("")
		sess.proxied = slices.ContainsFunc(cfg.ProxyProtocol, func(p netip.Prefix) bool { return p.Contains(sess.addr) })
		listen.SetUserTimeout(nc, cfg.Timeout)
	}
	if tcp && !sess.proxied {
		if err := sess.countAddress(); err != nil {
			b.gate.Leave(netip.Addr{})
			nc.Close()
			return
		}
	}
	if secure != nil {
		sess.nc = tls.Server(&begin{Conn: nc}, secure)
	}
	s.startSession(sess)
}

// begin is a connection of which a reset before the first byte is its end: health
// checks close so.
type begin struct {
	net.Conn
	begun bool
}

func (b *begin) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if !b.begun && n == 0 && errors.Is(err, syscall.ECONNRESET) {
		err = io.EOF
	}
	b.begun = b.begun || n > 0
	return n, err
}

// errTurnedAway ends a session that a limit does not let in. It has been logged.
var errTurnedAway = errors.New("turned away")

// countAddress holds the session's address against max_connections_per_ip.
func (s *session) countAddress() error {
	if err := s.block.gate.EnterFrom(s.addr, s.block.Config().MaxConnectionsPerIP); err != nil {
		s.block.gate.Complain(s.srv.Log, s.peer, err, time.Now())
		return errTurnedAway
	}
	s.counted = s.addr
	return nil
}

// open is what comes before RTMP: the PROXY header, then the TLS handshake. Both
// take their time from the RTMP handshake's.
func (s *session) open(o *rtmp.Options) error {
	deadline := s.started.Add(o.HandshakeTimeout)
	if s.proxied {
		from, err := listen.ReadPROXYHeader(s.raw, deadline)
		if err != nil {
			return err
		}
		if from.IsValid() {
			s.addr, s.peer = from.Addr(), from.String()
			s.log = s.srv.Log.With(zap.Uint64("conn", s.id), zap.String("remote", s.peer))
			if err := s.countAddress(); err != nil {
				return err
			}
		}
	}
	if tc, ok := s.nc.(*tls.Conn); ok {
		if err := tc.SetDeadline(deadline); err != nil {
			return err
		}
		if err := tc.Handshake(); err != nil {
			return tlsError(err)
		}
	}
	o.HandshakeTimeout = max(time.Until(deadline), time.Millisecond)
	return nil
}

func tlsError(err error) error {
	var record tls.RecordHeaderError
	if errors.As(err, &record) && record.RecordHeader[0] == 3 {
		return errors.New("not TLS: this looks like RTMP (rtmp:// sent to an rtmps port)")
	}
	return fmt.Errorf("TLS: %w", err)
}
