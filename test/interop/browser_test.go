package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A page plays the URL in its data-url attribute in the one video element and
// pushes what goes wrong for good to window.fatal.
const hlsjsPage = `<!doctype html><title>hls.js</title><link rel="icon" href="data:,"><body data-url="%s">
<video muted playsinline width=640 height=360></video>
<script src="/hls.js/hls.min.js"></script>
<script>
window.fatal = [];
const hls = new Hls();
hls.on(Hls.Events.ERROR, (_, d) => { if (d.fatal) fatal.push(d.type + " " + d.details); });
hls.on(Hls.Events.MANIFEST_PARSED, () => document.querySelector("video").play());
hls.loadSource(document.body.dataset.url);
hls.attachMedia(document.querySelector("video"));
</script>`

const videojsPage = `<!doctype html><title>video.js</title><link rel="icon" href="data:,"><body data-url="%s">
<link rel="stylesheet" href="/video.js/video-js.min.css">
<video id="v" class="video-js" muted playsinline width=640 height=360></video>
<script src="/video.js/video.min.js"></script>
<script>
window.fatal = [];
const player = videojs("v", { muted: true, autoplay: true, html5: { vhs: { overrideNative: true } } });
player.on("error", () => fatal.push("video.js " + player.error().code + " " + player.error().message));
player.src({ src: document.body.dataset.url, type: "application/vnd.apple.mpegurl" });
</script>`

// Shaka Player plays HLS and DASH. Only what it can't recover from is fatal.
const shakaPage = `<!doctype html><title>Shaka Player</title><body data-url="%s">
<video muted playsinline autoplay width=640 height=360></video>
<script src="/shaka-player/shaka-player.compiled.js"></script>
<script>
window.fatal = [];
const failed = e => { if (e.severity !== shaka.util.Error.Severity.RECOVERABLE) fatal.push("shaka " + e.category + "/" + e.code + " " + JSON.stringify(e.data)); };
(async () => {
	const player = new shaka.Player();
	player.addEventListener("error", e => failed(e.detail));
	await player.attach(document.querySelector("video"));
	await player.load(document.body.dataset.url);
})().catch(failed);
</script>`

// watchState is what a page says about its video element.
type watchState struct {
	Fatal   []string
	Time    float64 // s
	Decoded int
	Dropped int
}

const readState = `(() => {
	const player = document.querySelector(".rtmpd-player");
	const v = player ? player.shadowRoot.querySelector("video:not(.still)") : document.querySelector("video");
	const q = v ? v.getVideoPlaybackQuality() : {};
	return JSON.stringify({
		fatal: window.fatal || [],
		time: v ? v.currentTime : 0,
		decoded: q.totalVideoFrames || 0,
		dropped: q.droppedVideoFrames || 0,
	});
})()`

// playInChromium serves page, has it play url for 30 s and asks for a moving
// picture without a fatal error.
func playInChromium(t *testing.T, text, url string) *page {
	t.Helper()
	return playFor(t, text, url, 30*time.Second)
}

// playFor is playInChromium for the time given.
func playFor(t *testing.T, text, url string, watch time.Duration) *page {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("testdata/vendor")))
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, text, html.EscapeString(url))
	})
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	return watchPage(t, site.URL+"/page", watch)
}

// watchPage opens url in a headless Chromium, waits for the first decoded frame,
// then watches for the time given. Both the clock and the frames must have gone
// on, with slack for a machine that has much else to do.
func watchPage(t *testing.T, url string, watch time.Duration) *page {
	t.Helper()
	page := open(t, url)
	first := page.firstFrame(t)
	time.Sleep(watch) // the length of the show, not a synchronisation
	last := page.state(t)
	t.Logf("%+v at first, %+v after %s", first, last, watch)
	if len(last.Fatal) > 0 {
		t.Errorf("fatal: %s", strings.Join(last.Fatal, "; "))
	}
	if played := last.Time - first.Time; played < 0.3*watch.Seconds() {
		t.Errorf("the clock went on by %.1f s in %s", played, watch)
	}
	if n := last.Decoded - first.Decoded; float64(n) < 3*watch.Seconds() {
		t.Errorf("%d frames decoded in %s, of 30 a second", n, watch)
	}
	return page
}

// A page is open in a browser of its own.
type page struct {
	ctx      context.Context
	opened   time.Time
	console  *lockedBuffer // what scripts say
	problems *lockedBuffer // errors of scripts, of the network and of the security policy

	mu     sync.Mutex
	inside []*runtime.ExecutionContextDescription // of the scripts of the page and its frames
}

// open starts a browser with url in it. A screenshot and the console are kept at
// the end of the test.
func open(t *testing.T, url string) *page {
	t.Helper()
	return openIn(t, chromium(t), url)
}

