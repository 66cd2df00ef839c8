package interop

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/player"
)

// TestDemo is the first of the README's two commands: live video in a browser.
func TestDemo(t *testing.T) {
	var (
		site  = freeAddress(t)
		dir   = t.TempDir()
		began = time.Now()
	)
	t.Cleanup(func() { // after the demo has ended: cleanups run in reverse
		left, err := os.ReadDir(dir)
		if err != nil || len(left) > 0 {
			t.Errorf("the demo leaves %v, %v", left, err)
		}
	})
	cmd := exec.Command(rtmpd, "demo", "--rtmp", freeAddress(t), "--http", site)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	watch(t, cmd)
	eventually(t, 15*time.Second, "the page answers", func() bool {
		_, err := get("http://" + site + "/")
		return err == nil
	})
	watchPage(t, "http://"+site+"/", 6*time.Second)
	t.Logf("the demo and 6 s of watching took %s", time.Since(began).Round(100*time.Millisecond))
}

// TestPlayerPage opens the player's page before anything is on air: it says so,
// plays once there is a stream, and says so again when that has ended.
func TestPlayerPage(t *testing.T) {
	s := startServer(t)
	player, err := player.Handler(player.Page{Title: "Page", Playlist: "live/test.m3u8", OfflineText: "Off air."})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", player)
	mux.Handle("/live/", httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: s.http}))
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)

	page := open(t, site.URL)
	page.waitText(t, "status", "Off air.")
	background(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "warning", "-re", "-i", testcard, "-c", "copy", "-f", "flv", s.rtmpURL("test"))) // 16 s
	page.firstFrame(t)
	page.waitText(t, "status", "Off air.")
}
