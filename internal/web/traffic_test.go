package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

func TestTopPathsKeepTheBusyOnesAmongStrangers(t *testing.T) {
	t.Parallel()
	var p topPaths
	now := time.Unix(1_800_000_000, 0)
	// A path in ten is the playlist; all others are asked for once.
	for i := range 50_000 {
		path := fmt.Sprintf("/scan/%d", i)
		if i%10 == 0 {
			path = "/live/test.m3u8"
		}
		p.add(path, 100, now)
	}
	top := p.list(now)
	if len(p.entries) > maxPaths || len(top) > maxPaths {
		t.Fatalf("%d paths are kept, %d listed, at most %d are allowed", len(p.entries), len(top), maxPaths)
	}
	if top[0].Path != "/live/test.m3u8" || top[0].Requests > 5000 || top[0].Requests < 4500 || top[0].Bytes != top[0].Requests*100 {
		t.Errorf("the busiest: got %+v, want at most 5000 requests of the playlist, and hardly less", top[0])
	}
	if top[1].Requests != 1 {
		t.Errorf("a path that was asked for once: %+v", top[1])
	}
}

func TestTopPathsForgetAfterAMinute(t *testing.T) {
	t.Parallel()
	var p topPaths
	now := time.Unix(1_800_000_000, 0)
	at := func(d time.Duration) uint64 {
		for _, c := range p.list(now.Add(d)) {
			if c.Path == "/a" {
				return c.Requests
			}
		}
		return 0
	}
	for range 100 {
		p.add("/a", 1, now)
	}
	for _, c := range []struct {
		after time.Duration
		want  uint64
	}{{0, 100}, {59 * time.Second, 100}, {60 * time.Second, 100}, {90 * time.Second, 50}, {2 * time.Minute, 0}} {
		if got := at(c.after); got != c.want {
			t.Errorf("after %s: got %d requests, want %d", c.after, got, c.want)
		}
	}
	if len(p.entries) != 0 {
		t.Errorf("%d entries are left", len(p.entries))
	}
	p.add("/a", 1, now)
	if got := at(time.Hour); got != 0 {
		t.Errorf("an hour later: %d requests", got)
	}
}

func TestLongPathsAreCut(t *testing.T) {
	t.Parallel()
	var p topPaths
	now := time.Now()
	p.add("/"+strings.Repeat("x", 10_000), 0, now)
	if got := p.list(now)[0].Path; len(got) != maxPath {
		t.Errorf("%d bytes of a path are kept, want %d", len(got), maxPath)
	}
}

func TestAKnownPathCostsNoAllocation(t *testing.T) {
	var p topPaths
	now := time.Now()
	p.add("/live/test.m3u8", 0, now)
	if n := testing.AllocsPerRun(100, func() { p.add("/live/test.m3u8", 1, now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTopPaths(b *testing.B) {
	now := time.Now()
	b.Run("known", func(b *testing.B) {
		var p topPaths
		for b.Loop() {
			p.add("/live/test.m3u8", 1, now)
		}
	})
	b.Run("strangers", func(b *testing.B) {
		var p topPaths
		paths := make([]string, 4*maxPaths)
		for i := range paths {
			paths[i] = fmt.Sprintf("/scan/%d", i)
		}
		for i := 0; b.Loop(); i++ {
			p.add(paths[i%len(paths)], 1, now)
		}
	})
}

func TestTrafficIsCounted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "live/a.ts", "12345678")
	traffic := &Traffic{}
	now := time.Unix(1_800_000_000, 0)
	deps := Deps{Traffic: traffic, Now: func() time.Time { return now }}
	cfg := locations(config.Location{Path: "/live", Root: value.Path(dir)})
	s := site(t, deps, cfg)
	for _, what := range []string{"GET /live/a.ts?key=geheim", "GET /live/a.ts", "HEAD /live/a.ts", "GET /live/b.ts", "POST /live/a.ts", "GET /"} {
		bodyOf(t, ask(t, s, what))
	}
	s = site(t, deps, cfg) // a reload
	bodyOf(t, ask(t, s, "GET /live/a.ts"))
	f := s.Traffic().Figures(now)
	differs(t, "requests", f.Requests, 7)
	differs(t, "in flight", f.InFlight, 0)
	differs(t, "codes", fmt.Sprint(f.Codes), "[{200 4} {404 2} {405 1}]")
	if f.BytesOut < 24 {
		t.Errorf("%d bytes out, want at least those of three files", f.BytesOut)
	}
	if len(f.Paths) == 0 || f.Paths[0].Path != "/live/a.ts" || f.Paths[0].Requests != 5 {
		t.Errorf("paths: %+v", f.Paths)
	}
	if strings.Contains(fmt.Sprint(f), "geheim") {
		t.Errorf("a query is kept: %+v", f)
	}
}

func TestOpenConnectionsAreCounted(t *testing.T) {
	t.Parallel()
	s := site(t, Deps{}, locations(config.Location{Path: "/health", Health: true}))
	addr, _ := serveSite(t, s)
	c := dial(t, addr)
	waitFor(t, func() bool { return s.Traffic().Figures(time.Now()).Connections == 1 })
	_ = c.Close()
	waitFor(t, func() bool { return s.Traffic().Figures(time.Now()).Connections == 0 })
}

// What a client sends although nobody reads it has used the network all the same.
func TestABodyThatIsThrownAwayIsCountedAsReceived(t *testing.T) {
	t.Parallel()
	s := site(t, Deps{}, locations(config.Location{Path: "/", Health: true}))
	addr, _ := serveSite(t, s)
	request := "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("a", 100_000)
	exchangeBytes(t, addr, request)
	waitFor(t, func() bool { return s.Traffic().Figures(time.Now()).BytesIn == uint64(len(request)) })
}
