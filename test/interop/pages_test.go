package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mp4"
	"github.com/rtmpd/rtmpd/internal/testport"
)

// startPaged runs rtmpd with examples/pages.hcl, a second location of pages, and more in
// its http block.
func startPaged(t *testing.T, more string) *server {
	t.Helper()
	s := &server{dir: t.TempDir()}
	s.run(t, s.paged(t, more))
	return s
}

func (s *server) paged(t *testing.T, more string) string {
	t.Helper()
	example, err := os.ReadFile("../../examples/pages.hcl")
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(
		`"/nginx`, `"`+s.dir+"/www",
		"rtmp {\n", "state_dir = \""+s.dir+"/state\"\nruntime_dir = \""+s.dir+"/run\"\nrtmp {\n  listen = \"127.0.0.1:0\"\n",
		"http {\n", `http {
  listen     = "127.0.0.1:0"
  access_log = "`+s.dir+`/access.log"
  location "/health" {
    health {}
  }
  location "/own" {
    player {
      title    = "A title of our own"
      autoplay = false
    }
  }
`+more+"\n").Replace(string(example))
}

// eval runs a script in the page; an object is decoded.
func (p *page) eval(t *testing.T, script string, into any) {
	t.Helper()
	if err := chromedp.Run(p.ctx, chromedp.Evaluate(script, into, func(e *runtime.EvaluateParams) *runtime.EvaluateParams { return e.WithAwaitPromise(true) })); err != nil {
		t.Fatalf("ask the page: %v", err)
	}
}

// The n-th player of a page, and what it says.
const (
	playerN = `document.querySelectorAll(".rtmpd-player")[%d]`
	sayingN = `(() => { const p = ` + playerN + `; return p ? p.dataset.state + ": " + p.shadowRoot.querySelector("[role=status]").textContent : "none"; })()`
	videoN  = playerN + `.shadowRoot.querySelector("video:not(.still)")`
)

// says waits until a player says something.
func (p *page) says(t *testing.T, n int, want string) {
	t.Helper()
	var text string
	eventually(t, 60*time.Second, fmt.Sprintf("player %d says %q", n, want), func() bool {
		p.eval(t, fmt.Sprintf(sayingN, n), &text)
		return strings.Contains(text, want)
	})
}

// plays waits until the n-th player shows moving pictures.
func (p *page) plays(t *testing.T, n int) {
	t.Helper()
	var at, last float64
	eventually(t, 4*time.Minute, fmt.Sprintf("player %d plays", n), func() bool {
		p.eval(t, fmt.Sprintf(`(() => { const p = `+playerN+`; const v = p?.shadowRoot.querySelector("video:not(.still)"); return v && p.dataset.state === "live" && v.getVideoPlaybackQuality().totalVideoFrames > 5 ? v.currentTime : 0; })()`, n), &at)
		moved := last > 0 && at > last
		last = at
		return moved
	})
}

// quiet fails the test if the browser had something to complain about.
func (p *page) quiet(t *testing.T) {
	t.Helper()
	if s := p.problems.String(); s != "" {
		t.Errorf("the browser complains:\n%s", s)
	}
}

// shot keeps a picture of what a visitor sees.
func (p *page) shot(t *testing.T, name string) {
	t.Helper()
	var png []byte
	if err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot(&png)); err != nil {
		t.Fatalf("screenshot: %v", err)
	}
	keep(t, name+".png", png)
}

// as shows the page on a screen of that size and in a colour scheme.
func (p *page) as(t *testing.T, width, height int64, phone bool, scheme string) {
	t.Helper()
	if err := chromedp.Run(p.ctx, emulation.SetDeviceMetricsOverride(width, height, 1, phone),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"}, // what fades has little contrast
		})); err != nil {
		t.Fatal(err)
	}
}

