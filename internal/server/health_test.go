package server

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/doctor"
)

func (r *rig) health(name string) []doctor.Finding {
	for _, st := range r.srv.Snapshot().Servers[0].Applications[0].Streams {
		if st.Name == name {
			return st.Health
		}
	}
	return nil
}

func has(fs []doctor.Finding, name string) bool {
	return slices.ContainsFunc(fs, func(f doctor.Finding) bool { return f.Name == name })
}

const short = `
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    hls {
      path     = "$DIR/www/hls"
      fragment = "200ms"
    }
  }
}`

func TestFindingsFollowTheConfigurationAndLeaveWithThePublisher(t *testing.T) {
	t.Parallel()
	const long = "gop_longer_than_fragment"
	r := start(t, short)
	p := r.publish("live", "cam") // keyframes a second apart
	p.seconds(4)
	r.eventually("the finding", func() bool { return has(r.health("cam"), long) })
	r.logged("what is published could be better", long)
	r.reload(strings.Replace(short, "200ms", "2s", 1))
	st := r.stream("live", "cam")
	for range 6 { // as many seconds as it takes a finding to go
		st.Examine()
	}
	if got := r.health("cam"); has(got, long) {
		t.Errorf("fragments are long enough now: %+v", got)
	}
	if n := r.logs.FilterMessage("what is published is better again").Len(); n != 1 {
		t.Errorf("%d lines say that it has cleared", n)
	}
	r.reload(short)
	r.eventually("the finding again", func() bool { return has(r.health("cam"), long) })
	lines := r.logs.FilterMessage("what is published could be better").All()
	n := 0
	for _, l := range lines {
		f := l.ContextMap()
		if f["finding"] != long {
			continue
		}
		if n++; f["app"] != "live" || f["stream"] != "cam" || f["remote"] != p.local() || !strings.Contains(f["advice"].(string), "Keyframe Interval: 1 s") {
			t.Errorf("the line says %v", f)
		}
	}
	if n != 1 {
		t.Errorf("%d lines of one finding that came twice within ten minutes", n)
	}
	p.cut()
	r.eventually("no finding of a publisher that is gone", func() bool { return len(r.health("cam")) == 0 })
}

func TestHTTPIsCountedThroughAReload(t *testing.T) {
	t.Parallel()
	const hcl = `
rtmp {
  listen = "127.0.0.1:0"
  application "live" {}
}
http {
  listen = "127.0.0.1:0"
  location "/health" {
    health {}
  }
}`
	r := start(t, hcl)
	ask := func(path string) {
		t.Helper()
		res, err := probe.Get(r.web() + path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	ask("/health?token=geheim")
	ask("/nothing")
	r.reload(strings.Replace(hcl, "/health", "/well", 1))
	ask("/well")
	var h api.HTTP
	r.eventually("three requests", func() bool {
		h = r.srv.Snapshot().HTTP[0]
		return h.Requests == 3
	})
	want := []api.CodeCount{{Code: 200, Count: 2}, {Code: 404, Count: 1}}
	if h.Listen != "127.0.0.1:0" || !slices.Equal(h.Codes, want) || len(h.Paths) != 3 {
		t.Errorf("got %+v", h)
	}
}

func TestTheSnapshotTravelsAsJSON(t *testing.T) {
	t.Parallel()
	r := start(t, packaged)
	p := r.publish("live", "cam")
	p.seconds(2)
	r.eventually("a picture", func() bool { return r.srv.Snapshot().Servers[0].Applications[0].Streams[0].Video != nil })
	b, err := json.Marshal(r.srv.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	var s api.Snapshot
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	st := s.Servers[0].Applications[0].Streams[0]
	if st.Name != "cam" || st.Video.Width == 0 || st.Video.Config != nil || !st.Publishing || len(st.Clients) != 1 {
		t.Errorf("got %+v", st)
	}
	if s.Process.RSS == 0 || s.Process.CPU == 0 || s.Process.Goroutines == 0 || s.Connections != 1 {
		t.Errorf("got %+v, %d connections", s.Process, s.Connections)
	}
}
