package server

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A watcher is an HTTP viewer: whoever comes through the trusted proxy with this
// address.
type watcher struct {
	rig         *rig
	addr, agent string
	plain       bool   // takes no compressed answer
	bearer      string // a token for the Authorization header; empty: none
}

type page struct {
	status int
	body   string
	header http.Header
}

func (w watcher) ask(method, path string) page {
	w.rig.Helper()
	req, err := http.NewRequest(method, w.rig.web()+path, nil)
	if err != nil {
		w.rig.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", w.addr)
	req.Header.Set("User-Agent", w.agent)
	req.Header.Set("Referer", "https://page.example/watch")
	if w.plain {
		req.Header.Set("Accept-Encoding", "identity")
	}
	if w.bearer != "" {
		req.Header.Set("Authorization", "Bearer "+w.bearer)
	}
	req.Close = true
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.rig.Fatal(err)
	}
	return readPage(w.rig, resp)
}

func readPage(r *rig, resp *http.Response) page {
	r.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.Fatal(err)
	}
	return page{resp.StatusCode, string(b), resp.Header}
}

func (w watcher) get(path string) page { w.rig.Helper(); return w.ask("GET", path) }

// gets asks and expects a status and, in the body, words.
func (w watcher) gets(path string, status int, words string) page {
	w.rig.Helper()
	p := w.get(path)
	if p.status != status || !strings.Contains(p.body, words) {
		w.rig.Errorf("%s gets %s: %d %q, want %d with %q", w.addr, path, p.status, p.body, status, words)
	}
	return p
}

func (r *rig) watcher(addr string) watcher { return watcher{rig: r, addr: addr, agent: "Player/1.0"} }

// watched is an application live whose HLS is served under /live; lines are
// the application's.
func watched(lines string) string {
	return `rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    hls {
      path            = "$DIR/www/live"
      fragment        = "1s"
      playlist_length = "10s"
    }
    ` + lines + `
  }
}
http {
  listen          = "127.0.0.1:0"
  trusted_proxies = ["loopback"]
  location "/live" {
    root = "$DIR/www"
  }
}`
}

// showing is a rig with a stream cam that has a playlist.
func showing(t testing.TB, lines string) *rig {
	t.Helper()
	r := start(t, watched(lines))
	r.show(t, "cam")
	return r
}

func (r *rig) show(t testing.TB, name string) *client {
	r.Helper()
	p := r.publish("live", name)
	p.seconds(4.2)
	r.eventually("a playlist of "+name, func() bool {
		lf, _ := r.srv.origin.Directories().Lookup(filepath.Join(r.dir, "www/live", name+".m3u8"))
		return newest(t, string(lf.Body)) == 3 // the last one that 4.2 s end
	})
	return p
}

// counts are a stream's viewers as the snapshot has them: now, peak, unique.
func (r *rig) counts(stream string) [3]int {
	for _, app := range r.srv.Snapshot().Servers[0].Applications {
		for _, st := range app.Streams {
			if st.Name == stream {
				return [3]int{st.Viewers, st.ViewersPeak, st.ViewersUnique}
			}
		}
	}
	return [3]int{-1, -1, -1}
}

func (r *rig) counted(stream string, now, peak, unique int) {
	r.Helper()
	if got, want := r.counts(stream), [3]int{now, peak, unique}; got != want {
		r.Errorf("%s has %v viewers (now, peak, unique), want %v", stream, got, want)
	}
}

func TestHTTPViewersAreCounted(t *testing.T) {
	r := showing(t, "")
	a, b := r.watcher("198.51.100.1"), r.watcher("198.51.100.2")
	r.counted("cam", 0, 0, 0)
	list := a.gets("/live/cam.m3u8", 200, "#EXTM3U")
	if list.body != r.read("www/live/cam.m3u8") {
		t.Error("the playlist is not the one on disk")
	}
	r.counted("cam", 1, 1, 1)
	a.gets("/live/cam.m3u8", 200, "#EXTM3U")
	r.counted("cam", 1, 1, 1) // the same one
	b.gets("/live/cam.m3u8", 200, "#EXTM3U")
	r.counted("cam", 2, 2, 2) // the same agent, another address
	b.agent = "Other/2"
	b.gets("/live/cam.m3u8", 200, "#EXTM3U")
	r.counted("cam", 3, 3, 3) // the same address, another agent
	c := r.watcher("198.51.100.3")
	c.gets("/live/cam-0.ts", 200, "")
	c.ask("HEAD", "/live/cam.m3u8")
	r.counted("cam", 3, 3, 3) // fragments make no viewer, nor does looking
	r.eventually("all of them are gone", func() bool { return r.counts("cam") == [3]int{0, 3, 3} })
	a.gets("/live/cam.m3u8", 200, "")
	r.counted("cam", 1, 3, 3)
}

