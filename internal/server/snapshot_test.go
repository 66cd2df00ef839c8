package server

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
)

// crowd puts streams with fake publishers into an application, and players who
// sit at them in turns; it takes them out again.
func (r *rig) crowd(a *application, streams, players int) []*session {
	var out []*session
	fake := func() *session {
		s := &session{id: uint64(len(out) + 1), srv: r.srv, app: a, started: time.Now()}
		out = append(out, s)
		return s
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	names := make([]string, streams)
	for i := range names {
		names[i] = fmt.Sprintf("stream%04d", i)
		st := newStream(a, names[i])
		st.publisher = fake()
		st.publisher.stream = st
		a.streams[names[i]] = st
	}
	for i := range players {
		name := names[i%streams]
		h := a.houses[name]
		if h == nil {
			h = &house{name: name, opened: time.Now(), players: make(map[*playing]struct{}), from: make(map[netip.Prefix]int), fan: r.srv.hub.NewFan(4096, "copy")}
			a.houses[name] = h
		}
		pl := &playing{session: fake(), name: name, house: h}
		pl.session.playing = pl
		h.players[pl] = struct{}{}
	}
	r.Cleanup(func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, name := range names {
			delete(a.streams, name)
			delete(a.houses, name)
		}
	})
	return out
}

const statApps = `rtmp {
  listen = "127.0.0.1:0"
  application "live" {}
  application "aside" {}
  application "dark" {
    live = false
  }
  application "*" {}
}
http {
  listen = "127.0.0.1:0"
  location "/stat" {
    stat {}
  }
  location "/mine" {
    stat { stylesheet = "/my.xsl" }
  }
}`

// A snapshot that waits for one player must not hold up the others: no lock but
// that player's own is held meanwhile.
func TestASnapshotHoldsNobodyUp(t *testing.T) {
	r := start(t, statApps)
	crowd := r.crowd(r.app("live"), 10, 50)
	slow := crowd[len(crowd)-1]
	slow.mu.Lock()
	taken := make(chan *api.Snapshot)
	go func() { taken <- r.srv.Snapshot() }()
	for i := range 20 { // publishes, plays and media go on in the same application
		c := r.publish("live", fmt.Sprintf("cam%d", i))
		c.seconds(1)
		s := r.spectate("live", fmt.Sprintf("cam%d", i), dialling{})
		s.first()
		select {
		case <-taken:
			t.Fatal("the snapshot has not waited for the player")
		default:
		}
	}
	slow.mu.Unlock()
	snap := <-taken
	if n := len(snap.Servers[0].Applications[0].Streams); n < 10 {
		t.Errorf("%d streams", n)
	}
}

