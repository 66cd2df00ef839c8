package server

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A service where everybody has a key and a page, as it is built around MistServer: its
// scripts answer RTMP_PUSH_REWRITE with the address of the user's wildcard stream, keep
// track of who is live with STREAM_BUFFER, admit viewers with USER_NEW and list the
// recordings that RECORDING_END tells of.
func TestAServiceForManyStreamers(t *testing.T) {
	t.Parallel()
	h := newTriggerServer(t, func(f firing, w http.ResponseWriter, _ *http.Request) {
		answer := ""
		switch f.header.Get("X-Trigger") {
		case "RTMP_PUSH_REWRITE": // lines: the URL, the address
			if path.Base(f.lines[0]) == "key-of-john-3f9a1c7e" {
				answer = "rtmp://example.com//streams+John"
			}
		case "USER_NEW":
			answer = map[bool]string{true: "true", false: "false"}[f.lines[2] == "subscriber"]
		}
		_, _ = io.WriteString(w, answer)
	})
	r := start(t, strings.ReplaceAll(`rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    reconnect_grace = 0
    trigger "RTMP_PUSH_REWRITE" { handler = "$HOOK/push.php" }
    trigger "STREAM_BUFFER" { handler = "$HOOK/state.php" }
    trigger "USER_NEW" { handler = "$HOOK/access.php" }
    trigger "RECORDING_END" { handler = "$HOOK/recording.php" }
    hls {
      path     = "$DIR/hls"
      fragment = "1s"
      nested   = true
    }
    stream "streams" {
      record "all" {
        path     = "$DIR/recordings"
        format   = "mkv"
        filename = "$wildcard/$datetime.mkv"
      }
    }
  }
}
http {
  listen          = "127.0.0.1:0"
  trusted_proxies = ["loopback"]
  location "/hls" {
    alias = "$DIR/hls"
  }
  location "/recordings" {
    alias = "$DIR/recordings"
  }
  location "/api2" {
    api {}
    access = ["allow 192.0.2.1", "deny all"]
  }
}`, "$HOOK", h.url))
	script := r.watcher("192.0.2.1")
	ask := func(command string, into any) {
		t.Helper()
		p := script.gets("/api2?command="+command, 200, "")
		if err := json.Unmarshal([]byte(p.body), into); err != nil {
			t.Fatalf("%s: %s: %v", command, p.body, err)
		}
	}
	var live struct {
		Active []string `json:"active_streams"`
	}
	if ask(`{%22active_streams%22:true}`, &live); len(live.Active) != 0 {
		t.Errorf("live before anybody publishes: %v", live.Active)
	}
	r.refused("live", "key-of-nobody", dialling{}, rtmp.StatusPublishDenied, "RTMP_PUSH_REWRITE")
	john := r.publish("live", "key-of-john-3f9a1c7e")
	john.seconds(4.2)
	r.eventually("the stream is announced", func() bool { return strings.Contains(h.states(), "streams+John:FULL") })

	subscriber, stranger := r.watcher("192.0.2.7"), r.watcher("192.0.2.8")
	subscriber.gets("/hls/streams+John/index.m3u8?tkn=subscriber", 200, "#EXTINF")
	subscriber.gets("/hls/streams%2BJohn/index.m3u8?tkn=subscriber", 200, "#EXTINF")
	stranger.gets("/hls/streams+John/index.m3u8?tkn=guess", 403, "")
	stranger.gets("/hls/key-of-john-3f9a1c7e/index.m3u8?tkn=subscriber", 404, "")
	if n := len(h.all("USER_NEW")); n < 2 || n > 3 {
		t.Errorf("USER_NEW is asked %d times", n)
	}
	if ask(`{%22active_streams%22:true}`, &live); len(live.Active) != 1 || live.Active[0] != "streams+John" {
		t.Errorf("live: %v", live.Active)
	}
	var totals struct {
		Totals struct {
			Fields []string
			Data   [][]float64
		}
	}
	r.eventually("the publisher in the totals", func() bool {
		ask(`{%22totals%22:{%22streams%22:[%22streams%2BJohn%22],%22fields%22:[%22inputs%22],%22start%22:-5}}`, &totals)
		n := len(totals.Totals.Data)
		return len(totals.Totals.Fields) == 1 && n > 0 && len(totals.Totals.Data[n-1]) == 1 && totals.Totals.Data[n-1][0] == 1
	})

	if err := john.Unpublish(); err != nil {
		t.Fatal(err)
	}
	r.eventually("the end of the recording", func() bool { return len(h.all("RECORDING_END")) == 1 && strings.HasSuffix(h.states(), ":EMPTY") })
	told := h.all("RECORDING_END")[0].lines
	if len(told) < 3 || told[0] != "streams+John" || !strings.HasPrefix(told[1], filepath.Join(r.dir, "recordings/John")+"/") || !strings.HasSuffix(told[1], ".mkv") {
		t.Fatalf("RECORDING_END is told %q", told)
	}
	file, err := os.ReadFile(told[1])
	if err != nil {
		t.Fatal(err)
	}
	if p := subscriber.gets("/recordings/John/"+filepath.Base(told[1]), 200, "matroska"); p.body != string(file) {
		t.Errorf("the recording has %d bytes over HTTP, %d on disk", len(p.body), len(file))
	}
	if ask(`{%22active_streams%22:true}`, &live); len(live.Active) != 0 {
		t.Errorf("live at the end: %v", live.Active)
	}
	for line := range strings.Lines(r.allText()) {
		if strings.Contains(line, "key-of-john-3f9a1c7e") {
			t.Errorf("the log has the key: %s", line)
		}
	}
}