func TestTenThousandAgentsAreBounded(t *testing.T) {
	r := showing(t, "")
	site := r.srv.sites[0] // the network is of no interest
	const many = 10_000
	for i := range many {
		req, err := http.NewRequest("GET", "http://live.example/live/cam.m3u8", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.RemoteAddr = "198.51.100.7:4711"
		req.Header.Set("User-Agent", fmt.Sprint("Bot/", i))
		w := &nowhere{header: make(http.Header)}
		if site.ServeHTTP(w, req); w.status != 200 {
			t.Fatalf("viewer %d gets %d", i, w.status)
		}
	}
	got := r.counts("cam")
	if got[0] > many || got[1] > many || got[1] < many/2 || got[2] < many*9/10 || got[2] > many*11/10 {
		t.Errorf("%v viewers (now, peak, unique) of %d", got, many)
	}
	r.eventually("all of them are gone", func() bool {
		return r.counts("cam")[0] == 0
	})
}

func TestAFullStreamSendsNewViewersAway(t *testing.T) {
	r := showing(t, "max_players = 2")
	player := r.spectate("live", "cam", dialling{})
	player.first()
	a, b := r.watcher("198.51.100.1"), r.watcher("198.51.100.2")
	a.gets("/live/cam.m3u8", 200, "#EXTM3U")
	p := b.gets("/live/cam.m3u8", 503, "max_players = 2 reached")
	if s, err := strconv.Atoi(p.header.Get("Retry-After")); err != nil || s < 1 || s > 60 {
		t.Errorf("Retry-After is %q", p.header.Get("Retry-After"))
	}
	a.gets("/live/cam.m3u8", 200, "#EXTM3U") // who is in goes on
	if st := r.spectate("live", "cam", dialling{}).told(); st.Description != "max_players = 2 reached" {
		t.Errorf("a player too many is told %+v", st)
	}
	player.Close()
	r.eventually("the player's place is free", func() bool { return b.get("/live/cam.m3u8").status == 200 })
	r.counted("cam", 2, 2, 2)
}

var fragmentOf = regexp.MustCompile(`(?m)^[^#\n]+`)

func TestOnPlayIsAskedForHTTPViewers(t *testing.T) {
	h := newHookServer(t, func(form url.Values, w http.ResponseWriter, _ *http.Request) {
		if form.Get("call") == "play" && form.Get("token") != "good" {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	r := showing(t, strings.ReplaceAll(`on_play = "$HOOK/play"
    on_play_done = "$HOOK/play_done"
    on_done = "$HOOK/done"`, "$HOOK", h.url))
	h.rig = r
	a, b := r.watcher("198.51.100.1"), r.watcher("198.51.100.2")

	a.gets("/live/cam-0.ts", 403, "on_play")
	for range 5 {
		a.gets("/live/cam.m3u8", 403, "refused by on_play: 403 Forbidden")
	}
	h.expect("play:cam")
	r.counted("cam", 0, 0, 0)
	for range 5 {
		a.gets("/live/cam.m3u8?token=good", 200, "#EXTM3U")
		a.gets("/live/cam-0.ts", 200, "")
		a.gets("/live/cam-1.ts", 200, "")
	}
	h.expect("play:cam", "play:cam")
	r.counted("cam", 1, 1, 1)
	b.gets("/live/cam-0.ts", 403, "on_play") // another address
	a.agent = "Thief/1"
	a.gets("/live/cam-0.ts", 403, "on_play") // another agent

	f := h.last("play")
	for field, want := range map[string]string{
		"app": "live", "flashver": "Player/1.0", "swfurl": "", "pageurl": "https://page.example/watch", "tcurl": r.web() + "/live",
		"addr": "198.51.100.1", "call": "play", "name": "cam", "token": "good",
	} {
		if got := f[field]; len(got) != 1 || got[0] != want {
			t.Errorf("play is called with %s %q, want %q", field, got, want)
		}
	}
	id, err := strconv.ParseUint(f.Get("clientid"), 10, 64)
	if err != nil || id == 0 {
		t.Errorf("play is called with clientid %q", f.Get("clientid"))
	}
	r.eventually("the good-byes", func() bool { return h.last("done") != nil })
	h.expect("play:cam", "play:cam", "play_done:cam", "done:cam")
	if f := h.last("play_done"); f.Get("clientid") != fmt.Sprint(id) || f.Get("token") != "good" || f.Get("addr") != "198.51.100.1" {
		t.Errorf("play_done is called with %v", f)
	}
}

// A cache of many people must not keep what on_play let one of them have.
func TestWhatOnPlayGuardsIsPrivate(t *testing.T) {
	h := newHookServer(t, func(url.Values, http.ResponseWriter, *http.Request) {})
	for lines, private := range map[string]bool{`on_play = "` + h.url + `"`: true, "": false} {
		r := showing(t, lines)
		h.rig = r
		for _, path := range []string{"/live/cam.m3u8", "/live/cam-0.ts"} {
			resp, err := http.Get(r.web() + path)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			cache := resp.Header.Get("Cache-Control")
			if resp.StatusCode != 200 || cache == "" || strings.HasPrefix(cache, "private, ") != private {
				t.Errorf("with %q %s: %s, Cache-Control %q", lines, path, resp.Status, cache)
			}
		}
	}
}

func TestViewersWhoAskAtOnceAreOneQuestion(t *testing.T) {
	release := make(chan struct{})
	h := newHookServer(t, func(url.Values, http.ResponseWriter, *http.Request) { <-release })
	r := showing(t, `on_play = "`+h.url+`"`)
	h.rig = r
	const many = 20
	got := make(chan int, many)
	for range many {
		go func() { got <- r.watcher("198.51.100.1").get("/live/cam.m3u8?a=b").status }()
	}
	r.eventually("the hook is asked", func() bool { return len(h.seen()) == 1 })
	close(release)
	for range many {
		if s := <-got; s != 200 {
			t.Errorf("status %d", s)
		}
	}
	h.expect("play:cam")
	r.counted("cam", 1, 1, 1)
}

func TestAHookThatIsDownRefusesViewers(t *testing.T) {
	h := newHookServer(t, nil)
	r := showing(t, `on_play = "http://127.0.0.1:1/"`)
	r.watcher("198.51.100.1").gets("/live/cam.m3u8", 403, "on_play could not be asked")
	h.rig = r
	h.expect()
}

func TestARedirectIsNotForViewers(t *testing.T) {
	h := newHookServer(t, status("play", 302, "other"))
	r := showing(t, `on_play = "`+h.url+`"`)
	r.watcher("198.51.100.1").gets("/live/cam.m3u8", 403, "on_play names another stream")
	h.reply = status("play", 302, "cam")
	r.watcher("198.51.100.2").gets("/live/cam.m3u8", 200, "#EXTM3U")
}

func TestOnPlayMayBeForRTMPAlone(t *testing.T) {
	h := newHookServer(t, status("play", 403, ""))
	r := showing(t, `on_play = "`+h.url+`"
    on_play_done = "`+h.url+`"
    on_play_http = false`)
	h.rig = r
	r.watcher("198.51.100.1").gets("/live/cam.m3u8", 200, "#EXTM3U")
	r.eventually("the viewer is gone", func() bool { return r.counts("cam") == [3]int{0, 1, 1} })
	h.expect()
}

func TestAReloadForgetsVerdicts(t *testing.T) {
	h := newHookServer(t, nil)
	r := showing(t, `on_play = "`+h.url+`/a"`)
	h.rig = r
	a := r.watcher("198.51.100.1")
	a.gets("/live/cam.m3u8", 200, "#EXTM3U")
	r.reload(watched(`on_play = "` + h.url + `/a"
    on_done = "` + h.url + `"`))
	a.gets("/live/cam.m3u8", 200, "#EXTM3U")
	h.expect("play:cam") // the same hook
	h.mu.Lock()
	h.reply = status("play", 403, "")
	h.mu.Unlock()
	r.reload(watched(`on_play = "` + h.url + `/b"`))
	a.gets("/live/cam-0.ts", 200, "") // there is time to ask again
	r.watcher("198.51.100.2").gets("/live/cam-0.ts", 403, "on_play")
	a.gets("/live/cam.m3u8", 403, "refused by on_play")
	h.expect("play:cam", "play:cam")
	r.eventually("its fragments are refused", func() bool { return a.get("/live/cam-0.ts").status == 403 })
	r.reload(watched(""))
	a.gets("/live/cam-0.ts", 200, "")
	r.reload(strings.Replace(watched(""), `"live" {`, `"other" {`, 1))
	a.gets("/live/cam.m3u8", 404, "")
	a.gets("/live/cam-0.ts", 404, "")
}

// A hook that hangs cuts nobody who watches, and no poll waits for it. Who is new
// is refused.
func TestAHookThatHangsCutsNobodyWhoWatches(t *testing.T) {
	var hangs, refuses atomic.Bool
	over := make(chan struct{})
	h := newHookServer(t, func(_ url.Values, w http.ResponseWriter, r *http.Request) {
		if hangs.Load() {
			select {
			case <-r.Context().Done():
			case <-over:
			}
		}
		if refuses.Load() {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	defer close(over)
	r := showing(t, `notify_timeout = "1s"
    on_play = "`+h.url+`"`)
	h.rig = r
	r.srv.origin.Audience().VerdictLife = 500 * time.Millisecond
	a := r.watcher("198.51.100.1")
	a.gets("/live/cam.m3u8", 200, "#EXTM3U")
	hangs.Store(true)
	for begin := time.Now(); time.Since(begin) < 3*time.Second; time.Sleep(100 * time.Millisecond) {
		asked := time.Now()
		a.gets("/live/cam.m3u8", 200, "#EXTM3U")
		a.gets("/live/cam-0.ts", 200, "")
		if d := time.Since(asked); d > 900*time.Millisecond {
			t.Errorf("a poll took %v", d)
		}
	}
	r.watcher("198.51.100.2").gets("/live/cam.m3u8", 403, "on_play")
	hangs.Store(false)
	refuses.Store(true)
	r.eventually("it is refused once the hook says so", func() bool { return a.get("/live/cam.m3u8").status == 403 })
}

func TestKeysNeedAVerdict(t *testing.T) {
	h := newHookServer(t, func(form url.Values, w http.ResponseWriter, _ *http.Request) {
		if form.Get("token") != "good" {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	for _, c := range []struct{ name, path string }{{"inside of the hls path", "$DIR/www/live/keys"}, {"outside", "$DIR/keys"}} {
		t.Run(c.name, func(t *testing.T) {
			cfg := strings.Replace(watched(`on_play = "`+h.url+`"`), `playlist_length = "10s"`, `playlist_length = "10s"
      keys {
        path = "`+c.path+`"
        url  = "/keys/"
      }`, 1)
			cfg = strings.Replace(cfg, `location "/live" {`, `location "/keys" {
    alias = "`+c.path+`"
  }
  location "/live" {`, 1)
			r := start(t, cfg)
			r.show(t, "cam")
			a := r.watcher("198.51.100.1")
			key := "/keys/" + regexp.MustCompile(`URI="/keys/([^"]+)"`).FindStringSubmatch(r.read("www/live/cam.m3u8"))[1]
			a.gets(key, 403, "on_play")
			a.gets("/live/cam.m3u8?token=good", 200, "#EXTM3U")
			if p := a.gets(key, 200, ""); len(p.body) != 16 {
				t.Errorf("a key of %d bytes", len(p.body))
			}
			r.watcher("198.51.100.2").gets(key, 403, "on_play")
			r.write(strings.TrimPrefix(c.path, "$DIR/")+"/old.key", "0123456789abcdef")
			a.gets("/keys/old.key", 404, "") // nobody knows whose it is
		})
	}
}

func TestVariantsCarryTheViewer(t *testing.T) {
	h := newHookServer(t, func(form url.Values, w http.ResponseWriter, _ *http.Request) {
		if form.Get("call") == "play" && form.Get("token") != "go od" {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	r := start(t, strings.Replace(watched(`on_play = "`+h.url+`"
    on_play_done = "`+h.url+`"`), `playlist_length = "10s"`, `playlist_length = "10s"
      variant "_hi" {}
      variant "_lo" {}`, 1))
	h.rig = r
	r.show(t, "cam_hi")
	r.show(t, "cam_lo")
	r.eventually("a master playlist", func() bool { return strings.Contains(r.read("www/live/cam.m3u8"), "cam_lo") })
	a := r.watcher("198.51.100.1")
	a.gets("/live/cam.m3u8", 403, "refused by on_play")
	first := a.gets("/live/cam.m3u8?token=go%20od&key=x", 200, "#EXTM3U")
	second := a.gets("/live/cam.m3u8?token=go%20od&key=x", 200, "#EXTM3U")
	for name, want := range map[string]string{"Cache-Control": "private, no-store", "Etag": "", "Last-Modified": "", "Content-Encoding": ""} {
		if got := first.header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	one, two := fragmentOf.FindAllString(first.body, -1), fragmentOf.FindAllString(second.body, -1)
	if len(one) != 2 || len(two) != 2 || one[0] == two[0] || !strings.HasPrefix(one[0], "cam_hi.m3u8?token=go%20od&key=x&viewer=") {
		t.Fatalf("variants are %q and %q", one, two)
	}
	if strings.Contains(r.read("www/live/cam.m3u8"), "viewer") {
		t.Error("the playlist on disk has changed")
	}
	for _, uri := range append(one, two...) {
		for range 3 {
			p := a.gets("/live/"+uri, 200, "#EXTM3U")
			if disk := r.read("www/live/" + strings.SplitN(uri, "?", 2)[0]); p.body != disk {
				t.Errorf("%s is not what is on disk: %q, want %q", uri, p.body, disk)
			}
		}
	}
	r.counted("cam_hi", 2, 2, 2) // one address, one agent, two players
	r.counted("cam_lo", 2, 2, 2)
	calls := h.seen()
	slices.Sort(calls)
	want := []string{"play:cam", "play:cam", "play:cam_hi", "play:cam_hi", "play:cam_lo", "play:cam_lo"}
	if !slices.Equal(calls, want) {
		t.Errorf("the hook is called %q, want %q", calls, want)
	}
	if f := h.last("play"); f.Has("viewer") || f.Has("key") || f.Get("token") != "go od" {
		t.Errorf("play is called with %v", f)
	}
	// A token that nobody was given is nobody.
	a.gets("/live/cam_hi.m3u8?token=go%20od&viewer="+strings.Repeat("A", 32), 200, "")
	a.gets("/live/cam_hi.m3u8?token=go%20od&viewer="+strings.Repeat("B", 32), 200, "")
	r.counted("cam_hi", 3, 3, 3)
	if p := a.get("/live/cam.m3u8?" + strings.Repeat("x", 5000)); p.status != 414 {
		t.Errorf("an endless query gets %d", p.status)
	}
}

func TestWhatLiesBesideAGuardedStreamIsNotServed(t *testing.T) {
	h := newHookServer(t, nil)
	r := showing(t, `on_play = "`+h.url+`"`)
	r.write("www/live/copy.ts", "x")
	r.write("www/live/index.html", "page")
	r.watcher("198.51.100.1").gets("/live/copy.ts", 404, "")
	r.write("www/live/all.m3u8", "#EXTM3U by hand")
	a := r.watcher("198.51.100.1")
	a.gets("/live/", 200, "page")
	a.gets("/live/all.m3u8", 200, "by hand")
	h.rig = r
	h.expect()
}

func TestAStopSaysGoodByeToViewers(t *testing.T) {
	h := newHookServer(t, nil)
	r := showing(t, `on_play_done = "`+h.url+`"`)
	h.rig = r
	r.watcher("198.51.100.1").gets("/live/cam.m3u8?a=b", 200, "#EXTM3U")
	r.watcher("198.51.100.2").gets("/live/cam.m3u8", 200, "#EXTM3U")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	h.expect("play_done:cam", "play_done:cam")
}

func TestApplicationsWithoutABlockHaveAnAudience(t *testing.T) {
	h := newHookServer(t, status("play", 403, ""))
	cfg := strings.NewReplacer(`"live" {`, `"*" {`, "$DIR/www/live", "$DIR/www/$app", `location "/live"`, `location "/"`).Replace(watched(`on_play = "` + h.url + `"`))
	r := start(t, cfg)
	h.rig = r
	r.show(t, "cam")
	a := r.watcher("198.51.100.1")
	a.gets("/live/cam.m3u8", 403, "refused by on_play")
	a.gets("/live/cam-0.ts", 403, "on_play")
	h.expect("play:cam")
	r.write("www/other/left.ts", "from before")
	r.write("www/other.txt", "text")
	a.gets("/other.txt", 200, "text")
	a.gets("/other/left.ts", 404, "")
}

func TestAViewerLetInTooLateTakesNoSeat(t *testing.T) {
	release := make(chan struct{})
	h := newHookServer(t, func(form url.Values, _ http.ResponseWriter, _ *http.Request) {
		if form.Get("call") == "play" {
			<-release
		}
	})
	r := showing(t, strings.ReplaceAll(`on_play = "$HOOK"
    on_done = "$HOOK"`, "$HOOK", h.url))
	h.rig = r
	got := make(chan int, 1)
	go func() { got <- r.watcher("198.51.100.1").get("/live/cam.m3u8").status }()
	r.eventually("the hook is asked", func() bool { return len(h.seen()) == 1 })
	r.reload(strings.Replace(watched(""), `"live" {`, `"other" {`, 1)) // the application is gone
	close(release)
	if s := <-got; s != 503 {
		t.Errorf("status %d, want 503", s)
	}
}
