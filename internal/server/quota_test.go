package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/rtmp"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// limitedBy is an application with HLS and DASH under /live, and limits blocks.
func limitedBy(top, block, app, web string) string {
	limits := func(lines string) string {
		if lines == "" {
			return ""
		}
		return "limits {\n" + lines + "\n}\n"
	}
	return limits(top) + `rtmp {
  listen = "127.0.0.1:0"
  ` + limits(block) + `
  application "live" {
    ` + limits(app) + `
    hls {
      path            = "$DIR/www/live"
      fragment        = "1s"
      playlist_length = "10s"
    }
    dash {
      path            = "$DIR/www/dash"
      fragment        = "1s"
      playlist_length = "10s"
    }
  }
  application "other" {
    hls {
      path     = "$DIR/www/other"
      fragment = "1s"
    }
  }
}
http {
  listen          = "127.0.0.1:0"
  trusted_proxies = ["loopback"]
  ` + limits(web) + `
  location "/" {
    root = "$DIR/www"
  }
  location "/stat" {
    stat {}
    access = ["allow all"]
  }
  location "/metrics" {
    metrics {}
    access = ["allow all"]
  }
}`
}

func (r *rig) limit(block, name string) api.Limit {
	r.Helper()
	for _, l := range r.srv.Snapshot().Limits {
		if l.Block == block && l.Name == name {
			return l
		}
	}
	r.Errorf("there is no limit of %s %s", block, name)
	return api.Limit{}
}

// The limits of an application hold for HLS, DASH and RTMP together.
func TestTheEleventhViewerWaitsForAPlace(t *testing.T) {
	t.Parallel()
	r := start(t, limitedBy("", "", "viewers = 11", ""))
	r.show(t, "cam")
	r.eventually("an MPD", func() bool { _, err := os.Stat(r.dir + "/www/dash/cam.mpd"); return err == nil })
	player := r.spectate("live", "cam", dialling{})
	player.first()
	for i := range 10 {
		r.watcher(fmt.Sprint("198.51.100.", i)).gets([]string{"/live/cam.m3u8", "/dash/cam.mpd"}[i%2], 200, "")
	}
	late := r.watcher("203.0.113.9")
	for _, path := range []string{"/live/cam.m3u8", "/dash/cam.mpd", "/live/cam.flv"} {
		p := late.gets(path, 503, `limits: viewers = 11 of application "live" reached`)
		if p.header.Get("Retry-After") != "5" {
			t.Errorf("Retry-After is %q", p.header.Get("Retry-After"))
		}
	}
	if st := r.spectate("live", "cam", dialling{}).told(); st.Code != rtmp.StatusPlayFailed || !strings.Contains(st.Description, "viewers = 11") {
		t.Errorf("a player too many is told %+v", st)
	}
	r.watcher("198.51.100.1").gets("/dash/cam.mpd", 200, "") // who is in goes on
	if l := r.limit("application", "live"); l.Viewers != 11 || l.MaxViewers != 11 {
		t.Errorf("stat shows %+v", l)
	}
	player.Close()
	r.eventually("the player's place is free", func() bool { return late.get("/live/cam.m3u8").status == 200 })
	r.reload(limitedBy("", "", "viewers = 12", ""))
	r.watcher("203.0.113.10").gets("/live/cam.m3u8", 200, "#EXTM3U")
}

func TestABrowserWithoutAPlaceWaitsOnAPage(t *testing.T) {
	t.Parallel()
	r := start(t, limitedBy("", "", "viewers = 1", ""))
	r.show(t, "cam")
	player := r.spectate("live", "cam", dialling{})
	player.first()
	browse := func(path string) page {
		req, err := http.NewRequest("GET", r.web()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
		req.Header.Set("X-Forwarded-For", "203.0.113.9")
		return r.do(req)
	}
	p := browse("/live/cam.m3u8?token=a%22b")
	if p.status != 503 || p.header.Get("Retry-After") != "5" || !strings.HasPrefix(p.header.Get("Content-Type"), "text/html") {
		t.Errorf("%d %v", p.status, p.header)
	}
	for _, words := range []string{"All places are taken", `href="?rtmpd-wait.css"`, `src="?rtmpd-wait.js"`, `data-again="5"`} {
		if !strings.Contains(p.body, words) {
			t.Errorf("the page has no %s:\n%s", words, p.body)
		}
	}
	if policy := p.header.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	if strings.Contains(p.body, "<script>") || strings.Contains(p.body, "style=") || strings.Contains(p.body, "token") {
		t.Errorf("the page has something inline:\n%s", p.body)
	}
	for query, kind := range map[string]string{"rtmpd-wait.css": "text/css", "rtmpd-wait.js": "text/javascript"} {
		if p := browse("/live/cam.m3u8?" + query); p.status != 200 || !strings.HasPrefix(p.header.Get("Content-Type"), kind) || p.body == "" {
			t.Errorf("%s: %d %v", query, p.status, p.header)
		}
	}
	player.Close()
	r.eventually("the page finds a place", func() bool { return browse("/live/cam.m3u8").status == 200 })
}

func (r *rig) do(req *http.Request) page {
	r.Helper()
	req.Close = true
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		r.Fatal(err)
	}
	return readPage(r, resp)
}

