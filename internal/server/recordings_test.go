package server

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// recordedIn is what an index lists, the newest first.
func (r *rig) recordedIn(index string) (all []struct {
	File, App, Stream, Recorder string
	Began, Ended                time.Time
	Duration                    float64
	Bytes                       int64
},
) {
	var list struct{ Recordings json.RawMessage }
	if json.Unmarshal([]byte(r.read(index)), &list) != nil || json.Unmarshal(list.Recordings, &all) != nil {
		return nil
	}
	return all
}

// A recording that is finished is listed at once, and is there on demand over RTMP and HTTP.
func TestAFinishedRecordingIsListedAndPlayed(t *testing.T) {
	t.Parallel()
	r := start(t, `rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    reconnect_grace = 0
    record "archive" {
      path  = "$DIR/archive"
      index = "recordings.json"
    }
  }
  application "vod" {
    live = false
    vod {
      path = ["$DIR/archive"]
    }
  }
}
http {
  listen = "127.0.0.1:0"
  trusted_proxies = ["loopback"]
  location "/archive" {
    alias = "$DIR/archive"
  }
}`)
	viewer := r.watcher("203.0.113.1")
	p := r.publish("live", "cam")
	p.seconds(2.5)
	viewer.gets("/archive/recordings.json", 404, "") // none is finished
	p.Close()
	r.eventually("the recording is listed", func() bool { return len(r.recordedIn("archive/recordings.json")) == 1 })
	one := r.recordedIn("archive/recordings.json")[0]
	if one.File != "cam.flv" || one.App != "live" || one.Stream != "cam" || one.Recorder != "archive" || one.Duration < 2 || one.Duration > 3 ||
		one.Bytes != int64(len(r.read("archive/cam.flv"))) || !one.Began.Before(one.Ended) {
		t.Errorf("listed is %+v", one)
	}
	viewer.gets("/archive/recordings.json", 200, `"file": "cam.flv"`)
	if got := viewer.get("/archive/" + one.File); got.status != 200 || !strings.HasPrefix(got.body, "FLV") {
		t.Errorf("the recording over HTTP: %d, %d bytes", got.status, len(got.body))
	}
	r.spectate("vod", one.File, dialling{}).first()

	again := r.publish("live", "cam")
	again.seconds(1.5)
	again.Close()
	r.eventually("both are listed", func() bool { return len(r.recordedIn("archive/recordings.json")) == 2 })
	if all := r.recordedIn("archive/recordings.json"); all[0].File != "cam+1.flv" || all[1].File != "cam.flv" {
		t.Errorf("listed are %+v", all)
	}
}

// A playlist beside the recordings has each once it is finished, goes on after a pause, and
// says when the stream has ended.
func TestAPlaylistBesideRecordings(t *testing.T) {
	t.Parallel()
	r := start(t, `rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    reconnect_grace = 0
    record "parts" {
      path     = "$DIR/parts"
      format   = "ts"
      filename = "$name/$unix.ts"
      playlist = "lists/$name.m3u8"
    }
  }
}`)
	list := func() string { return r.read("parts/lists/cam.m3u8") }
	uri := regexp.MustCompile(`(?m)^[^#\n]+`)
	for round := 1; round <= 2; round++ {
		p := r.publish("live", "cam")
		p.seconds(2.5)
		p.Close()
		r.eventually("the recording is in the playlist", func() bool { return len(uri.FindAllString(list(), -1)) == round })
	}
	text := list()
	for _, words := range []string{
		"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXT-X-MEDIA-SEQUENCE:1\n", "#EXT-X-PLAYLIST-TYPE:EVENT\n",
		"#EXT-X-PROGRAM-DATE-TIME:", "#EXTINF:2.", "\n../cam/", "#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM", "#EXT-X-ENDLIST\n",
	} {
		if !strings.Contains(text, words) {
			t.Errorf("there is no %q in\n%s", words, text)
		}
	}
	for _, name := range uri.FindAllString(text, -1) {
		if body := r.read(filepath.Join("parts/lists", name)); len(body) == 0 || len(body)%188 != 0 || body[0] != 0x47 {
			t.Errorf("%s is no transport stream: %d bytes", name, len(body))
		}
	}
}

// While nobody publishes, the stream shows what was recorded of it last; that is not
// recorded again.
func TestTheLatestRecordingIsShownUntilThePublisherIsBack(t *testing.T) {
	t.Parallel()
	r := start(t, `rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    fallback        = "latest recording"
    reconnect_grace = 0
    record "archive" {
      path  = "$DIR/archive"
    }
    hls {
      path            = "$DIR/hls"
      fragment        = "1s"
      playlist_length = "60s"
    }
  }
}`)
	playlist := func() string { return r.read("hls/cam.m3u8") }
	p := r.publish("live", "cam")
	p.seconds(3)
	tv := r.spectate("live", "cam", dialling{})
	tv.first()
	p.Close()
	r.logged("latest recording is shown", "cam.flv")
	r.eventually("fragments of the recording", func() bool { return newest(t, playlist()) >= 4 })
	if got := r.files("archive"); !slices.Equal(got, []string{"cam.flv"}) {
		t.Errorf("recorded are %q", got)
	}
	again := r.publish("live", "cam")
	again.until("the live stream", func() bool { return strings.Count(playlist(), "#EXT-X-DISCONTINUITY\n") == 2 })
	again.until("its recording", func() bool { return len(r.files("archive")) == 2 })
	again.Close()
	r.logged("latest recording is shown", "cam+1.flv")
	if got := r.files("archive"); !slices.Equal(got, []string{"cam+1.flv", "cam.flv"}) {
		t.Errorf("recorded are %q", got)
	}
	before := len(tv.frames())
	r.eventually("the player gets the recording", func() bool { return len(tv.frames()) > before })
}

// Without a recording the stream ends as it would without a fallback.
func TestWithoutARecordingTheStreamEnds(t *testing.T) {
	t.Parallel()
	r := start(t, `rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    fallback        = "latest recording"
    reconnect_grace = 0
    record "archive" {
      path   = "$DIR/archive"
      manual = true
    }
  }
}`)
	p := r.publish("live", "cam")
	p.seconds(1)
	p.Close()
	r.logged("stream ended", "there is no recording of it to show")
}