// openIn is open in a browser that was started before.
func openIn(t *testing.T, ctx context.Context, url string) *page {
	t.Helper()
	p := &page{ctx: ctx, opened: time.Now(), console: new(lockedBuffer), problems: new(lockedBuffer)}
	chromedp.ListenTarget(p.ctx, func(ev any) {
		switch ev := ev.(type) {
		case *runtime.EventExecutionContextCreated:
			p.mu.Lock()
			p.inside = append(p.inside, ev.Context)
			p.mu.Unlock()
		case *runtime.EventExecutionContextDestroyed:
			p.mu.Lock()
			p.inside = slices.DeleteFunc(p.inside, func(c *runtime.ExecutionContextDescription) bool { return c.UniqueID == ev.ExecutionContextUniqueID })
			p.mu.Unlock()
		case *runtime.EventExecutionContextsCleared:
			p.mu.Lock()
			p.inside = nil
			p.mu.Unlock()
		case *runtime.EventConsoleAPICalled:
			for _, arg := range ev.Args {
				fmt.Fprintf(p.console, "%s ", arg.Value)
			}
			fmt.Fprintln(p.console)
			if ev.Type == runtime.APITypeError {
				fmt.Fprintf(p.problems, "console.error: %s\n", ev.Args[0].Value)
			}
		case *runtime.EventExceptionThrown:
			fmt.Fprintln(p.console, ev.ExceptionDetails.Error())
			fmt.Fprintln(p.problems, ev.ExceptionDetails.Error())
		case *log.EventEntryAdded:
			fmt.Fprintln(p.console, ev.Entry.Level, ev.Entry.Text, ev.Entry.URL)
			if ev.Entry.Level == log.LevelError {
				fmt.Fprintln(p.problems, ev.Entry.Text, ev.Entry.URL)
			}
		}
	})
	t.Cleanup(func() {
		var png []byte
		if err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot(&png)); err != nil {
			t.Errorf("screenshot: %v", err)
		}
		keep(t, "screenshot.png", png)
		keep(t, "console.log", []byte(p.console.String()))
	})
	if err := chromedp.Run(p.ctx, chromedp.Navigate(url)); err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	return p
}

// state asks the video element.
func (p *page) state(t *testing.T) (s watchState) {
	t.Helper()
	var text string
	if err := chromedp.Run(p.ctx, chromedp.Evaluate(readState, &text)); err != nil {
		t.Fatalf("ask the page: %v", err)
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("the page answers %q: %v", text, err)
	}
	return s
}

// firstFrame waits until the video has begun to play, or failed to.
func (p *page) firstFrame(t *testing.T) (s watchState) {
	t.Helper()
	eventually(t, 90*time.Second, "a frame decoded", func() bool {
		s = p.state(t)
		return s.Decoded > 0 && s.Time > 0 || len(s.Fatal) > 0
	})
	t.Logf("first frame after %s", time.Since(p.opened).Round(10*time.Millisecond))
	return s
}

// framePlays waits until the player in a frame from address plays.
func (p *page) framePlays(t *testing.T, address string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, 4*time.Minute, "the frame from "+address+" plays", func() bool {
		p.mu.Lock()
		i := slices.IndexFunc(p.inside, func(c *runtime.ExecutionContextDescription) bool { return c.Origin == u.Scheme+"://"+u.Host })
		id := ""
		if i >= 0 {
			id = p.inside[i].UniqueID
		}
		p.mu.Unlock()
		if id == "" {
			return false
		}
		var at float64
		_ = chromedp.Run(p.ctx, chromedp.ActionFunc(func(ctx context.Context) error { // it may be gone: then another one comes
			r, _, err := runtime.Evaluate(fmt.Sprintf(videoN, 0) + "?.currentTime").WithUniqueContextID(id).Do(ctx)
			if err == nil && r.Value != nil {
				_ = json.Unmarshal([]byte(r.Value), &at) // not a number before it plays
			}
			return err
		}))
		return at > 1
	})
}

// chromium starts a browser of its own for the test: a tab in the background
// would be throttled. It may only reach 127.0.0.1, and trusts frontCertificate. more are
// further flags.
func chromium(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	own, err := frontCertificate()
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(tool(t, "chromium", "chromium-browser", "google-chrome")),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("ignore-certificate-errors-spki-list", own.spki),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true),
		chromedp.DisableGPU,
		chromedp.WindowSize(800, 600),
		chromedp.WSURLReadTimeout(2*time.Minute), // a busy machine needs more than the 20 s it has
	)
	options = append(options, more...)
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 8*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}
