package server

import (
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/origin"
)

// asking is a rig with a stream cam whose on_play allows whom allow says, with sessions.
func asking(t *testing.T, lines string, allow func(form url.Values) bool) (*rig, *hookServer) {
	t.Helper()
	h := newHookServer(t, func(form url.Values, w http.ResponseWriter, _ *http.Request) {
		if form.Get("call") == "play" && !allow(form) {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	r := showing(t, `on_play = "`+h.url+`/play"
    on_play_done = "`+h.url+`/play_done"
    `+lines)
	h.rig = r
	return r, h
}

// TestASessionIsOneQuestionAndOneLine: on_play is asked once, whatever the viewer asks for and
// for as long as it does; at the end there is one line, and its sums are those of what was
// sent.
func TestASessionIsOneQuestionAndOneLine(t *testing.T) {
	t.Parallel()
	r, h := asking(t, "sessions {\ntimeout = \"1h\"\n}", func(url.Values) bool { return true })
	a := r.watcher("198.51.100.1")
	a.plain = true
	bytes := 0
	for i := range 20 {
		bytes += len(a.gets(fmt.Sprintf("/live/cam.m3u8?token=good&n=%d", i), 200, "#EXTM3U").body)
		bytes += len(a.gets("/live/cam-0.ts", 200, "").body)
	}
	bytes += len(a.gets("/live/cam-1.ts", 200, "").body)
	h.expect("play:cam")
	if n := len(r.srv.origin.Sessions(origin.SessionFilter{})); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
	r.reload(strings.Replace(r.read("rtmpd.hcl"), `timeout = "1h"`, `timeout = "3s"`, 1))
	bytes += len(a.gets("/live/cam.m3u8?token=good", 200, "#EXTM3U").body)
	r.eventually("the session has ended", func() bool { return r.hasLogged("viewer session ended", "") })
	r.eventually("the hook hears of it", func() bool { return h.last("play_done") != nil })
	h.expect("play:cam", "play_done:cam")
	lines := r.logs.FilterMessage("viewer session ended").All()
	if len(lines) != 1 {
		t.Fatalf("%d lines, want 1", len(lines))
	}
	f := lines[0].ContextMap()
	if f["bytes"] != uint64(bytes) || f["stream"] != "cam" || f["remote"] != "198.51.100.1" || fmt.Sprint(f["protocols"]) != "[HLS]" {
		t.Errorf("the line says %v; %d bytes were sent", f, bytes)
	}
	a.gets("/live/cam.m3u8?token=good", 200, "#EXTM3U")
	h.expect("play:cam", "play_done:cam", "play:cam") // somebody who has just come
}

func TestARefusalHoldsForDenyFor(t *testing.T) {
	t.Parallel()
	var open atomic.Bool
	r, h := asking(t, "sessions {\ntimeout = \"1h\"\ndeny_for = \"1h\"\n}", func(f url.Values) bool { return open.Load() || f.Get("token") == "good" })
	a := r.watcher("198.51.100.1")
	for i := range 5 {
		a.gets(fmt.Sprintf("/live/cam.m3u8?token=bad&n=%d", i), 403, "refused by on_play")
	}
	h.expect("play:cam")
	a.gets("/live/cam-0.ts", 403, "has not let")
	open.Store(true)
	a.gets("/live/cam.m3u8?token=bad", 403, "refused by on_play") // for an hour
	a.gets("/live/cam.m3u8?token=good", 200, "#EXTM3U")           // another session
	h.expect("play:cam", "play:cam")

	off, h2 := asking(t, "sessions {\ndeny_for = \"off\"\n}", func(url.Values) bool { return false })
	for range 3 {
		off.watcher("198.51.100.1").gets("/live/cam.m3u8", 403, "refused by on_play")
	}
	h2.expect("play:cam", "play:cam", "play:cam")
}

// TestWhatASessionIsKnownBy: who is the same viewer, and who is another one.
func TestWhatASessionIsKnownBy(t *testing.T) {
	t.Parallel()
	for identify, want := range map[string]int{
		`["stream"]`:                     1,
		`["stream", "address"]`:          2,
		`["stream", "token"]`:            2,
		`["stream", "address", "token"]`: 4,
		`["stream", "agent"]`:            2,
	} {
		r, h := asking(t, "sessions {\ntimeout = \"1h\"\nidentify = "+identify+"\n}", func(url.Values) bool { return true })
		for _, addr := range []string{"198.51.100.1", "198.51.100.2"} {
			for _, token := range []string{"a", "b"} {
				w := r.watcher(addr)
				w.agent = "Player/" + token
				w.gets("/live/cam.m3u8?token="+token, 200, "#EXTM3U")
			}
		}
		if n := len(r.srv.origin.Sessions(origin.SessionFilter{Stream: "cam"})); n != want || len(h.seen()) != want {
			t.Errorf("%s: %d sessions, %d questions, want %d", identify, n, len(h.seen()), want)
		}
	}
}

// TestTheTokenOfASessionIsKeptInACookie, as a browser may keep it.
func TestTheTokenOfASessionIsKeptInACookie(t *testing.T) {
	t.Parallel()
	r := showing(t, "tokens {}\nsessions {\ntoken_from = [\"cookie\", \"query\"]\n}")
	token := r.token("cam", time.Hour, false)
	ask := func(query string, header http.Header) (int, *http.Cookie) {
		t.Helper()
		req, err := http.NewRequest("GET", r.web()+"/live/cam.m3u8"+query, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if c := resp.Cookies(); len(c) > 0 {
			return resp.StatusCode, c[0]
		}
		return resp.StatusCode, nil
	}
	status, c := ask("?token="+token, http.Header{})
	if status != 200 || c == nil || c.Value != token || !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.Partitioned || c.Path != "" || c.MaxAge < 3000 || c.MaxAge > 3600 {
		t.Fatalf("%d, cookie %+v", status, c)
	}
	kept := http.Header{"Cookie": {"a=b; " + c.Name + "=" + token}}
	if status, again := ask("", kept); status != 200 || again != nil {
		t.Errorf("with the cookie alone: %d, another cookie %v", status, again)
	}
	if status, _ := ask("", http.Header{"Cookie": {c.Name + "=" + token + "x"}}); status != 403 {
		t.Errorf("with a changed cookie: %d", status)
	}
	if status, _ := ask("", http.Header{"Authorization": {"Bearer " + token}}); status != 403 {
		t.Errorf("a place that token_from does not name: %d", status)
	}
	https := http.Header{"X-Forwarded-Proto": {"https"}}
	if _, c := ask("?token="+token, https); c == nil || !c.Secure || c.Partitioned {
		t.Errorf("over HTTPS: %+v", c)
	}
	framed := http.Header{"X-Forwarded-Proto": {"https"}, "Sec-Fetch-Site": {"cross-site"}}
	if _, c := ask("?token="+token, framed); c == nil || !c.Secure || !c.Partitioned || c.SameSite != http.SameSiteNoneMode {
		t.Errorf("in a frame of another site: %+v", c)
	}
	if _, c := ask("?token="+token, http.Header{"Sec-Fetch-Site": {"cross-site"}}); c != nil {
		t.Errorf("in a frame of another site, without HTTPS: %+v", c)
	}
}

// TestSessionsAreInvalidated: everybody is asked about again, at once: the refused, the
// admitted, and RTMP players.
func TestSessionsAreInvalidated(t *testing.T) {
	t.Parallel()
	var paid atomic.Value
	paid.Store("good")
	r, h := asking(t, "sessions {\ntimeout = \"1h\"\ndeny_for = \"1h\"\n}", func(f url.Values) bool { return strings.Contains(paid.Load().(string), f.Get("token")) })
	a, b := r.watcher("198.51.100.1"), r.watcher("198.51.100.2")
	a.gets("/live/cam.m3u8?token=good", 200, "#EXTM3U")
	b.gets("/live/cam.m3u8?token=late", 403, "refused")
	player := r.spectate("live", "cam?token=good", dialling{})
	player.first()
	stays := r.watcher("198.51.100.3")
	paid.Store("good and fine")
	stays.gets("/live/cam.m3u8?token=fine", 200, "#EXTM3U")

	paid.Store("late and fine")
	if n := r.srv.origin.InvalidateSessions("", "cam"); n != 3 {
		t.Errorf("%d sessions are invalidated, want 3", n)
	}
	stays.gets("/live/cam-0.ts", 200, "") // nobody stumbles who may watch on
	r.eventually("the viewer gets no fragment", func() bool { return a.get("/live/cam-0.ts").status == 403 })
	a.gets("/live/cam.m3u8?token=good", 403, "refused")
	if st := player.told(); !strings.Contains(st.Description, "refused by on_play") {
		t.Errorf("the player is told %+v", st)
	}
	b.gets("/live/cam.m3u8?token=late", 200, "#EXTM3U")
	stays.gets("/live/cam.m3u8?token=fine", 200, "#EXTM3U")
	stays.gets("/live/cam-0.ts", 200, "")
	_ = h
}

// TestSessionsAreStoppedAndTagged by control, over every protocol.
func TestSessionsAreStoppedAndTagged(t *testing.T) {
	t.Parallel()
	r := start(t, strings.Replace(watched(`sessions {
      timeout = "1h"
    }
    tokens {}
    dash {
      path            = "$DIR/www/live"
      fragment        = "1s"
      playlist_length = "10s"
    }`), "  location", `  location "/control" {
    control {}
    token = "an-operators-token"
  }
  location`, 1))
	r.show(t, "cam")
	call := func(path string, want string) {
		t.Helper()
		p := watcher{rig: r, addr: "198.51.100.99", agent: "curl", bearer: "an-operators-token"}.get("/control/sessions/" + path)
		if p.status != 200 || p.body != want {
			t.Errorf("%s: %d %q, want %q", path, p.status, p.body, want)
		}
	}
	link := "?token=" + r.token("cam", time.Hour, false)
	r.eventually("the MPD is there", func() bool { return r.watcher("198.51.100.8").get("/live/cam.mpd"+link).status == 200 })
	a, b := r.watcher("198.51.100.1"), r.watcher("198.51.100.2")
	a.gets("/live/cam.m3u8"+link, 200, "#EXTM3U")
	b.gets("/live/cam.mpd"+link, 200, "<MPD")
	player := r.spectate("live", "cam"+link, dialling{})
	player.first()
	ids := make(map[string]uint64)
	for _, s := range r.srv.origin.Sessions(origin.SessionFilter{}) {
		ids[s.Address.String()] = s.ID
	}
	call(fmt.Sprintf("tag?clientid=%d&tag=guest", ids["198.51.100.1"]), "1")
	call(fmt.Sprintf("tag?clientid=%d&tag=guest", ids["127.0.0.1"]), "1")
	call("stop?tag=nobody", "0")
	call("stop?tag=guest", "2")
	a.gets("/live/cam-0.ts", 403, "the playlist comes first")
	if st := player.told(); st.Description != "stopped by an operator" {
		t.Errorf("the player is told %+v", st)
	}
	b.gets("/live/cam-0.ts", 200, "")
	call(fmt.Sprintf("stop?clientid=%d", ids["198.51.100.2"]), "1")
	b.gets("/live/cam-0.ts", 403, "the playlist comes first")
	a.gets("/live/cam.m3u8"+link, 200, "#EXTM3U") // a new session
	a.gets("/live/cam-0.ts", 200, "")
	call("stop?name=cam&protocol=dash", "1") // who waited for the MPD
	call("stop?name=cam", "1")
	a.gets("/live/cam-0.ts", 403, "the playlist comes first")
	p := watcher{rig: r, addr: "198.51.100.99", agent: "curl", bearer: "an-operators-token"}
	p.gets("/control/sessions/stop", 400, "which sessions?")
	p.gets("/control/sessions/tag?clientid=1", 400, "which session")
	p.gets("/control/sessions/stop?protocol=x&name=a", 400, "protocol is RTMP, HLS, DASH")
	if n := len(r.logs.FilterMessage("viewer session ended").All()); n != 4 {
		t.Errorf("%d lines about the ends of sessions, want 4", n)
	}
}

// maxSessionBytes bounds the memory of a session of an HTTP viewer, with a token and a
// browser's user agent.
const maxSessionBytes = 4 << 10

// TestTenThousandSessions cost what they may, and nothing when they have ended.
func TestTenThousandSessions(t *testing.T) {
	r := showing(t, "sessions {\ntimeout = \"1h\"\n}\ntokens {}")
	const many = 10_000
	site := r.srv.sites[0]
	link := "http://live.example/live/cam.m3u8?token=" + r.token("cam", time.Hour, false)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for i := range many {
		req, err := http.NewRequest("GET", link, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.RemoteAddr = fmt.Sprintf("10.%d.%d.7:4711", i>>8, i&0xff)
		req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36")
		w := &nowhere{header: make(http.Header)}
		if site.ServeHTTP(w, req); w.status != 200 {
			t.Fatalf("viewer %d gets %d", i, w.status)
		}
	}
	there := len(r.srv.origin.Sessions(origin.SessionFilter{}))
	if there != many {
		t.Fatalf("%d sessions, want %d", there, many)
	}
	each := (heap() - before) / int64(there)
	t.Logf("%d sessions, %d bytes each", there, each)
	if each > maxSessionBytes {
		t.Errorf("a session takes %d bytes, want at most %d", each, maxSessionBytes)
	}
	if n := r.srv.origin.StopSessions(origin.SessionFilter{Stream: "cam"}); n != many {
		t.Errorf("%d sessions are stopped, want %d", n, many)
	}
	if n := len(r.srv.origin.Sessions(origin.SessionFilter{})); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}
