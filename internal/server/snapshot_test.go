package server

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/origin"
)

// A fake publishes or plays without a protocol.
type fake struct{ id uint64 }

func (f fake) Kick(origin.Reason)                            {}
func (f fake) Redirect(_, _ string)                          {}
func (f fake) Hide(string, bool)                             {}
func (f fake) StreamBegins(*config.Application)              {}
func (f fake) StreamEnds(*config.Application, time.Duration) {}
func (f fake) Describe() origin.Description                  { return origin.Description{ID: f.id, Since: time.Now()} }

// crowd has fakes publish streams, and others play them in turns, until the test
// ends.
func (r *rig) crowd(a *origin.Application, streams, players int) {
	r.Helper()
	here := func() bool { return false }
	name := func(i int) string { return fmt.Sprintf("stream%04d", i%streams) }
	for i := range streams {
		p, err := a.Publish(r.Context(), &origin.PublishRequest{Log: zap.NewNop(), Typed: name(i), Away: here}, fake{uint64(1e6 + i)})
		if err != nil {
			r.Fatal(err)
		}
		r.Cleanup(func() { p.Leave(true) })
	}
	for i := range players {
		p, err := a.Play(r.Context(), &origin.PlayRequest{Log: zap.NewNop(), Name: name(i), Away: here}, fake{uint64(2e6 + i)})
		if err != nil {
			r.Fatal(err)
		}
		r.Cleanup(p.Leave)
	}
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

// Prometheus takes a counter that falls for one that began anew, and what is left
// of it for a burst.
func TestBytesSentNeverFall(t *testing.T) {
	r := start(t, steered)
	cam := r.publish("live", "cam")
	cam.seconds(2)
	r.spectate("live", "cam", dialling{}).first()
	cam.seconds(2)
	r.eventually("the player has had it all", func() bool { return r.srv.Snapshot().BytesOut > 10_000 })
	last := r.srv.Snapshot().BytesOut
	// As when the last player leaves between two looks of a snapshot.
	if now := r.srv.sentAtLeast(last / 2); now < last {
		t.Errorf("%d bytes sent, and then %d", last, now)
	}
	if now := r.srv.sentAtLeast(last + 1); now != last+1 {
		t.Errorf("%d bytes sent, want %d", now, last+1)
	}
}
