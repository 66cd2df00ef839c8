package server

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// dashed is an application live whose DASH is served under /live; lines are the
// application's.
func dashed(block, lines string) string {
	return `rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    dash {
      path            = "$DIR/www/live"
      fragment        = "1s"
      playlist_length = "10s"
      ` + block + `
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

// An mpdFiles is what a test wants to know of an MPD.
type mpdFiles struct {
	Type    string `xml:"type,attr"`
	Start   string `xml:"availabilityStartTime,attr"`
	Periods []struct {
		ID   string `xml:"id,attr"`
		Sets []struct {
			Type     string `xml:"contentType,attr"`
			Template struct {
				Init  string `xml:"initialization,attr"`
				Media string `xml:"media,attr"`
				S     []struct {
					T uint64 `xml:"t,attr"`
					D uint64 `xml:"d,attr"`
					R uint64 `xml:"r,attr"`
				} `xml:"SegmentTimeline>S"`
			} `xml:"SegmentTemplate"`
		} `xml:"AdaptationSet"`
	} `xml:"Period"`
}

func readMPD(t testing.TB, text string) (m mpdFiles) {
	t.Helper()
	if text != "" {
		if err := xml.Unmarshal([]byte(text), &m); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	return m
}

// files are the names of all segments.
func (m *mpdFiles) files() (names []string) {
	for _, p := range m.Periods {
		for _, set := range p.Sets {
			for _, s := range set.Template.S {
				for i := range s.R + 1 {
					names = append(names, strings.Replace(set.Template.Media, "$Time$", fmt.Sprint(s.T+i*s.D), 1))
				}
			}
		}
	}
	return names
}

// pictures counts the segments of video.
func (m *mpdFiles) pictures() (n int) {
	for _, name := range m.files() {
		if strings.HasSuffix(name, ".m4v") || strings.Contains(name, "video-") {
			n++
		}
	}
	return n
}

// showDASH has stream name publish until its MPD names n segments.
func (r *rig) showDASH(name string, n int) *client {
	r.Helper()
	p := r.publish("live", name)
	p.until("an MPD", func() bool {
		m := readMPD(r, r.read("www/live/"+name+".mpd"))
		return m.pictures() >= n
	})
	return p
}

func TestDASHIsServedAsWhatItIs(t *testing.T) {
	t.Parallel()
	r := start(t, dashed("", ""))
	r.showDASH("cam", 2)
	w := r.watcher("203.0.113.7")
	got := w.gets("/live/cam.mpd", 200, "<MPD ")
	if ctype := got.header.Get("Content-Type"); ctype != "application/dash+xml" {
		t.Errorf("the MPD is %s", ctype)
	}
	if cache := got.header.Get("Cache-Control"); cache != "no-cache" {
		t.Errorf("the MPD of 1 s: Cache-Control %s", cache)
	}
	m := readMPD(t, got.body)
	for _, c := range []struct{ file, ctype, cache string }{
		{"cam-init.m4v", "video/mp4", "max-age=0"},
		{"cam-init.m4a", "audio/mp4", "max-age=0"},
		{m.files()[0], "video/mp4", "max-age=20"},
		{m.files()[len(m.files())-1], "audio/mp4", "max-age=20"},
	} {
		p := w.gets("/live/"+c.file, 200, "")
		if ctype, cache := p.header.Get("Content-Type"), p.header.Get("Cache-Control"); ctype != c.ctype || cache != c.cache {
			t.Errorf("%s: %s, %s; want %s, %s", c.file, ctype, cache, c.ctype, c.cache)
		}
		if p.body != r.read("www/live/"+c.file) {
			t.Errorf("%s is not what is on disk", c.file)
		}
	}
	if got := r.counts("cam"); got != [3]int{1, 1, 1} {
		t.Errorf("viewers now, peak, unique: %v", got)
	}
	w.gets("/live/cam/index.mpd", 404, "did you mean /live/cam.mpd?")
}

func TestPlayersAskRtmpdForTheTime(t *testing.T) {
	t.Parallel()
	r := start(t, dashed(`clock = "http_iso"`, `on_play = "http://127.0.0.1:1/refuses"`))
	r.showDASH("cam", 2)
	if text := r.read("www/live/cam.mpd"); !strings.Contains(text, `<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="cam.mpd?utc"/>`) {
		t.Errorf("no UTCTiming:\n%s", text)
	}
	w := r.watcher("203.0.113.7")
	before := time.Now().Add(-time.Millisecond)
	p := w.gets("/live/cam.mpd?utc", 200, "T")
	at, err := time.Parse(time.RFC3339Nano, p.body)
	if err != nil || at.Before(before) || at.After(time.Now()) || p.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the time is %q, Cache-Control %s (%v)", p.body, p.header.Get("Cache-Control"), err)
	}
	head := w.ask("HEAD", "/live/cam.mpd?utc")
	if at, err := http.ParseTime(head.header.Get("Date")); err != nil || head.status != 200 || head.body != "" || at.Before(before.Add(-time.Second)) {
		t.Errorf("HEAD: %d, Date %v (%v)", head.status, at, err)
	}
	w.gets("/live/cam.mpd", 403, "") // which is asked about
	if got := r.counts("cam"); got != [3]int{0, 0, 0} {
		t.Errorf("viewers now, peak, unique: %v", got)
	}
}

func TestOnPlayIsAskedForViewersOfDASH(t *testing.T) {
	t.Parallel()
	h := newHookServer(t, nil)
	r := start(t, strings.ReplaceAll(dashed("", `on_play = "$HOOK/play"
    on_playlist = "$HOOK/playlist"`), "$HOOK", h.url))
	h.rig = r
	r.showDASH("cam", 2)
	r.eventually("on_playlist", func() bool { return h.last("playlist") != nil })
	if call := h.last("playlist"); call.Get("module") != "dash" || call.Get("path") != filepath.Join(r.dir, "www/live/cam.mpd") {
		t.Errorf("on_playlist: %v", call)
	}
	m := readMPD(t, r.read("www/live/cam.mpd"))
	w := r.watcher("203.0.113.7")
	w.gets("/live/"+m.files()[0], 403, "")
	w.gets("/live/cam-init.m4v", 403, "")
	w.gets("/live/cam.mpd?pass=1", 200, "<MPD")
	w.gets("/live/"+m.files()[0], 200, "")
	w.gets("/live/cam-init.m4v", 200, "")
	if call := h.last("play"); call.Get("name") != "cam" || call.Get("pass") != "1" {
		t.Errorf("on_play: %v", call)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "www/live/old.m4v"), []byte("not ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.gets("/live/old.m4v", 404, "")
}

func TestADASHBlockComesChangesAndGoesUnderALiveStream(t *testing.T) {
	t.Parallel()
	r := start(t, oneApp)
	p := r.publish("live", "cam")
	p.seconds(2.5)
	st := r.stream("live", "cam")
	block := func(path, length string) string {
		return strings.Replace(oneApp, `"live" {}`, "\"live\" {\n    dash {\n      path = \"$DIR/"+path+"\"\n      fragment = \"1s\"\n      playlist_length = \""+length+"\"\n    }\n  }", 1)
	}
	mpd := func(path string) mpdFiles { return readMPD(t, r.read(path+"/cam.mpd")) }

	r.reload(block("a", "60s")) // comes
	p.until("an MPD", func() bool { m := mpd("a"); return m.pictures() >= 8 })
	first := mpd("a")

	r.reload(block("a", "2s")) // changes in place
	p.until("the new length", func() bool { m := mpd("a"); return m.pictures() < 8 })
	if m := mpd("a"); m.Start != first.Start {
		t.Errorf("availabilityStartTime is %s, was %s", m.Start, first.Start)
	}

	r.reload(block("b", "60s")) // moves
	p.until("an MPD at the new path", func() bool { m := mpd("b"); return m.pictures() >= 1 })

	r.reload(oneApp) // goes
	r.eventually("its output has ended", func() bool { _, n := st.FailingOutputs(); return n == 0 })
	st.WaitOutputs()
	before := r.read("b/cam.mpd")
	p.seconds(3)
	r.eventually("the stream goes on", func() bool { return r.packets("live", "cam") == int(p.sent.Load()) })
	if after := r.read("b/cam.mpd"); after != before || strings.Contains(after, `"static"`) {
		t.Errorf("after the block has gone the MPD is\n%s\nit was\n%s", after, before)
	}

	r.reload(block("b", "60s")) // and comes back
	old := readMPD(t, before)
	p.until("the MPD goes on", func() bool { m := mpd("b"); return m.pictures() > old.pictures() })
	if m := mpd("b"); len(m.Periods) <= len(old.Periods) || m.Start != old.Start || m.Periods[0].ID != old.Periods[0].ID {
		t.Errorf("want another period:\n%s\nit was\n%s", r.read("b/cam.mpd"), before)
	}
	if r.stream("live", "cam") != st || !p.alive() {
		t.Error("the stream is another one")
	}
}

// One set of segments: what the playlists and the MPD name is the same.
func TestHLSAndDASHNameTheSameFiles(t *testing.T) {
	t.Parallel()
	shared := strings.Replace(watched(`dash {
      path  = "$DIR/www/live"
      clock = "http_iso"
    }`), "hls {", "hls {\n      format          = \"fmp4\"", 1)
	r := start(t, shared)
	p := r.showDASH("cam", 3)
	named := func() (hls, dash []string) {
		m := readMPD(t, r.read("www/live/cam.mpd"))
		for _, list := range []string{"video", "audio"} {
			for line := range strings.Lines(r.read("www/live/cam-" + list + ".m3u8")) {
				if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
					hls = append(hls, line)
				}
			}
		}
		return hls, m.files()
	}
	r.eventually("the MPD names what the playlists name", func() bool {
		hls, dash := named()
		return len(hls) > 0 && slices.Equal(hls, dash)
	})
	if st := r.srv.Snapshot().Servers[0].Applications[0].Streams[0]; len(st.Outputs) != 1 || st.Outputs[0].Kind != "hls" {
		t.Errorf("outputs %+v, want one", st.Outputs)
	}

	// The dash block goes and comes under the live stream: HLS goes on.
	r.reload(strings.Replace(watched(""), "hls {", "hls {\n      format          = \"fmp4\"", 1))
	hls, _ := named()
	p.until("HLS goes on alone", func() bool { now, _ := named(); return len(now) > 0 && now[len(now)-1] != hls[len(hls)-1] })
	r.reload(shared)
	p.until("the MPD goes on", func() bool {
		hls, dash := named()
		return len(dash) > 0 && len(hls) > 0 && hls[len(hls)-1] == dash[len(dash)-1]
	})
}

func TestHLSAndDASHShareADirectoryWithFilesOfTheirOwn(t *testing.T) {
	t.Parallel()
	r := start(t, watched(`dash {
      path     = "$DIR/www/live"
      fragment = "2s"
    }`))
	r.showDASH("cam", 2)
	r.eventually("a playlist", func() bool { return newest(t, r.read("www/live/cam.m3u8")) >= 1 })
	if st := r.srv.Snapshot().Servers[0].Applications[0].Streams[0]; len(st.Outputs) != 2 {
		t.Errorf("outputs %+v, want two", st.Outputs)
	}
}