// accessible runs axe-core, which must find nothing.
func (p *page) accessible(t *testing.T) {
	t.Helper()
	axe, err := os.ReadFile("testdata/vendor/axe-core/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	p.eval(t, string(axe)+"\n; 0", nil)
	var found string
	p.eval(t, `axe.run({ resultTypes: ["violations"] }).then((r) => r.violations.map((v) => v.id + ": " + v.help + " " + v.nodes.map((n) => n.html).join(" ")).join("\n"))`, &found)
	if found != "" {
		t.Errorf("axe-core finds:\n%s", found)
	}
}

// How often ffmpeg's -stream_loop repeats.
const once, forEver = "0", "-1"

// publish publishes the test card: once, 16 s, or for ever.
func (s *server) publish(t *testing.T, name string, times string) {
	t.Helper()
	background(t, command(t, 10*time.Minute, "ffmpeg", "-nostdin", "-v", "warning", "-re", "-stream_loop", times, "-i", testcard, "-c", "copy", "-f", "flv", s.rtmpURL(name)))
}

// A page that was opened before anything is on air begins to play by itself, says when it is
// over, and begins again.
func TestAPageWaitsAndPlaysByItself(t *testing.T) {
	t.Parallel()
	s := startPaged(t, "")
	p := open(t, "http://"+s.http+"/test.html")
	for range 2 {
		p.says(t, 0, "offline: Back on Friday at 20:00.")
		s.publish(t, "test", once)
		p.plays(t, 0)
	}
	p.says(t, 0, "offline: Back on Friday at 20:00.")
	p.quiet(t)
}

// A publisher that loses its connection and comes back interrupts the picture, no more.
func TestAPagePlaysOnAfterAnInterruption(t *testing.T) {
	t.Parallel()
	s := startPaged(t, "")
	first := ffmpegLive(t, s.rtmpURL("test"))
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	p := open(t, "http://"+s.http+"/test.html")
	p.plays(t, 0)
	_ = first.Process.Kill()
	_ = first.Wait()
	p.says(t, 0, "reconnecting: The stream was interrupted. It goes on by itself.")
	p.shot(t, "interrupted")
	s.publish(t, "test", forEver)
	p.plays(t, 0)
	p.quiet(t)
}

// A page outlives the server: it finds it again, and plays on when the publisher does.
func TestAPageFindsARestartedServer(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir(), rtmp: testport.Address(), http: testport.Address()}
	text := s.paged(t, "")
	text = strings.Replace(text, `listen = "127.0.0.1:0"`, `listen = "`+s.rtmp+`"`, 1)
	text = strings.Replace(text, `listen     = "127.0.0.1:0"`, `listen     = "`+s.http+`"`, 1)
	conf := filepath.Join(s.dir, "rtmpd.hcl")
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func() (publisher, server *exec.Cmd) {
		server = command(t, 10*time.Minute, rtmpd, "run", "-c", conf)
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, 60*time.Second, "rtmpd answers", func() bool {
			_, err := get("http://" + s.http + "/health")
			return err == nil
		})
		publisher = command(t, 10*time.Minute, "ffmpeg", "-nostdin", "-v", "warning", "-re", "-stream_loop", forEver, "-i", testcard, "-c", "copy", "-f", "flv", s.rtmpURL("test"))
		if err := publisher.Start(); err != nil {
			t.Fatal(err)
		}
		return publisher, server
	}
	publisher, server := run()
	p := open(t, "http://"+s.http+"/test.html")
	p.plays(t, 0)
	_ = server.Process.Signal(syscall.SIGTERM)
	if err := server.Wait(); err != nil {
		t.Fatal(err)
	}
	_ = publisher.Wait() // it has lost its server
	p.says(t, 0, "reconnecting: ")
	p.shot(t, "gone")
	publisher, server = run()
	p.plays(t, 0)
	_ = publisher.Cancel()
	_ = publisher.Wait()
	_ = server.Process.Signal(syscall.SIGTERM)
	_ = server.Wait()
}

