package server

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// boxesOf are the kinds of the boxes of an MP4 at its top, each once in a row.
func boxesOf(t *testing.T, b string) (kinds string) {
	t.Helper()
	for len(b) >= 8 {
		n := int(binary.BigEndian.Uint32([]byte(b)))
		if n < 8 || n > len(b) {
			t.Fatalf("a box of %d bytes of %d", n, len(b))
		}
		kinds += b[4:8] + " "
		b = b[n:]
	}
	if len(b) > 0 {
		t.Errorf("%d bytes are left", len(b))
	}
	return kinds
}

func TestAClipIsMadeOfTheSegments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, block, path string }{
		{"MPEG-TS", "", "/live/cam"},
		{"nested", "nested = true", "/live/cam"},
		{"fragmented MP4", `format = "fmp4"`, "/live/cam"},
		{"fragmented MP4 with dvr", "format = \"fmp4\"\ndvr = \"1m\"", "/live/cam"},
		{"fragmented MP4, nested", "format = \"fmp4\"\nnested = true", "/live/cam"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, strings.Replace(watched(""), "hls {", "hls {\n"+c.block, 1))
			p := r.publish("live", "cam")
			list := "www/live/cam.m3u8"
			switch {
			case strings.Contains(c.name, "MP4, nested"):
				list = "www/live/cam/video.m3u8"
			case c.name == "nested":
				list = "www/live/cam/index.m3u8"
			case c.block != "":
				list = "www/live/cam-video.m3u8"
			}
			p.until("four fragments", func() bool { return strings.Count(r.read(list), "#EXTINF") >= 4 })
			w := r.watcher("203.0.113.7")
			r.eventually("all of it is served", func() bool {
				return strings.Count(w.ask("GET", c.path+"/clip.mp4?last=1h").body, "mdat") >= 4
			})
			two := w.gets(c.path+"/clip.mp4?last=2s", 200, "")
			if ctype := two.header.Get("Content-Type"); ctype != "video/mp4" {
				t.Errorf("Content-Type %s", ctype)
			}
			all := w.gets(c.path+"/clip.mp4?last=1h", 200, "")
			if kinds := boxesOf(t, two.body); !strings.HasPrefix(kinds, "ftyp moov moof mdat ") || len(two.body) >= len(all.body) {
				t.Errorf("%s of %d bytes, all have %d", kinds, len(two.body), len(all.body))
			}
			if kinds := boxesOf(t, all.body); !strings.HasPrefix(kinds, "ftyp moov moof mdat moof mdat moof mdat moof mdat ") {
				t.Errorf("all is %s", kinds)
			}
			now := time.Now().UTC()
			w.gets(fmt.Sprintf("%s/clip.mp4?from=%d&to=%d", c.path, now.Add(-time.Hour).Unix(), now.Add(time.Hour).Unix()), 200, "moov")
			w.gets(c.path+"/clip.mp4?from="+now.Add(-time.Hour).Format(time.RFC3339)+"&to="+now.Add(-time.Minute).Format(time.RFC3339), 404, "there is from=")
			for query, want := range map[string]string{
				"last=0s": "last is a time", "last=-3s": "last is a time", "last=x": "last is a time", "last=9999h": "last is a time",
				"last=3s&to=1": "last, or from and to", "from=1": "to is a date", "to=1": "from is a date", "from=2&to=1": "to is after from", "from=1&to=999999": "to is after from",
				"last=%zz": "can't be read",
			} {
				w.gets(c.path+"/clip.mp4?"+query, 400, want)
			}
			w.gets("/live/none/clip.mp4", 404, "")
			w.gets("/live/clip.mp4", 404, "")
			if got := r.counts("cam"); got[0] != 0 {
				t.Errorf("viewers now, peak, unique: %v", got)
			}
		})
	}
}

func TestAClipNeedsTheAccessOfItsPlaylist(t *testing.T) {
	t.Parallel()
	h := newHookServer(t, func(form url.Values, w http.ResponseWriter, _ *http.Request) {
		if form.Get("call") == "play" && form.Get("pass") == "" {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	r := start(t, strings.ReplaceAll(watched(`on_play = "$HOOK/play"`), "$HOOK", h.url))
	h.rig = r
	r.show(t, "cam")
	r.watcher("203.0.113.7").gets("/live/cam/clip.mp4", 403, "refused by on_play")
	r.watcher("203.0.113.8").gets("/live/cam/clip.mp4?pass=1", 200, "moov")
	if call := h.last("play"); call.Get("name") != "cam" {
		t.Errorf("on_play is asked about %s", call.Get("name"))
	}
}
