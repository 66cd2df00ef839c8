package interop

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const viewersConfig = `
state_dir   = "%[1]s/state"
runtime_dir = "%[1]s/run"

rtmp {
  listen = "127.0.0.1:0"

  application "live" {
    on_play      = "%[2]s"
    on_play_done = "%[2]s"

    hls {
      path     = "%[1]s/www/live"
      fragment = "1s"

      variant "_hi" {}
      variant "_lo" {}
    }
  }
}

http {
  listen = "127.0.0.1:0"

  location "/live" {
    root = "%[1]s/www"
  }

  location "/health" {
    health {}
  }
}
`

// A doorman is an on_play that wants token=good.
type doorman struct {
	mu    sync.Mutex
	calls []url.Values
}

func (d *doorman) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // what can't be read has no token
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, r.PostForm)
	if r.PostForm.Get("token") != "good" {
		w.WriteHeader(http.StatusForbidden)
	}
}

// named are the names that calls of a kind were about, in order.
func (d *doorman) named(call string) (names []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.calls {
		if f.Get("call") == call {
			names = append(names, f.Get("name"))
		}
	}
	return names
}

// clients are how many different clients with the token it was asked about.
func (d *doorman) clients() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	ids := make(map[string]bool)
	for _, f := range d.calls {
		if f.Get("call") == "play" && f.Get("token") != "" {
			ids[f.Get("clientid")] = true
		}
	}
	return len(ids)
}

// hls.js in a Chromium gives the master playlist a token that on_play wants; it
// leaves the query behind, and is let in to the variants all the same. It is one
// viewer for the whole of its play, whose end is told.
func TestABrowserIsOneViewer(t *testing.T) {
	t.Parallel()
	door := new(doorman)
	hook := httptest.NewServer(door)
	t.Cleanup(hook.Close)
	s := &server{dir: t.TempDir()}
	s.run(t, fmt.Sprintf(viewersConfig, s.dir, hook.URL))
	for _, name := range []string{"cam_hi", "cam_lo"} {
		background(t, command(t, 5*time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=15",
			"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "15", "-f", "flv", s.rtmpURL(name)))
	}
	master := s.hlsURL("cam") + "?token=good"
	eventually(t, 90*time.Second, "a master playlist of both", func() bool {
		b, _ := os.ReadFile(filepath.Join(s.dir, "www/live/cam.m3u8"))
		return strings.Count(string(b), "\ncam_") == 2
	})
	if _, err := get(s.hlsURL("cam")); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("without a token: %v", err)
	}
	if n := len(door.named("play")); n != 1 {
		t.Errorf("on_play was asked %d times before the browser came", n)
	}
	t.Run("plays", func(t *testing.T) { playInChromium(t, hlsjsPage, master) })

	// The browser is gone. On a slow machine it was asked about again after a
	// minute, as the same one.
	asked := door.named("play")[1:]
	slices.Sort(asked)
	asked = slices.Compact(asked)
	if len(asked) < 2 {
		t.Errorf("on_play was asked for %q, want the master playlist and a variant", asked)
	}
	if ids := door.clients(); ids != len(asked) {
		t.Errorf("%d clientids for %q", ids, asked)
	}
	for name, st := range s.viewers(t, filepath.Join(s.dir, "rtmpd.hcl")) {
		if st.ViewersPeak > 1 || st.ViewersUnique > 1 || slices.Contains(asked, name) != (st.ViewersUnique == 1) {
			t.Errorf("%s had %+v", name, st)
		}
	}
	eventually(t, 60*time.Second, "every good-bye", func() bool { return len(door.named("play_done")) == len(asked) })
	gone := door.named("play_done")
	slices.Sort(gone)
	if !slices.Equal(gone, asked) {
		t.Errorf("on_play_done was told of %q, on_play of %q", gone, asked)
	}
}

type viewerCounts struct{ Viewers, ViewersPeak, ViewersUnique int }

// viewers asks the running server.
func (s *server) viewers(t *testing.T, config string) map[string]viewerCounts {
	t.Helper()
	var answer any
	if err := json.Unmarshal([]byte(output(t, command(t, 30*time.Second, rtmpd, "top", "-json", "-c", config))), &answer); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]viewerCounts)
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if _, ok := v["ViewersPeak"]; ok {
				n := func(field string) int { f, _ := v[field].(float64); return int(f) }
				name, _ := v["Name"].(string)
				found[name] = viewerCounts{n("Viewers"), n("ViewersPeak"), n("ViewersUnique")}
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(answer)
	if len(found) == 0 {
		t.Fatal("rtmpd top knows no stream")
	}
	return found
}