// Renditions are one page with a menu; fragmented MP4 plays as well.
func TestAPageOfRenditions(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, strings.Replace(s.paged(t, ""), `      fragment = "2s"`, `      fragment = "2s"
      format   = "fmp4"
      variant "_low" {
        bandwidth = "300k"
      }
      variant "_high" {
        bandwidth = "2M"
      }`, 1))
	s.publish(t, "test_low", forEver)
	s.publish(t, "test_high", forEver)
	var state struct{ Renditions int }
	eventually(t, 60*time.Second, "two renditions", func() bool {
		body, err := get("http://" + s.http + "/json_test.js")
		return err == nil && json.Unmarshal(body, &state) == nil && state.Renditions == 2
	})
	p := open(t, "http://"+s.http+"/test.html")
	p.plays(t, 0)
	menu := fmt.Sprintf(playerN, 0) + `.shadowRoot.querySelector("select")`
	var options []string
	eventually(t, 60*time.Second, "a menu of qualities", func() bool {
		p.eval(t, "[..."+menu+".options].map((o) => o.textContent)", &options)
		return len(options) >= 3
	})
	if !strings.HasPrefix(options[0], "Auto (360p)") || options[1] != "360p · 2.0 Mb/s" {
		t.Errorf("the menu is %q", options)
	}
	p.eval(t, menu+`.value = "1"; `+menu+`.dispatchEvent(new Event("change")); 0`, nil)
	eventually(t, 60*time.Second, "the chosen quality", func() bool {
		p.eval(t, "[..."+menu+".options].map((o) => o.textContent)", &options)
		return len(options) > 0 && options[0] == "Auto"
	})
	p.plays(t, 0)
	p.shot(t, "menu")
	p.accessible(t)
	p.quiet(t)
}

// Sound without a picture plays, and says what it is.
func TestAPageOfSound(t *testing.T) {
	t.Parallel()
	s := startPaged(t, "")
	background(t, command(t, 10*time.Minute, "ffmpeg", "-nostdin", "-v", "warning", "-re", "-stream_loop", forEver, "-i", testcard, "-vn", "-c", "copy", "-metadata", "title=Radio Scanlines", "-f", "flv", s.rtmpURL("radio")))
	p := open(t, "http://"+s.http+"/radio.html")
	var at, last float64
	eventually(t, 90*time.Second, "the sound plays", func() bool {
		last = at
		p.eval(t, fmt.Sprintf(videoN, 0)+"?.currentTime ?? 0", &at)
		return last > 0 && at > last
	})
	var label string
	p.eval(t, fmt.Sprintf(playerN, 0)+`.shadowRoot.querySelector(".label").innerText`, &label)
	if label != "♪ Radio Scanlines" {
		t.Errorf("it is called %q", label)
	}
	p.shot(t, "sound")
	p.accessible(t)
	p.quiet(t)
}

// embedCode is MistServer's, as it stands in pages, with another address.
const embedCode = `<!doctype html><html lang="en"><title>A page of somebody else</title>
<style>* { color: lime !important; } video { display: none; } div { border: 3px dotted pink; }</style>
<div class="mistvideo" id="test_a1"><noscript><a href="//HOST/test.html" target="_blank">Click here to play this video</a></noscript>
<script>
var a = function () { mistPlay("test", { target: document.getElementById("test_a1") }); };
if (!window.mistplayers) {
	var p = document.createElement("script");
	p.src = "//HOST/player.js";
	document.head.appendChild(p);
	p.onload = a;
} else { a(); }
</script></div>
<div id="second" style="width: 300px"></div>
<div id="third" data-rtmpd="live/test" data-muted="true"></div>
<script>addEventListener("load", () => setTimeout(() => rtmpdPlay("test", { target: "#second", autoplay: false }), 500));</script>`

