package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An encoder that loses its connection and comes back leaves one recording, one
// session at the push target and one playlist.
func TestAnEncoderThatComesBackLeavesOneOfEach(t *testing.T) {
	t.Parallel()
	const blocks = `hls {
      path            = "$DIR/hls"
      fragment        = "1s"
      playlist_length = "60s"
    }
    record "flv" {
      path = "$DIR/rec"
    }
    record "mp4" {
      path   = "$DIR/rec"
      format = "mp4"
    }`
	r := start(t, withPushes(blocks))
	r.reload(withPushes(blocks, r.to("one", "cam-1", "")))
	p := r.publish("live", "cam")
	p.seconds(4)
	r.eventually("the target has it", func() bool { return r.packets("copy", "cam-1") > 0 })
	for range 2 {
		p.cut()
		r.eventually("it is lost", func() bool { return r.unpublished("live", "cam") })
		p = r.publish("live", "cam")
		p.seconds(4)
		r.eventually("its media arrives", func() bool { return r.packets("live", "cam") >= int(p.sent.Load()) })
	}
	p.until("a playlist with two breaks", func() bool { return strings.Count(r.read("hls/cam.m3u8"), "#EXT-X-DISCONTINUITY\n") == 2 })
	before := r.packets("copy", "cam-1")
	p.seconds(1)
	r.eventually("the target goes on", func() bool { return r.packets("copy", "cam-1") > before })

	files, err := os.ReadDir(filepath.Join(r.dir, "rec"))
	if err != nil || len(files) != 2 {
		t.Errorf("recordings: %v, %v; want one of each format", files, err)
	}
	sessions := 0
	for _, e := range r.logs.FilterMessage("publish started").All() {
		if m := e.ContextMap(); m["app"] == "copy" {
			sessions++
		}
	}
	if sessions != 1 {
		t.Errorf("the push target had %d sessions, want 1", sessions)
	}
	if text := r.read("hls/cam.m3u8"); strings.Contains(text, "ENDLIST") || strings.Count(text, "#EXTM3U") != 1 {
		t.Errorf("the playlist:\n%s", text)
	}
}