// A reader that takes nothing of the page holds no lock either.
func TestASlowReaderOfStatHoldsNobodyUp(t *testing.T) {
	r := start(t, statApps)
	r.crowd(r.app("live"), 100, 500)
	pr, pw := io.Pipe()
	done := make(chan error)
	go func() { done <- api.WriteXML(pw, r.srv.Snapshot(), "") }()
	if _, err := io.ReadFull(pr, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	c := r.publish("live", "cam")
	c.seconds(1)
	r.spectate("live", "cam", dialling{}).first()
	if n := len(r.srv.Snapshot().Servers[0].Applications[0].Streams); n != 101 {
		t.Errorf("%d streams", n)
	}
	read := make(chan struct{})
	go func() { defer close(read); _, _ = io.Copy(io.Discard, pr) }()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	pw.Close()
	<-read
}

func TestASnapshotShowsWhatThereIs(t *testing.T) {
	r := start(t, statApps)
	cam := r.publish("live", "cam")
	show := func(app, name string) *api.Stream {
		for _, a := range r.srv.Snapshot().Servers[0].Applications {
			for i := range a.Streams {
				if a.Name == app && a.Streams[i].Name == name {
					return &a.Streams[i]
				}
			}
		}
		return nil
	}
	if s := show("live", "cam"); s == nil || !s.Publishing || s.Active || len(s.Clients) != 1 || s.Clients[0].Active {
		t.Errorf("before the first media: %+v", s)
	}
	waiting := r.spectate("wild", "later", dialling{})
	r.eventually("the player waits", func() bool { return show("wild", "later") != nil })
	if s := show("wild", "later"); s.Publishing || s.Active || len(s.Clients) != 1 || s.Clients[0].Active || s.Age < 0 {
		t.Errorf("a name that is waited for: %+v", s)
	}
	waiting.Close()
	cam.seconds(3)
	tv := r.spectate("live", "cam", dialling{})
	tv.first()
	cam.seconds(1)
	r.eventually("the player has it all", func() bool { s := show("live", "cam"); return len(s.Clients) == 2 && s.Clients[0].Timestamp >= 3500 })
	s := show("live", "cam")
	if !s.Active || !s.Clients[0].Active || s.Clients[0].Publishing || !s.Clients[1].Active || !s.Clients[1].Publishing || s.Clients[0].ID < s.Clients[1].ID {
		t.Errorf("while it is live: %+v", s)
	}
	if sync := s.Clients[0].AVSync; sync < -200 || sync > 200 || s.Clients[1].AVSync != sync {
		t.Errorf("audio is %d ms before video", sync)
	}
	sent := s.BytesOut
	if sent == 0 || r.srv.Snapshot().BytesOut < sent {
		t.Errorf("%d bytes of the stream sent, of the server %d", sent, r.srv.Snapshot().BytesOut)
	}
	tv.Close()
	r.eventually("the player is gone", func() bool { return len(show("live", "cam").Clients) == 1 })
	if s := show("live", "cam"); s.BytesOut < sent || r.srv.Snapshot().BytesOut < sent {
		t.Errorf("%d bytes sent while there was a player, then %d of the stream, %d of the server", sent, s.BytesOut, r.srv.Snapshot().BytesOut)
	}
	var names []string
	for _, a := range r.srv.Snapshot().Servers[0].Applications {
		names = append(names, a.Name)
	}
	if got := strings.Join(names, " "); !strings.HasPrefix(got, "live aside dark") {
		t.Errorf("applications in the order %s", got)
	}
}

func TestWhatGoesOutIsMeasured(t *testing.T) {
	r := start(t, statApps)
	r.crowd(r.app("live"), 1, 1)
	h := r.srv.houses()[0]
	var windows map[*house]*rateWindow
	var got []uint64
	for range 13 { // seconds
		windows = r.srv.measureHouses(windows)
		got = append(got, h.bwOut.Load())
		h.fan.BytesOut.Add(1000)
	}
	want := []uint64{0, 8000, 8000, 8000, 8000, 8000, 8000, 8000, 8000, 8000, 8000, 8000, 8000}
	if !slices.Equal(got, want) {
		t.Errorf("%d bits/s, want %d", got, want)
	}
	if s := r.srv.Snapshot(); s.BwOut != 8000 || s.Servers[0].Applications[0].Streams[0].BwOut != 8000 {
		t.Errorf("shown as %d", s.BwOut)
	}
}

func TestStatOverHTTP(t *testing.T) {
	r := start(t, statApps)
	r.publish("live", "Müller+tag").seconds(1)
	get := func(path string) (string, http.Header) {
		res, err := http.Get(r.web() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("%s: %d %v", path, res.StatusCode, err)
		}
		return string(b), res.Header
	}
	for _, c := range []struct{ path, kind, has string }{
		{"/stat", "text/xml", "<name>Müller+tag</name>\r\n"},
		{"/stat?format=html", "text/html; charset=utf-8", "<td>Müller&#43;tag</td>"},
		{"/stat?format=json", "application/json", `"name":"Müller+tag"`},
		{"/mine", "text/xml", `href="/my.xsl"`},
	} {
		if body, h := get(c.path); !strings.Contains(body, c.has) || h.Get("Content-Type") != c.kind {
			t.Errorf("%s as %s has no %s:\n%.400s", c.path, h.Get("Content-Type"), c.has, body)
		}
	}
}

// A whole stat with 1000 streams and 5000 players, all in one application.
func BenchmarkSnapshot(b *testing.B) {
	r := start(b, statApps)
	r.crowd(r.app("live"), 1000, 5000)
	for b.Loop() {
		if err := api.WriteXML(io.Discard, r.srv.Snapshot(), ""); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/stat")
}

// How long publishers of an application wait for a snapshot of it, at most: for
// the names, or for the players of one.
func BenchmarkSnapshotLock(b *testing.B) {
	b.Run("names", func(b *testing.B) {
		r := start(b, statApps)
		a := r.app("live")
		r.crowd(a, 1000, 5000)
		for b.Loop() {
			a.glanceNames()
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "us/lock")
	})
	b.Run("players", func(b *testing.B) {
		r := start(b, statApps)
		a := r.app("live")
		r.crowd(a, 1, 5000)
		h := r.srv.houses()[0]
		for b.Loop() {
			a.glancePlayers(h)
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "us/lock")
	})
}

// Prometheus takes a counter that falls for one that began anew, and what is left
// of it for a burst.
func TestBytesSentNeverFall(t *testing.T) {
	r := start(t, steered)
	cam := r.publish("live", "cam")
	cam.seconds(2)
	r.spectate("live", "cam", dialling{}).first()
	cam.seconds(2)
	a := r.app("live")
	a.mu.Lock()
	h := a.houses["cam"]
	a.mu.Unlock()
	r.eventually("the player has had it all", func() bool { return h.fan.BytesOut.Load() > 10_000 })
	last := r.srv.Snapshot().BytesOut
	a.mu.Lock()
	delete(a.houses, "cam") // as the last player does, between two looks of a snapshot
	a.mu.Unlock()
	if now := r.srv.Snapshot().BytesOut; now < last {
		t.Errorf("%d bytes sent, and then %d", last, now)
	}
	a.mu.Lock()
	a.houses["cam"] = h
	a.mu.Unlock()
	if now := r.srv.Snapshot().BytesOut; now < last {
		t.Errorf("%d bytes sent, and then %d", last, now)
	}
}
