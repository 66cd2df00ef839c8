package listen

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestTheGateCountsByAddress(t *testing.T) {
	t.Parallel()
	var g Gate
	a, b := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::ffff:1")
	other, four := netip.MustParseAddr("2001:db8:0:1::1"), netip.MustParseAddr("192.0.2.1")
	for _, s := range []struct {
		addr netip.Addr
		in   bool
	}{{a, true}, {b, true}, {a, false}, {other, true}, {four, true}, {four, true}, {four, false}} {
		err := g.Enter(0)
		if err == nil {
			if err = g.EnterFrom(s.addr, 2); err != nil {
				g.Leave(netip.Addr{})
			}
		}
		if (err == nil) != s.in {
			t.Errorf("%s: %v", s.addr, err)
		}
	}
	for _, addr := range []netip.Addr{a, b, other, four, four} {
		g.Leave(addr)
	}
	if g.total != 0 || len(g.from) != 0 {
		t.Errorf("%d connections are left, of %v", g.total, g.from)
	}
}

func TestOneLineForABurstOfRefusals(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zapcore.WarnLevel)
	var g Gate
	now := time.Unix(1e9, 0)
	for i := range 1000 {
		g.Complain(zap.New(core), "192.0.2.1:1", errors.New("max_connections = 1 reached"), now.Add(time.Duration(i)*25*time.Millisecond))
	}
	var counts []int64
	for _, e := range logs.All() {
		counts = append(counts, e.ContextMap()["count"].(int64))
	}
	if !slices.Equal(counts, []int64{1, 400, 400}) { // 25 s, a line every ten
		t.Errorf("lines with counts %v", counts)
	}
}

// emptyListener has no descriptors left for a while.
type emptyListener struct {
	net.Listener
	failures int
	accepted []time.Time
}

func (l *emptyListener) Accept() (net.Conn, error) {
	switch {
	case l.failures > 0:
		l.failures--
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	case len(l.accepted) == 3:
		return nil, net.ErrClosed
	}
	l.accepted = append(l.accepted, time.Now())
	ours, theirs := net.Pipe()
	theirs.Close()
	return ours, nil
}

func (l *emptyListener) Addr() net.Addr { return &net.TCPAddr{} }

func TestAcceptingGoesOnWhenThereAreDescriptorsAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.DebugLevel)
		from := time.Now()
		l := &emptyListener{failures: 12}
		served := 0
		AcceptLoop(l, zap.New(core), func(nc net.Conn) { served++; nc.Close() })
		// 5 10 20 40 80 160 320 640 ms, then a second each.
		if waited := l.accepted[0].Sub(from); waited != 1275*time.Millisecond+4*time.Second {
			t.Errorf("it waited %s", waited)
		}
		if served != 3 || l.accepted[2] != l.accepted[0] {
			t.Errorf("%d served, the last after %s", served, l.accepted[2].Sub(l.accepted[0]))
		}
		if n := logs.FilterMessage("connections are not accepted").Len(); n != 1 {
			t.Errorf("%d lines about 12 failures", n)
		}
	})
}
