package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// What dash.js says is an error, and what it writes to the console as one, is fatal.
const dashjsPage = `<!doctype html><title>dash.js</title><body data-url="%s">
<video muted playsinline width=640 height=360></video>
<script>
window.fatal = [];
const said = console.error;
console.error = (...words) => { fatal.push(words.join(" ")); said(...words); };
window.addEventListener("error", e => fatal.push(e.message));
</script>
<script src="/dash.js/dash.mediaplayer.min.js"></script>
<script>
const player = dashjs.MediaPlayer().create();
player.on(dashjs.MediaPlayer.events.ERROR, e => fatal.push(e.error.code + " " + e.error.message));
window.periods = [];
player.on(dashjs.MediaPlayer.events.PERIOD_SWITCH_COMPLETED, e => periods.push(e.toStreamInfo.id));
player.initialize(document.querySelector("video"), document.body.dataset.url, true);
</script>`

const dashConfig = `
state_dir   = "%[1]s/state"
runtime_dir = "%[1]s/run"

rtmp {
  listen = "127.0.0.1:0"

  application "live" {
    reconnect_grace = "20s"

    dash {
      path            = "%[1]s/www/live"
      fragment        = "2s"
      playlist_length = "60s"
      clock           = "http_iso"
    }
  }
}

http {
  listen     = "127.0.0.1:0"
  access_log = "%[1]s/access.log"

  location "/live" {
    root = "%[1]s/www"
  }

  location "/health" {
    health {}
  }
}
`

// startDASH starts rtmpd with DASH served below /live/.
func startDASH(t *testing.T) *server {
	t.Helper()
	s := &server{dir: t.TempDir()}
	s.run(t, fmt.Sprintf(dashConfig, s.dir))
	return s
}

func (s *server) dashURL(stream string) string {
	return "http://" + s.http + "/live/" + stream + ".mpd"
}

// waitMPD waits until the MPD of stream satisfies ok.
func (s *server) waitMPD(t *testing.T, stream, what string, ok func(string) bool) (text string) {
	t.Helper()
	eventually(t, 60*time.Second, stream+".mpd "+what, func() bool {
		body, err := get(s.dashURL(stream))
		text = string(body)
		return err == nil && ok(text)
	})
	return text
}

func TestPlayersOfDASH(t *testing.T) {
	t.Parallel()
	s := startDASH(t)
	background(t, ffmpegLive(t, s.rtmpURL("test")))
	s.waitMPD(t, "test", "is there", func(string) bool { return true }) // players come as early as they can
	t.Run("together", func(t *testing.T) {
		beside := together(t)
		defer beside.Wait()
		for name, play := range map[string]func(*testing.T, string){
			"Chromium with dash.js": func(t *testing.T, url string) { playInChromium(t, dashjsPage, url) },
			"Chromium with Shaka":   func(t *testing.T, url string) { playInChromium(t, shakaPage, url) },
			"VLC":                   playVLC,
			"mpv":                   playMPV,
			"GStreamer dashdemux":   playGStreamerDASH,
			"ffmpeg":                playFFmpeg,
		} {
			beside.Run(name, func(t *testing.T) {
				play(t, s.dashURL("test"))
			})
		}
	})
}

func playGStreamerDASH(t *testing.T, url string) {
	out := outputUntil(t, command(t, 90*time.Second, "gst-launch-1.0", "-v", // live: it never ends by itself
		"souphttpsrc", "location="+url, "!", "dashdemux", "name=d",
		"d.", "!", "queue", "!", "parsebin", "!", "video/x-h264", "!", "avdec_h264", "!", "identity", "eos-after=120", "!", "fakesink", "silent=false", "sync=false",
		"d.", "!", "queue", "!", "parsebin", "!", "audio/mpeg", "!", "fakesink", "sync=false"), func(out string) bool { return gstPictures(out) >= 100 })
	if n := gstPictures(out); n < 12 {
		t.Errorf("GStreamer decoded %d pictures, want at least 12 of 120\n%s", n, tail(out, 20))
	}
}

// dash.js stays a second and a half behind, from what it says itself.
const lowLatencyPage = dashjsPage + `
<script>
window.behind = [];
setInterval(() => { if (document.querySelector("video").currentTime > 0) behind.push(player.getCurrentLiveLatency()); }, 500);
</script>`

