package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The publisher goes and comes back: the playlist and the player go on through the
// slate between.
func TestAFallbackKeepsThePlaylistGoing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	card, err := os.ReadFile("../demo/testcard.flv")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "slate.flv"), card, 0o600); err != nil {
		t.Fatal(err)
	}
	r.cfg = r.load(`
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    fallback        = "$DIR/slate.flv"
    reconnect_grace = 0
    hls {
      path            = "$DIR/hls"
      fragment        = "1s"
      playlist_length = "60s"
    }
  }
}`)
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	p := r.publish("live", "cam")
	p.seconds(3)
	tv := r.spectate("live", "cam", dialling{})
	tv.first()
	p.Close()
	r.logged("fallback is shown", "cam")
	playlist := func() string { return r.read("hls/cam.m3u8") }
	r.eventually("fragments of the slate", func() bool { return newest(t, playlist()) >= 4 })
	again := r.publish("live", "cam")
	again.until("two discontinuities", func() bool { return strings.Count(playlist(), "#EXT-X-DISCONTINUITY\n") == 2 })
	if text := playlist(); strings.Contains(text, "ENDLIST") {
		t.Errorf("the playlist has ended:\n%s", text)
	}
	frames := tv.frames()
	for i, f := range frames[1:] {
		if d := int32(f.Timestamp - frames[i].Timestamp); d < 0 || d > 1500 {
			t.Errorf("frame %d: the player's time goes from %d to %d", i+1, frames[i].Timestamp, f.Timestamp)
		}
	}
}

// What can't be read is told at the start and at a reload, not only when it is needed.
func TestFilesThatAreNotThereAreToldAhead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := os.WriteFile(filepath.Join(r.dir, "text.mp4"), []byte("no movie"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.cfg = r.load(`
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    fallback = "$DIR/none.flv"
    stream "a" {
      fallback = "b"
    }
    stream "b*" {
      fallback = "$DIR/text.mp4"
    }
    vod {
      path = ["$DIR", "$DIR/nowhere", "http://127.0.0.1:1/files"]
    }
  }
}`)
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	r.logged("fallback can't be shown when it is needed", "none.flv")
	r.logged("directory of files on demand can't be read", "nowhere")
	r.logged("fallback can't be shown when it is needed", "text.mp4")
	if n := r.logs.FilterMessageSnippet("can't be").Len(); n != 3 {
		t.Errorf("%d lines, want 3: %v", n, r.logs.All())
	}
}