// Who is local takes no place and is refused none, whoever else watches.
func TestLocalAddressesAreNeitherCountedNorRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, config string }{
		{"server", limitedBy("viewers = 1\nlocal = [\"10.0.0.0/8\", \"127.0.0.2\"]", "", "", "")},
		{"application", limitedBy("", "", "viewers = 1\nlocal = [\"10.0.0.0/8\", \"127.0.0.2\"]", "")},
		{"http and rtmp", limitedBy("", "viewers = 1\nlocal = [\"127.0.0.2\"]", "", "viewers = 1\nlocal = [\"10.0.0.0/8\"]")},
		{"max_players", strings.Replace(limitedBy("local = [\"10.0.0.0/8\", \"127.0.0.2\"]", "", "", ""),
			"hls {", "max_players = 1\nhls {", 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, c.config)
			r.show(t, "cam")
			for i := range 3 {
				r.watcher(fmt.Sprint("10.0.0.", i)).gets("/live/cam.m3u8", 200, "")
				r.spectate("live", "cam", dialling{from: "127.0.0.2"}).first()
			}
			r.watcher("203.0.113.1").gets("/live/cam.m3u8", 200, "")
			r.watcher("203.0.113.2").gets("/live/cam.m3u8", 503, "= 1")
			r.watcher("10.0.0.9").gets("/live/cam.m3u8", 200, "")
			r.spectate("live", "cam", dialling{from: "127.0.0.2"}).first()
		})
	}
}

func TestAnAddressMayWatchSoMuch(t *testing.T) {
	t.Parallel()
	r := start(t, limitedBy("viewers_per_ip = 2", "", "", ""))
	r.show(t, "cam")
	r.eventually("an MPD", func() bool { _, err := os.Stat(r.dir + "/www/dash/cam.mpd"); return err == nil })
	one := watcher{rig: r, addr: "127.0.0.3", agent: "A"}
	one.gets("/live/cam.m3u8", 200, "")
	r.spectate("live", "cam", dialling{from: "127.0.0.3"}).first()
	one.agent = "B"
	one.gets("/dash/cam.mpd", 503, "limits: viewers_per_ip = 2 of the server reached")
	if st := r.spectate("live", "cam", dialling{from: "127.0.0.3"}).told(); !strings.Contains(st.Description, "viewers_per_ip = 2") {
		t.Errorf("a player too many is told %+v", st)
	}
	r.watcher("198.51.100.2").gets("/live/cam.m3u8", 200, "")
}

func TestBlocksHaveLimitsOfTheirOwn(t *testing.T) {
	t.Parallel()
	r := start(t, limitedBy("viewers = 4", "viewers = 1", "", "viewers = 2"))
	r.show(t, "cam")
	r.spectate("live", "cam", dialling{}).first()
	if st := r.spectate("live", "cam", dialling{}).told(); !strings.Contains(st.Description, "viewers = 1 of the rtmp block") {
		t.Errorf("a player too many is told %+v", st)
	}
	r.watcher("198.51.100.1").gets("/live/cam.m3u8", 200, "")
	r.watcher("198.51.100.2").gets("/live/cam.m3u8", 200, "")
	r.watcher("198.51.100.3").gets("/live/cam.m3u8", 503, "viewers = 2 of the http block")
	r.reload(limitedBy("viewers = 3", "viewers = 9", "", "viewers = 9"))
	r.watcher("198.51.100.3").gets("/live/cam.m3u8", 503, "viewers = 3 of the server")
}

// What goes out is counted as it goes, and holds new viewers off.
func TestBandwidthIsWhatGoesOut(t *testing.T) {
	t.Parallel()
	r := start(t, limitedBy("bandwidth = \"1k\"\nlocal = [\"10.0.0.0/8\"]", "bandwidth = \"1G\"", "bandwidth = \"1G\"\nbandwidth_per_ip = \"1k\"", "bandwidth = \"1G\"\nbandwidth_per_ip = \"1G\""))
	r.show(t, "cam")
	fetch := func() {
		for range 5 {
			r.watcher("203.0.113.1").gets("/live/cam-0.ts", 200, "")
		}
		r.watcher("10.0.0.1").gets("/live/cam-0.ts", 200, "")
	}
	r.eventually("what goes out is measured", func() bool {
		fetch()
		return r.limit("server", "").Bandwidth > 0 && r.limit("application", "live").Bandwidth > 0 && r.limit("http", "0").Bandwidth > 0
	})
	r.watcher("203.0.113.2").gets("/live/cam.m3u8", 503, "limits: bandwidth = 1 kb/s of")
	r.watcher("10.0.0.1").gets("/live/cam.m3u8", 200, "")
	if st := r.spectate("live", "cam", dialling{}).told(); !strings.Contains(st.Description, "of the server reached") {
		t.Errorf("a player is told %+v", st)
	}
	fetch()
	r.reload(limitedBy("", "", "bandwidth_per_ip = \"1k\"", ""))
	r.watcher("203.0.113.1").gets("/live/cam.m3u8", 503, "limits: bandwidth_per_ip = 1 kb/s of application")

	var stat struct {
		RTMP struct {
			Limits []struct{ Block, Name string }
		}
	}
	if err := json.Unmarshal([]byte(r.watcher("127.0.0.1").get("/stat?format=json").body), &stat); err != nil || len(stat.RTMP.Limits) != 1 || stat.RTMP.Limits[0].Name != "live" {
		t.Errorf("stat has %+v (%v)", stat, err)
	}
	r.watcher("127.0.0.1").gets("/metrics", 200, `rtmpd_limit_viewers_used{block="application",name="live"}`)
}

