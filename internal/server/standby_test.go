package server

import (
	"net/http"
	"strings"
	"testing"
)

const twoPerformers = `
rtmp {
  listen = "127.0.0.1:0"
  application "show" {
    on_conflict     = "standby"
    reconnect_grace = 0
    stream_key "anna" {
      secret = "good-secret-0001"
      stream = "stage"
    }
    stream_key "ben" {
      secret = "good-secret-0002"
      stream = "stage"
    }
    hls {
      path            = "$DIR/hls"
      fragment        = "1s"
      playlist_length = "60s"
    }
    record "all" {
      path = "$DIR/rec"
    }
  }
}
http {
  listen = "127.0.0.1:0"
  location "/control" {
    control {}
    access = ["allow all"]
  }
}`

// Two performers, one public stream: the second waits, is staged, leaves again. The
// player, the playlist and the recording go on in one piece.
func TestTwoPerformersShareAStage(t *testing.T) {
	t.Parallel()
	r := start(t, twoPerformers)
	anna := r.publish("show", "good-secret-0001")
	anna.seconds(3)
	tv := r.spectate("show", "stage", dialling{})
	tv.first()
	r.eventually("her media is in", func() bool { return r.packets("show", "stage") == int(anna.sent.Load()) })
	ben := r.publish("show", "good-secret-0002")
	ben.seconds(3)
	call := func(query string, status int) {
		t.Helper()
		res, err := http.Get(r.web() + "/control/stage" + query)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != status {
			t.Errorf("stage%s: %d, want %d", query, res.StatusCode, status)
		}
	}
	call("?app=show", 400)
	call("?app=other&name=stage", 404)
	call("?app=show&name=stage&publisher=cleo", 409)
	before := len(tv.frames())
	r.eventually("he has a keyframe", func() bool {
		for _, c := range r.srv.Snapshot().Servers[0].Applications[0].Streams[0].Clients {
			if c.Standby && c.Timestamp > 2900 {
				return true
			}
		}
		return false
	})
	call("?app=show&name=stage&publisher=ben", 200)
	r.eventually("the player sees him before he sends more", func() bool { return len(tv.frames()) > before })
	ben.seconds(3)
	anna.seconds(1) // she still sends
	if !anna.alive() || !ben.alive() {
		t.Error("a performer was closed")
	}
	if err := ben.Unpublish(); err != nil {
		t.Fatal(err)
	}
	anna.until("hers again", func() bool { return strings.Count(r.read("hls/stage.m3u8"), "#EXT-X-DISCONTINUITY\n") == 2 })
	frames := tv.frames()
	for i, f := range frames[1:] {
		if d := int32(f.Timestamp - frames[i].Timestamp); d < 0 || d > 1500 {
			t.Errorf("frame %d: the player's time goes from %d to %d", i+1, frames[i].Timestamp, f.Timestamp)
		}
	}
	text := r.read("hls/stage.m3u8")
	if n := strings.Count(text, "#EXT-X-DISCONTINUITY\n"); n != 2 || strings.Contains(text, "ENDLIST") {
		t.Errorf("the playlist has %d discontinuities, want one for each switch:\n%s", n, text)
	}
	if n := r.logs.FilterMessage("recording started").Len(); n > 1 {
		t.Errorf("%d recordings, want one", n)
	}
}