func TestDASHJSWithLowLatency(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, strings.ReplaceAll(fmt.Sprintf(dashConfig, s.dir), `clock           = "http_iso"`, `low_latency     = true`))
	background(t, ffmpegLive(t, s.rtmpURL("test")))
	s.waitMPD(t, "test", "names the open segment", func(text string) bool { return strings.Contains(text, "availabilityTimeOffset") })
	site := pageSite(t, lowLatencyPage, s.dashURL("test"))
	page := open(t, site)
	from := page.firstFrame(t)
	time.Sleep(30 * time.Second) // the length of the show
	last := page.state(t)
	var text string
	if err := chromedp.Run(page.ctx, chromedp.Evaluate("JSON.stringify(behind)", &text)); err != nil {
		t.Fatal(err)
	}
	var behind []float64 // s
	if err := json.Unmarshal([]byte(text), &behind); err != nil {
		t.Fatal(err)
	}
	slices.Sort(behind)
	t.Logf("%+v at first, %+v after 30 s; behind: %.2f s at best, %.2f s in the middle, %.2f s at worst", from, last, behind[0], behind[len(behind)/2], behind[len(behind)-1])
	if len(last.Fatal) > 0 {
		t.Errorf("errors: %s", strings.Join(last.Fatal, "\n"))
	}
	if last.Time-from.Time < 10 {
		t.Errorf("the clock went on by %.1f s in 30 s", last.Time-from.Time)
	}
	// Without low latency it is three segments and a half behind: 7 s.
	if behind[0] > 6 {
		t.Errorf("%.2f s behind at best", behind[0])
	}
	started := regexp.MustCompile(`test-\d+\.m4v HTTP/1\.1" 200`)
	if log, err := os.ReadFile(filepath.Join(s.dir, "access.log")); err != nil || !started.Match(log) {
		t.Errorf("no segment was asked for (%v)", err)
	}
}

// pageSite serves page, which plays url.
func pageSite(t *testing.T, page, url string) string {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("testdata/vendor")))
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, page, html.EscapeString(url))
	})
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	return site.URL + "/page"
}

// laid is a clip over and over, from and up to a time in ms on the timestamps, sent at
// begin and later.
func laid(clip []flvTag, from, to, begin uint32) (out []sentTag) {
	const length = 10000
	for base := from; base < to; base += length {
		for _, tag := range clip {
			if tag.timestamp += base; tag.timestamp < to {
				out = append(out, sentTag{tag, begin + tag.timestamp - from})
			}
		}
	}
	return out
}

// A minute of dash.js: the picture changes its size without a break, then the publisher is
// cut off and comes back, with timestamps from 0 again.
func TestDASHJSPlaysOn(t *testing.T) {
	t.Parallel()
	s := startDASH(t)
	small, large := encodeClip(t, "320x180", "48000"), encodeClip(t, "640x360", "48000")
	ctx, cut := context.WithCancel(t.Context())
	begun := time.Now()
	first := make(chan error, 1)
	go func() {
		tags := slices.Concat(laid(small, 0, 24000, 0), laid(large, 24000, 90000, 24000))
		first <- sendInTime(ctx, s, "cam", tags, begun)
	}()
	s.waitMPD(t, "cam", "names a few segments", func(text string) bool { return regexp.MustCompile(` r="[2-9]`).MatchString(text) })

	page := open(t, pageSite(t, dashjsPage, s.dashURL("cam")))
	from := page.firstFrame(t)
	began := time.Now()

	s.waitMPD(t, "cam", "has a period of the larger picture", func(text string) bool {
		return strings.Count(text, "<Period ") == 2 && strings.Contains(text, `width="640"`)
	})
	time.Sleep(time.Until(began.Add(30 * time.Second))) // the length of the show
	cut()
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	again, stop := context.WithCancel(t.Context())
	defer stop()
	second := make(chan error, 1)
	go func() { second <- sendInTime(again, s, "cam", laid(large, 0, 120000, 0), time.Now()) }()
	s.waitMPD(t, "cam", "has a period after the reconnect", func(text string) bool { return strings.Count(text, "<Period ") == 3 })
	time.Sleep(time.Until(began.Add(65 * time.Second)))

	last := page.state(t)
	t.Logf("%+v at first, %+v after %s", from, last, time.Since(began))
	if len(last.Fatal) > 0 {
		t.Errorf("errors: %s", strings.Join(last.Fatal, "\n"))
	}
	if played := last.Time - from.Time; played < 45 {
		t.Errorf("the clock went on by %.1f s in 65 s", played)
	}
	if n := last.Decoded - from.Decoded; n < 300 {
		t.Errorf("%d frames decoded in 65 s, of 25 a second", n)
	}
	text, err := get(s.dashURL("cam"))
	if err != nil {
		t.Fatal(err)
	}
	keep(t, "cam.mpd", text)
}