func TestPlayersAreInTheBandwidth(t *testing.T) {
	t.Parallel()
	r := start(t, limitedBy("", "bandwidth = \"1G\"", "", ""))
	p := r.publish("live", "cam")
	p.seconds(1)
	player := r.spectate("live", "cam", dialling{})
	player.first()
	r.eventually("what the player is sent counts", func() bool {
		p.seconds(1)
		return r.limit("rtmp", "0").Bandwidth > 0
	})
}

func TestAStreamKeyHasLimits(t *testing.T) {
	t.Parallel()
	const keyed = `rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    max_players = 1
    stream_key "anna" {
      secret      = "anna-secret-0001"
      max_players = 2
    }
    stream_key "bert" {
      secret        = "bert-secret-0001"
      max_bandwidth = "1k"
    }
    stream_key "carl" {
      secret      = "carl-secret-0001"
      max_bitrate = "1k"
    }
  }
}`
	r := start(t, keyed)
	for _, name := range []string{"anna", "bert"} {
		p := r.publish("live", name+"-secret-0001")
		p.seconds(3)
		r.eventually("its bit rate is known", func() bool { return r.packets("live", name) == int(p.sent.Load()) })
	}
	for _, from := range []string{"127.0.0.2", "127.0.0.3"} {
		r.spectate("live", "anna", dialling{from: from}).first()
	}
	if st := r.spectate("live", "anna", dialling{from: "127.0.0.4"}).told(); st.Description != "max_players = 2 reached" {
		t.Errorf("a player too many is told %+v", st)
	}
	if st := r.spectate("live", "bert", dialling{}).told(); !strings.HasPrefix(st.Description, "max_bandwidth = 1k reached") {
		t.Errorf("a player of bert is told %+v", st)
	}
	c := r.publish("live", "carl-secret-0001")
	c.seconds(3)
	if st := c.ended(); !strings.Contains(st.Description, "max_bitrate = 1k exceeded") {
		t.Errorf("a publisher with a bit rate that its key does not allow is told %+v", st)
	}
}

// Who has taken no place with the multivariant playlist takes one with the first media
// playlist, whether or not it comes with a token.
func TestAMultivariantPlaylistIsNoWayIn(t *testing.T) {
	t.Parallel()
	r := start(t, strings.Replace(limitedBy("", "", "viewers = 1", ""), "fragment        = \"1s\"", "fragment        = \"1s\"\n      variant \"_low\" {}", 1))
	p := r.publish("live", "cam_low")
	p.seconds(4.2)
	r.eventually("a multivariant playlist", func() bool { return r.read("www/live/cam.m3u8") != "" && r.read("www/live/cam_low.m3u8") != "" })
	one, two := r.watcher("203.0.113.1"), r.watcher("203.0.113.2")
	for _, w := range []watcher{one, two} {
		w.gets("/live/cam.m3u8", 200, "cam_low.m3u8")
		w.gets("/live/cam.m3u8", 200, "cam_low.m3u8")
	}
	one.gets("/live/cam_low.m3u8", 200, "#EXTINF")
	two.gets("/live/cam_low.m3u8", 503, "viewers = 1")
	one.gets("/live/cam_low.m3u8", 200, "#EXTINF")
	if l := r.limit("application", "live"); l.Viewers != 1 {
		t.Errorf("stat shows %+v", l)
	}
}

// A request of a viewer who is in costs no allocation where there are limits.
func TestLimitsAllocateNothing(t *testing.T) {
	r := start(t, limitedBy("viewers = 9\nbandwidth = \"1G\"", "", "viewers_per_ip = 5\nbandwidth_per_ip = \"1G\"", "bandwidth = \"1G\""))
	r.show(t, "cam")
	au := r.srv.origin.Audience()
	lf, ok := r.srv.origin.Directories().Lookup(filepath.Join(r.dir, "www/live/cam.m3u8"))
	if !ok {
		t.Fatal("there is no playlist")
	}
	addr := netip.MustParseAddr("203.0.113.1")
	v := viewers.Visit{File: lf, Addr: addr, Agent: "Player/1.0", Poll: true, Now: time.Now(), Path: "/live/cam.m3u8"}
	from := listen.SourceOf(addr)
	request := func() {
		if _, err := au.Playlist(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		au.Whole(addr).Add(from, 1000)
		au.Scope(v).Add(from, 1000)
	}
	request()
	if n := testing.AllocsPerRun(1000, request); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
