package interop

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const tokensConfig = `
state_dir   = "%[1]s/state"
runtime_dir = "%[1]s/run"

rtmp {
  listen = "127.0.0.1:0"

  application "live" {
    tokens {
      passphrase = "three words here"
    }
    sessions {}

    hls {
      path            = "%[1]s/www/live"
      fragment        = "2s"
      playlist_length = "30s"
    }
  }
}

http {
  listen     = "127.0.0.1:0"
  access_log = "%[1]s/access.log"

  location "/live" {
    root = "%[1]s/www"
  }

  location "/watch" {
    player {}
  }

  location "/health" {
    health {}
  }
}
`

// TestPlayersWithALink: with the token of rtmpd token new, or with the passphrase, everybody
// plays, and fragments are for them too; without one nobody does.
func TestPlayersWithALink(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, fmt.Sprintf(tokensConfig, s.dir))
	background(t, ffmpegLive(t, s.rtmpURL("test")))
	token := strings.TrimSpace(succeed(t, command(t, time.Minute, rtmpd, "token", "new", "-c", filepath.Join(s.dir, "rtmpd.hcl"), "-stream", "test", "-for", "1h")))
	link := "?token=" + token
	eventually(t, time.Minute, "two fragments", func() bool {
		text, err := get(s.hlsURL("test") + link)
		return err == nil && strings.Count(string(text), "#EXTINF") >= 2
	})

	t.Run("together", func(t *testing.T) {
		beside := together(t)
		defer beside.Wait()
		for name, play := range map[string]func(*testing.T){
			"Chromium with hls.js": func(t *testing.T) { playInChromium(t, hlsjsPage, s.hlsURL("test")+link).quiet(t) },
			"VLC":                  func(t *testing.T) { playVLC(t, s.hlsURL("test")+link) },
			"VLC with a password": func(t *testing.T) {
				playVLC(t, strings.Replace(s.hlsURL("test"), "http://", "http://anybody:three%20words%20here@", 1))
			},
			"ffmpeg":                 func(t *testing.T) { playFFmpeg(t, s.hlsURL("test")+link) },
			"ffmpeg with passphrase": func(t *testing.T) { playFFmpeg(t, s.hlsURL("test")+"?passphrase=three%20words%20here") },
			"ffmpeg over RTMP":       func(t *testing.T) { playFFmpeg(t, s.rtmpURL("test")+link) },
			"the form of the page":   func(t *testing.T) { typesPassphrase(t, s) },
			"nobody without": func(t *testing.T) {
				for _, url := range []string{s.hlsURL("test"), s.rtmpURL("test"), s.hlsURL("test") + link + "x"} {
					c := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-rw_timeout", "5000000", "-i", url, "-t", "1", "-f", "null", "-")
					if out, err := c.CombinedOutput(); err == nil {
						t.Errorf("ffmpeg plays %s:\n%s", url, tail(string(out), 10))
					}
				}
			},
		} {
			beside.Run(name, func(t *testing.T) {
				play(t)
			})
		}
	})
	if text := s.log.String(); strings.Contains(text, token) || strings.Contains(text, "three words") {
		t.Error("the log has a secret")
	}
}

// typesPassphrase is a visitor who has no link: wrong at first, then right.
func typesPassphrase(t *testing.T, s *server) {
	p := open(t, "http://"+s.http+"/watch/test.html")
	enter := func(word string) {
		if err := chromedp.Run(p.ctx, chromedp.SetValue("#passphrase", word), chromedp.Click("#unlock button")); err != nil {
			t.Fatal(err)
		}
	}
	enter("four words here")
	var refused string
	eventually(t, 90*time.Second, "the page says that it is wrong", func() bool {
		p.eval(t, `document.getElementById("refused").textContent`, &refused)
		return strings.Contains(refused, "not the passphrase")
	})
	enter("three words here")
	eventually(t, 90*time.Second, "the address has a token", func() bool {
		var has bool
		p.eval(t, `location.search.includes("token=")`, &has)
		return has
	})
	p.plays(t, 0)
	var url string
	p.eval(t, `location.href`, &url)
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if c := resp.Cookies(); len(c) > 0 {
		t.Errorf("the page sets cookies: %v", c)
	}
}
