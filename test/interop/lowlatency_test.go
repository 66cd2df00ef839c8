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

	"github.com/rtmpd/rtmpd/internal/testport"
)

// lowConfig is fragmentedConfig with low latency, in fragments of a GOP.
var lowConfig = strings.Replace(strings.Replace(fragmentedConfig, "    hls {", "    hls {\n      low_latency     = true", 1), `"2s"
      playlist`, `"1s"
      playlist`, 1)

// lowPage is hlsjsPage that says how far it is behind the encoder, as hls.js sees it.
var lowPage = strings.Replace(hlsjsPage, "hls.loadSource", "window.latency = () => hls.latency;\nhls.loadSource", 1)

// One encoder publishes with low latency. hls.js plays it a second behind, and players
// that know nothing of parts play the same playlists.
func TestPlayersOfLowLatency(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, strings.ReplaceAll(lowConfig, "%[1]s", s.dir))
	background(t, ffmpegLive(t, s.rtmpURL("test")))
	s.waitFragments(t, "test")
	t.Run("together", func(t *testing.T) {
		beside := together(t)
		defer beside.Wait()
		for name, play := range map[string]func(*testing.T, string){
			"Chromium with hls.js":   playLow,
			"Chromium with video.js": func(t *testing.T, url string) { playInChromium(t, videojsPage, url) },
			"VLC":                    playVLC,
			"mpv":                    playMPV,
			"ffmpeg":                 playFFmpeg,
		} {
			beside.Run(name, func(t *testing.T) {
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
		if strings.Contains(line, `" 400 `) {
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

// everybodyConfig has one set of files that are plain HLS and DASH, and low-latency HLS and
// DASH over rtmpd's own HTTP.
var everybodyConfig = strings.Replace(lowConfig, "\n    hls {", `
    dash {
      path        = "%[1]s/www/live"
      low_latency = true
      clock       = "http_iso"
    }
    hls {`, 1)

// One publish is played at the same time from the same directory by VLC (HLS through
// nginx), hls.js (low-latency HLS), dash.js (low-latency DASH) and Shaka (DASH through
// nginx), and the linter finds nothing.
func TestOneSetOfSegmentsForEverybody(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, strings.ReplaceAll(everybodyConfig, "%[1]s", s.dir))
	background(t, ffmpegLive(t, s.rtmpURL("test")))
	s.waitFragments(t, "test")
	s.waitMPD(t, "test", "names the open segment", func(text string) bool { return strings.Contains(text, "availabilityTimeOffset") })
	files := "http://" + nginxFiles(t, filepath.Join(s.dir, "www", "live"))
	page := func(text, url string) func(*testing.T) {
		return func(t *testing.T) { playInChromium(t, text, url) }
	}
	clean := func(url string) func(*testing.T) {
		return func(t *testing.T) {
			for _, f := range lint(t, url, 15*time.Second).Findings {
				// There is no TLS, and on a busy machine the encoder is late.
				if f.Level != "ADVICE" && f.Rule != "part-late" && f.Rule != "playlist-late" {
					t.Errorf("%s %s (%s), %s line %d: %s: %s", f.Level, f.Rule, f.Clause, f.URL, f.Line, f.Text, f.Says)
				}
			}
		}
	}
	t.Run("together", func(t *testing.T) {
		beside := together(t)
		defer beside.Wait()
		for name, play := range map[string]func(*testing.T){
			"VLC through nginx":   func(t *testing.T) { playVLC(t, files+"/test.m3u8") },
			"hls.js":              page(lowPage, s.hlsURL("test")),
			"dash.js":             page(lowLatencyPage, s.dashURL("test")),
			"Shaka through nginx": page(shakaPage, files+"/test.mpd"),
			"lint of HLS":         clean(s.hlsURL("test")),
			"lint of DASH":        clean(s.dashURL("test")),
		} {
			beside.Run(name, func(t *testing.T) {
				play(t)
			})
		}
	})
}

// nginxFiles serves a directory by nginx, to pages of other origins too.
func nginxFiles(t *testing.T, root string) (address string) {
	t.Helper()
	address, dir := testport.Address(), t.TempDir()
	conf := fmt.Sprintf(`daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log info;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  types { application/vnd.apple.mpegurl m3u8; application/dash+xml mpd; video/iso.segment m4s; video/mp4 mp4; }
  server { listen %[2]s; root %[3]s; add_header Access-Control-Allow-Origin *; add_header Access-Control-Expose-Headers Date; }
}
`, dir, address, root)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	background(t, command(t, 5*time.Minute, "nginx", "-c", path, "-p", dir, "-e", dir+"/error.log"))
	eventually(t, 90*time.Second, "nginx listens", func() bool {
		_, err := get("http://" + address + "/test.m3u8")
		return err == nil
	})
	return address
}