// nginx-rtmp and rtmpd call their files alike: a segment by the time of its first frame,
// which nginx counts in ms.
func TestDASHFilesAreNamedAsNginxNamesThem(t *testing.T) {
	t.Parallel()
	for _, nested := range []string{"off", "on"} {
		nginx := startNginx(t, `application live { live on; dash on; dash_path $DIR/dash; dash_fragment 2s; dash_playlist_length 60s; dash_nested `+nested+`; }`, nil)
		rtmpd := startHooked(t, `application "live" {
  dash {
    path            = "$DIR/dash"
    fragment        = "2s"
    playlist_length = "60s"
    nested          = `+fmt.Sprint(nested == "on")+`
  }
}`, nil)
		clip := encodeClip(t, "320x180", "44100")
		onBoth(nginx, rtmpd, func(s *side) bool { return s.broadcast("cam", clip) != nil })
		shape := func(s *side) (names []string) {
			err := filepath.WalkDir(filepath.Join(s.dir, "dash"), func(path string, e os.DirEntry, err error) error {
				name, _ := filepath.Rel(s.dir, path)
				if err == nil && !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !strings.Contains(name, "raw") && !strings.HasSuffix(name, ".bak") {
					if name = regexp.MustCompile(`[0-9]+\.`).ReplaceAllString(name, "N."); !slices.Contains(names, name) {
						names = append(names, name)
					}
				}
				return err
			})
			if err != nil {
				return nil
			}
			slices.Sort(names)
			return names
		}
		var theirs, ours []string
		eventually(t, 90*time.Second, "all kinds of files", func() bool {
			theirs, ours = shape(nginx), shape(rtmpd)
			return len(theirs) >= 5 && len(ours) >= 5
		})
		if !slices.Equal(theirs, ours) {
			t.Errorf("nested %s: nginx has %q, rtmpd %q", nested, theirs, ours)
		}
	}
}

// examples/hls-and-dash.hcl as it stands: dash.js and hls.js play the same files.
func TestTheExampleOfHLSAndDASH(t *testing.T) {
	t.Parallel()
	address := loopback()
	s := runExample(t, "hls-and-dash.hcl", address)
	background(t, ffmpegLive(t, "rtmp://"+address+"/live/test"))
	s.waitMPD(t, "test", "names a few segments", func(text string) bool { return regexp.MustCompile(` r="[2-9]`).MatchString(text) })
	mpd, err := get(s.dashURL("test"))
	if err != nil {
		t.Fatal(err)
	}
	video, err := get("http://" + s.http + "/live/test-video.m3u8")
	if err != nil {
		t.Fatal(err)
	}
	time0 := regexp.MustCompile(`test-video-(\d+)\.m4s`).FindSubmatch(video)
	if time0 == nil || !strings.Contains(string(mpd), ` t="`+string(time0[1])+`"`) || !strings.Contains(string(mpd), `media="test-video-$Time$.m4s"`) {
		t.Errorf("the playlist begins with %q, and the MPD is\n%s", time0, mpd)
	}
	t.Run("together", func(t *testing.T) {
		beside := together(t)
		defer beside.Wait()
		for name, play := range map[string]func(*testing.T){
			"dash.js": func(t *testing.T) { playInChromium(t, dashjsPage, s.dashURL("test")) },
			"hls.js":  func(t *testing.T) { playInChromium(t, hlsjsPage, s.hlsURL("test")) },
		} {
			beside.Run(name, func(t *testing.T) {
				play(t)
			})
		}
	})
}
