package interop

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const eveningConfig = `
state_dir   = "%[1]s/state"
runtime_dir = "%[1]s/run"
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    reconnect_grace = 0
    on_conflict     = "standby"
    fallback        = "%[2]s"
    stream_key "anna" {
      secret = "anna-has-a-secret"
      stream = "stage"
    }
    stream_key "ben" {
      secret = "ben-has-a-secret"
      stream = "stage"
    }
    hls {
      path            = "%[1]s/www/live"
      fragment        = "1s"
      playlist_length = "60s"
    }
  }
}
http {
  listen     = "127.0.0.1:0"
  access_log = "%[1]s/access.log"
  location "/live" {
    root    = "%[1]s/www"
    headers = { "Access-Control-Allow-Origin" = "*" }
  }
  location "/health" {
    health {}
  }
  location "/control" {
    control {}
    access = ["allow all"]
  }
}
`

// TestAnEveningOnOneStage has two performers and the slate between them on one
// public stream, while ffmpeg over RTMP and hls.js watch from the first performer to
// the last: nobody connects again, both see it through.
func TestAnEveningOnOneStage(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	card, err := filepath.Abs(testcard)
	if err != nil {
		t.Fatal(err)
	}
	s.run(t, fmt.Sprintf(eveningConfig, s.dir, card))
	clip := func(source string) string {
		file := filepath.Join(t.TempDir(), "clip.flv")
		succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error",
			"-f", "lavfi", "-i", source+"=size=640x360:rate=30:duration=40", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=40",
			"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "30", "-c:a", "aac", "-ac", "2", "-f", "flv", file))
		return file
	}
	annas, bens := clip("testsrc2"), clip("smptebars")
	// perform publishes a file in real time until stop, which lets ffmpeg say good-bye.
	perform := func(file, key string) (stop func()) {
		cmd := command(t, time.Minute, "ffmpeg", "-v", "error", "-re", "-i", file, "-c", "copy", "-f", "flv", s.rtmpURL(key))
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return func() {
			_, _ = in.Write([]byte("q"))
			in.Close()
			_ = cmd.Wait() // stopped in the middle of its file
		}
	}
	logged := func(line string, n int) {
		t.Helper()
		eventually(t, 90*time.Second, fmt.Sprintf("%d times %q", n, line), func() bool { return strings.Count(s.log.String(), line) >= n })
	}

	annaLeaves := perform(annas, "anna-has-a-secret")
	s.waitLive(t, "stage")
	player := command(t, 2*time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-stats", "-rw_timeout", "15000000", "-i", s.rtmpURL("stage"), "-t", "20", "-f", "null", "-")
	counted := new(lockedBuffer)
	player.Stderr = counted
	if err := player.Start(); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("testdata/vendor")))
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, hlsjsPage, html.EscapeString(s.hlsURL("stage")))
	})
	site := httptest.NewServer(mux)
	defer site.Close()
	page := open(t, site.URL+"/page")
	first := page.firstFrame(t)
	begun := time.Now()

	show := func() { time.Sleep(5 * time.Second) } // the length of an act, not a synchronisation
	show()
	benLeaves := perform(bens, "ben-has-a-secret")
	logged("publisher waits", 1)
	show()
	if _, err := get("http://" + s.http + "/control/stage?app=live&name=stage&publisher=ben"); err != nil {
		t.Fatal(err)
	}
	logged("publisher is on air", 1)
	show()
	annaLeaves()
	benLeaves()
	logged("fallback is shown", 1)
	show()
	annaLeaves = perform(annas, "anna-has-a-secret")
	logged("publisher is on air", 2)
	show()

	err = player.Wait()
	keep(t, "player.log", []byte(counted.String()))
	if err != nil {
		t.Errorf("the RTMP player: %v\n%s", err, tail(counted.String(), 20))
	}
	all := regexp.MustCompile(`frame= *(\d+)`).FindAllStringSubmatch(counted.String(), -1)
	if len(all) == 0 {
		t.Fatalf("the RTMP player has counted nothing:\n%s", counted.String())
	}
	if n, _ := strconv.Atoi(all[len(all)-1][1]); n < 20*30*9/10 {
		t.Errorf("the RTMP player has %d frames of 20 s, want 600", n)
	}
	last := page.state(t)
	watched := time.Since(begun).Seconds()
	t.Logf("hls.js: %+v at first, %+v after %.1f s", first, last, watched)
	if len(last.Fatal) > 0 || last.Time-first.Time < 0.6*watched || last.Decoded < 100 {
		t.Errorf("hls.js played %.1f of %.1f s, %d frames; fatal: %s", last.Time-first.Time, watched, last.Decoded, last.Fatal)
	}
	playlist, err := get(s.hlsURL("stage"))
	if err != nil || strings.Contains(string(playlist), "ENDLIST") || strings.Count(string(playlist), "#EXT-X-DISCONTINUITY\n") != 3 {
		t.Errorf("%v; want three discontinuities and no end:\n%s", err, playlist)
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "access.log"))
	if n := strings.Count(s.log.String(), "play started"); n != 1 {
		t.Errorf("the RTMP player came %d times\n%s", n, tail(string(log), 5))
	}
	annaLeaves()
}
