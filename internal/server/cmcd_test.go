package server

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/cmcd"
)

// health is what the players of a stream say, as the snapshot has it.
func (r *rig) playerHealth(stream string) cmcd.Figures {
	for _, st := range r.srv.Snapshot().Servers[0].Applications[0].Streams {
		if st.Name == stream && st.PlayerHealth != nil {
			return *st.PlayerHealth
		}
	}
	return cmcd.Figures{}
}

// What players say with their requests counts for the stream, and is no part of what a hook
// is asked about.
func TestWhatPlayersSayOfThemselves(t *testing.T) {
	t.Parallel()
	h := newHookServer(t, func(form url.Values, w http.ResponseWriter, _ *http.Request) {
		if form.Get("call") == "play" && form.Get("pass") == "" {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	r := start(t, strings.ReplaceAll(watched(`on_play = "$HOOK/play"`), "$HOOK", h.url))
	h.rig = r
	r.show(t, "cam")
	w := r.watcher("203.0.113.7")
	say := func(path, text string) string { return path + "CMCD=" + url.QueryEscape(text) }
	asked := 0
	for i, text := range []string{`bl=0,sid="a",su,v=2,ltc=9000`, `bl=2100,mtp=4800,sid="a",v=2,ltc=5100`, `bl=2300,mtp=4800,sid="a",v=2,ltc=5100`} {
		w.gets(say("/live/cam.m3u8?pass=1&", text), 200, "#EXTM3U")
		if i == 0 {
			asked = len(h.seen())
		}
	}
	if n := len(h.seen()); n != asked {
		t.Errorf("on_play is asked %d times more", n-asked)
	}
	if call := h.last("play"); call.Has("CMCD") || call.Get("pass") != "1" {
		t.Errorf("on_play gets %v", call)
	}
	w.gets(say("/live/cam-1.ts?", `bl=2200,bs,mtp=5200,sid="a"`), 200, "")
	req, err := http.NewRequest("GET", r.web()+"/live/cam-2.ts", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	for name, value := range map[string]string{"X-Forwarded-For": w.addr, "User-Agent": w.agent, "CMCD-Request": "bl=1000,mtp=2000", "CMCD-Status": "bs", "CMCD-Session": `sid="b"`} {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v (%v)", resp, err)
	}
	_ = resp.Body.Close()
	r.watcher("203.0.113.9").gets(say("/live/cam.m3u8?", `bs,sid="c"`), 403, "")
	w.gets(say("/live/cam-99.ts?", `bs,sid="d"`), 404, "")
	var got cmcd.Figures
	r.eventually("both players have said something", func() bool { // answers are there before they are noted
		got = r.playerHealth("cam")
		return got.Reports >= 5
	})
	want := cmcd.Figures{
		Players: 2, Stalling: 2, Reports: 5, Sessions: 2, Stalls: 2, Buffer: 2200 * time.Millisecond, BufferLow: time.Second,
		Throughput: 5.2e6, ThroughputLow: 2e6, Latency: 5100 * time.Millisecond, LatencyHigh: 5100 * time.Millisecond,
	}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	pre := w.ask("OPTIONS", "/live/cam.m3u8") // no preflight without its headers
	if pre.status != 204 {
		t.Errorf("OPTIONS: %d", pre.status)
	}
}

// The links of a multivariant playlist carry the token of a viewer, not what it said once.
func TestWhatPlayersSayIsInNoLink(t *testing.T) {
	t.Parallel()
	r := start(t, strings.Replace(watched(""), "hls {", "hls {\nformat = \"fmp4\"", 1))
	p := r.publish("live", "cam")
	w := r.watcher("203.0.113.7")
	p.until("a playlist", func() bool { return w.get("/live/cam.m3u8").status == 200 })
	list := w.gets("/live/cam.m3u8?a=1&CMCD=bl%3D100&b=2", 200, "?a=1&b=2&viewer=").body
	if strings.Contains(list, "CMCD") {
		t.Error(list)
	}
}