// MistServer's embed code and ours work in a page of another origin, several players at
// once, for half a minute, and the browser has nothing to complain about.
func TestPlayersInAForeignPage(t *testing.T) {
	t.Parallel()
	s := startPaged(t, "")
	s.publish(t, "test", forEver)
	s.waitLive(t, "test")
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		_, _ = fmt.Fprint(w, strings.ReplaceAll(embedCode, "HOST", s.http))
	}))
	t.Cleanup(foreign.Close)
	p := open(t, foreign.URL)
	p.says(t, 1, "ready: ")
	p.plays(t, 0)
	p.plays(t, 2)
	at := func() (clocks [2]float64) {
		for i, n := range []int{0, 2} {
			p.eval(t, fmt.Sprintf(videoN, n)+".currentTime", &clocks[i])
		}
		return clocks
	}
	before := at()
	time.Sleep(30 * time.Second) // the length of the show, not a synchronisation
	for i, now := range at() {
		if now-before[i] < 10 {
			t.Errorf("the clock of a player went on by %.1f s in 30 s", now-before[i])
		}
	}
	p.shot(t, "foreign")
	p.quiet(t)
}

// The frame of a stream plays in a page of another origin, unless embed_from says no.
func TestAFrameInAForeignPage(t *testing.T) {
	t.Parallel()
	s := startPaged(t, `
  location "/closed" {
    player {
      embed_from = ["https://forum.example.org"]
    }
  }`)
	s.publish(t, "test", forEver)
	s.waitLive(t, "test")
	var code struct{ HTML string }
	body, err := get("http://" + s.http + "/oembed?url=http%3A%2F%2F" + s.http + "%2Ftest.html")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &code); err != nil {
		t.Fatal(err)
	}
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		html := code.HTML
		if r.URL.Path == "/closed" {
			html = strings.Replace(html, "/embed/", "/closed/embed/", 1)
		}
		_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>A forum</title><p>Look at this:</p>%s`, html)
	}))
	t.Cleanup(foreign.Close)

	p := open(t, foreign.URL)
	p.framePlays(t, "http://"+s.http)
	p.shot(t, "frame")
	p.quiet(t)
	if err := chromedp.Run(p.ctx, chromedp.Navigate(foreign.URL+"/closed")); err != nil {
		t.Fatal(err)
	}
	eventually(t, 90*time.Second, "the browser shows no frame", func() bool { return strings.Contains(p.problems.String(), "frame-ancestors") })
}

// Where browsers play nothing with sound before a click, it plays without, and a button
// brings the sound.
func TestAPageFallsBackToSilence(t *testing.T) {
	t.Parallel()
	s := startPaged(t, "")
	s.publish(t, "test", forEver)
	s.waitLive(t, "test")
	p := openIn(t, chromium(t, chromedp.Flag("autoplay-policy", "user-gesture-required")), "http://"+s.http+"/test.html")
	p.plays(t, 0)
	var muted, button bool
	p.eval(t, fmt.Sprintf(videoN, 0)+".muted", &muted)
	p.eval(t, "!"+fmt.Sprintf(playerN, 0)+`.shadowRoot.querySelector(".sound").hidden`, &button)
	if !muted || !button {
		t.Errorf("muted %t, a button for the sound %t; want both", muted, button)
	}
	p.shot(t, "muted")
	p.eval(t, fmt.Sprintf(playerN, 0)+`.shadowRoot.querySelector(".sound").click()`, nil)
	p.eval(t, "!"+fmt.Sprintf(playerN, 0)+`.shadowRoot.querySelector(".sound").hidden`, &button)
	if button {
		t.Error("the button stays")
	}
	p.quiet(t)
}

// What people see, and what a screen reader does: on a desktop and a phone, dark and light,
// live, waiting, stopped and failed. The pictures are for people to look at.
func TestPagesAreAccessible(t *testing.T) {
	t.Parallel()
	s := startPaged(t, "")
	s.publish(t, "test", forEver)
	s.publish(t, "second", forEver)
	s.waitLive(t, "test")
	s.waitLive(t, "second")
	p := open(t, "http://"+s.http+"/test.html")
	screens := func(name string) {
		t.Helper()
		for _, screen := range []struct {
			name          string
			width, height int64
			phone         bool
		}{{"desktop", 1280, 800, false}, {"phone", 390, 844, true}, {"phone-wide", 844, 390, true}} {
			for _, scheme := range []string{"light", "dark"} {
				p.as(t, screen.width, screen.height, screen.phone, scheme)
				p.shot(t, name+"-"+screen.name+"-"+scheme)
				if screen.name != "phone-wide" {
					p.accessible(t)
				}
			}
		}
	}
	visit := func(path string) {
		t.Helper()
		if err := chromedp.Run(p.ctx, chromedp.Navigate("http://"+s.http+path)); err != nil {
			t.Fatal(err)
		}
	}
	p.plays(t, 0)
	screens("live")
	visit("/")
	screens("index")
	visit("/nobody.html")
	p.says(t, 0, "offline: Back on Friday at 20:00.")
	screens("offline")
	visit("/own/test.html")
	p.says(t, 0, "ready: ")
	screens("stopped")
	visit("/embed/test")
	p.plays(t, 0)
	screens("embed")
	p.quiet(t)
	block := chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := cdppage.AddScriptToEvaluateOnNewDocument(`delete window.MediaSource; delete window.ManagedMediaSource; HTMLVideoElement.prototype.canPlayType = () => "";`).Do(ctx)
		return err
	})
	if err := chromedp.Run(p.ctx, block); err != nil {
		t.Fatal(err)
	}
	visit("/test.html") // in a browser that can play nothing
	p.says(t, 0, "error: This browser can't play the stream. The playlist opens in VLC")
	screens("error")
	p.quiet(t)
}

// Pictures of keyframes: ffmpeg decodes them, and Chromium shows them.
func TestPicturesOfKeyframes(t *testing.T) {
	t.Parallel()
	s := startPaged(t, "")
	s.publish(t, "test", forEver)
	var picture []byte
	eventually(t, 60*time.Second, "a picture", func() (ok bool) {
		var err error
		picture, err = get("http://" + s.http + "/test.poster.mp4")
		return err == nil
	})
	files := map[string][]byte{"test.mp4": picture}
	f, err := os.Open("../../internal/flv/testdata/av1.flv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := flv.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for demuxer := flv.NewDemuxer(0, 1); len(files) < 3; {
		tag, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if tag.Type != flv.TagVideo {
			continue
		}
		p, err := demuxer.Video(tag.Timestamp, tag.Body)
		if err != nil {
			t.Fatal(err)
		}
		if p == nil || !p.Keyframe {
			continue
		}
		for name, write := range map[string]func([]byte, *media.Track, []byte) ([]byte, error){"av1.mp4": mp4.AppendPicture, "av1.avif": mp4.AppendAVIF} {
			if files[name], err = write(nil, p.Track, p.Data); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	dir := t.TempDir()
	html := `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Pictures</title>`
	for name, b := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		out := succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "info", "-i", path, "-f", "null", "-"))
		if n := framesShown(out); n != 1 || strings.Contains(out, "rror") {
			t.Errorf("%s: %d frames\n%s", name, n, tail(out, 20))
		}
		if strings.HasSuffix(name, ".avif") {
			html += `<img src="` + name + `">`
		} else {
			html += `<video src="` + name + `" muted preload="auto"></video>`
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte(html), 0o600); err != nil {
		t.Fatal(err)
	}
	site := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(site.Close)
	p := open(t, site.URL)
	eventually(t, 60*time.Second, "the browser has decoded them", func() bool {
		var shown int
		p.eval(t, `[...document.querySelectorAll("img")].filter((i) => i.complete && i.naturalWidth > 0).length + [...document.querySelectorAll("video")].filter((v) => v.readyState >= 2 && v.videoWidth > 0).length`, &shown)
		return shown == 3
	})
	p.shot(t, "pictures")
	p.quiet(t)
}
