package origin

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestGuessLimit(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	a := netip.MustParseAddr
	miss := func(g *guessLimit, n int, addr netip.Addr, at time.Time) {
		for range n {
			g.miss(addr, at)
		}
	}
	for _, c := range []struct {
		name string
		do   func(g *guessLimit)
		addr string
		at   time.Duration
		want bool
	}{
		{"nothing wrong", func(*guessLimit) {}, "192.0.2.1", 0, false},
		{"nine", func(g *guessLimit) { miss(g, 9, a("192.0.2.1"), start) }, "192.0.2.1", 0, false},
		{"ten", func(g *guessLimit) { miss(g, 10, a("192.0.2.1"), start) }, "192.0.2.1", 0, true},
		{"ten, for almost a minute", func(g *guessLimit) { miss(g, 10, a("192.0.2.1"), start) }, "192.0.2.1", time.Minute - 1, true},
		{"ten, a minute later", func(g *guessLimit) { miss(g, 10, a("192.0.2.1"), start) }, "192.0.2.1", time.Minute, false},
		{"ten of somebody else", func(g *guessLimit) { miss(g, 10, a("192.0.2.1"), start) }, "192.0.2.2", 0, false},
		{"nine, and one more than a minute later", func(g *guessLimit) {
			miss(g, 9, a("192.0.2.1"), start)
			miss(g, 1, a("192.0.2.1"), start.Add(61*time.Second))
		}, "192.0.2.1", 61 * time.Second, false},
		{"ten again after the minute", func(g *guessLimit) {
			miss(g, 10, a("192.0.2.1"), start)
			miss(g, 10, a("192.0.2.1"), start.Add(time.Minute))
		}, "192.0.2.1", 61 * time.Second, true},
		{"ten of one IPv6 network", func(g *guessLimit) {
			for i := range 10 {
				miss(g, 1, a(fmt.Sprintf("2001:db8:0:1::%x", i+1)), start)
			}
		}, "2001:db8:0:1:ffff::9", 0, true},
		{"ten of the network beside", func(g *guessLimit) { miss(g, 10, a("2001:db8:0:1::1"), start) }, "2001:db8:0:2::1", 0, false},
		{"ten of an IPv4-mapped address", func(g *guessLimit) { miss(g, 10, a("::ffff:192.0.2.1"), start) }, "192.0.2.1", 0, true},
		{"ten, with a zone", func(g *guessLimit) { miss(g, 10, a("fe80::1%eth0"), start) }, "fe80::2%eth1", 0, true},
	} {
		var g guessLimit
		c.do(&g)
		if got := g.refused(a(c.addr), start.Add(c.at)); got != c.want {
			t.Errorf("%s: refused %t, want %t", c.name, got, c.want)
		}
	}
}

func TestGuessLimitKeepsABoundedTable(t *testing.T) {
	t.Parallel()
	var g guessLimit
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range maxGuessingAddrs + 3000 {
		g.miss(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	if len(g.wrong) > maxGuessingAddrs {
		t.Errorf("%d addresses kept, want at most %d", len(g.wrong), maxGuessingAddrs)
	}
	last := netip.MustParseAddr("192.0.2.1")
	for range maxGuesses {
		g.miss(last, now)
	}
	if !g.refused(last, now) {
		t.Error("an address is not counted while the table is full")
	}
}

func TestProofsAreKeptInABoundedTable(t *testing.T) {
	t.Parallel()
	var g guessLimit
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	key := idOf("good-secret-0001")
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }
	for i := range maxGuessingAddrs + 3000 {
		g.hit(addr(i), key)
	}
	if len(g.right) > maxGuessingAddrs {
		t.Errorf("%d proofs kept, want at most %d", len(g.right), maxGuessingAddrs)
	}
	last := netip.MustParseAddr("192.0.2.1")
	g.hit(last, key)
	for range maxGuesses {
		g.miss(last, now)
	}
	for _, c := range []struct {
		name string
		p    presented
		from netip.Addr
		want bool
	}{
		{"the key, typed", presented{typed: key}, last, true},
		{"the key, as an argument", presented{arg: key}, last, true},
		{"another key", presented{typed: idOf("good-secret-0002")}, last, false},
		{"none", presented{}, last, false},
		{"from elsewhere", presented{typed: key}, netip.MustParseAddr("192.0.2.2"), true}, // is not refused
	} {
		if got := g.admits(c.from, c.p, now); got != c.want {
			t.Errorf("%s: let in %t, want %t", c.name, got, c.want)
		}
	}
}
