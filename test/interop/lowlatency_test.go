package interop

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// lowConfig is fragmentedConfig with low latency, in fragments of a GOP.
var lowConfig = strings.Replace(strings.Replace(fragmentedConfig, "    hls {", "    hls {\n      low_latency     = true", 1), `"2s"
      playlist`, `"1s"
      playlist`, 1)

// lowPage is strictPage that says how far it is behind the encoder, as hls.js sees it.
var lowPage = strings.Replace(strictPage, "hls.loadSource", "window.latency = () => hls.latency;\nhls.loadSource", 1)

// One encoder publishes with low latency. hls.js plays it a second behind, and players
// that know nothing of parts play the same playlists.
func TestPlayersOfLowLatency(t *testing.T) {
	s := &server{dir: t.TempDir()}
	s.run(t, strings.ReplaceAll(lowConfig, "%[1]s", s.dir))
	background(t, ffmpegLive(t, s.rtmpURL("test")))
	s.waitFragments(t, "test")
	t.Run("together", func(t *testing.T) {
		for name, play := range map[string]func(*testing.T, string){
			"Chromium with hls.js":   playLow,
			"Chromium with video.js": func(t *testing.T, url string) { playInChromium(t, videojsPage, url) },
			"VLC":                    playVLC,
			"mpv":                    playMPV,
			"ffmpeg":                 playFFmpeg,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				play(t, s.hlsURL("test"))
			})
		}
	})
	log, err := os.ReadFile(filepath.Join(s.dir, "access.log"))
	if err != nil {
		t.Fatal(err)
	}
	var blocked, parts, bad int
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "_HLS_msn=") {
			blocked++
		}
		if strings.Contains(line, ".m4s HTTP") && strings.Count(strings.Fields(line)[6], ".") == 2 {
			parts++
		}
		if strings.Contains(line, `" 400 `) || strings.Contains(line, `" 503 `) {
			bad++
			t.Log(line)
		}
	}
	if blocked < 20 || parts < 20 || bad > 0 {
		t.Errorf("%d requests waited for a version, %d parts were asked for, %d requests failed", blocked, parts, bad)
	}
}

// playLow watches url with hls.js for 20 s, and asks how far behind it is.
func playLow(t *testing.T, url string) {
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("testdata/vendor")))
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, lowPage, html.EscapeString(url))
	})
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	page := open(t, site.URL+"/page")
	first := page.firstFrame(t)
	time.Sleep(20 * time.Second) // the length of the show, not a synchronisation
	last := page.state(t)
	var text string
	if err := chromedp.Run(page.ctx, chromedp.Evaluate("JSON.stringify(latency())", &text)); err != nil {
		t.Fatal(err)
	}
	var latency float64
	if err := json.Unmarshal([]byte(text), &latency); err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v at first, %+v, %.2f s behind", first, last, latency)
	if len(last.Fatal) > 0 {
		t.Errorf("errors: %s", strings.Join(last.Fatal, "; "))
	}
	if played := last.Time - first.Time; played < 6 {
		t.Errorf("the clock went on by %.1f s in 20", played)
	}
	if latency == 0 {
		t.Error("hls.js does not know how far behind it is")
	}
}
