package interop

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const fullConfig = `
state_dir   = "%[1]s/state"
runtime_dir = "%[1]s/run"

rtmp {
  listen = "127.0.0.1:0"

  application "live" {
    limits {
      viewers = 1
    }

    sessions {
      timeout = "3s"
    }

    hls {
      path            = "%[1]s/www/live"
      fragment        = "1s"
      playlist_length = "20s"
    }
  }
}

http {
  listen = "127.0.0.1:0"

  location "/live" {
    root = "%[1]s/www"
  }

%[2]s
  location "/health" {
    health {}
  }
}
`

// A holder is a viewer that holds the only place, or waits for it.
type holder struct {
	on  atomic.Bool
	has atomic.Bool
}

func hold(t *testing.T, url string) *holder {
	t.Helper()
	h := new(holder)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(300 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-t.Context().Done():
				return
			case <-tick.C:
			}
			if !h.on.Load() {
				h.has.Store(false)
				continue
			}
			_, err := get(url)
			h.has.Store(err == nil)
		}
	}()
	t.Cleanup(func() { <-done })
	return h
}

// What somebody sees who opens the address of a stream that is full, in Chromium: a page that
// says so, and, once there is a place, the page of the stream with its player. Where no
// player location has the stream the browser plays the address itself. In no case is the
// playlist saved as a file.
func TestAFullStream(t *testing.T) {
	t.Parallel()
	beside := together(t)
	defer beside.Wait()
	for _, c := range []struct {
		name, player string // of a location
		begun        string // a script that tells when the picture goes on
	}{
		{"page", "  location \"/live/watch\" {\n    player {}\n  }\n", `document.querySelector(".rtmpd-player")?.shadowRoot.querySelector("video:not(.still)")?.getVideoPlaybackQuality().totalVideoFrames > 10 && location.pathname === "/live/watch/test.html" && location.search === "?app=live&autoplay=1"`},
		{"plain", "", `document.querySelector("video")?.getVideoPlaybackQuality().totalVideoFrames > 10 && location.pathname === "/live/test.m3u8"`},
	} {
		beside.Run(c.name, func(t *testing.T) {
			s := &server{dir: t.TempDir()}
			s.run(t, fmt.Sprintf(fullConfig, s.dir, c.player))
			background(t, ffmpegLive(t, s.rtmpURL("test")))
			h := hold(t, s.hlsURL("test"))
			h.on.Store(true)
			eventually(t, time.Minute, "the place is taken", h.has.Load)

			page := open(t, s.hlsURL("test")+"?autoplay=1")
			var text string
			page.eval(t, `document.querySelector("h1").textContent + "; " + getComputedStyle(document.body).display`, &text)
			if text != "All places are taken; grid" {
				t.Errorf("the page says %q", text)
			}
			eventually(t, 30*time.Second, "the page says when it tries again", func() bool {
				page.eval(t, `document.querySelector("#state").textContent`, &text)
				return text == "Trying again in 5 s."
			})
			page.shot(t, "waiting")
			if !h.has.Load() {
				t.Error("the first viewer has lost the place")
			}
			h.on.Store(false)
			eventually(t, 2*time.Minute, "the browser plays", func() bool {
				var begun bool
				if err := chromedp.Run(page.ctx, chromedp.Evaluate(c.begun, &begun)); err != nil { // it is on its way
					return false
				}
				return begun
			})
			page.shot(t, "playing")
			// The refusals before are all that the browser may complain about.
			for line := range strings.Lines(page.problems.String()) {
				if !strings.Contains(line, "503") {
					t.Errorf("the browser complains: %s", line)
				}
			}
		})
	}
}
