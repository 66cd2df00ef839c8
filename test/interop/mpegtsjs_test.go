package interop

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// mpegtsjsPage has a player for each type and URL in its data-sources attribute. What a
// player says is an error is fatal, as is what it writes to the console as one.
const mpegtsjsPage = `<!doctype html><title>mpegts.js</title><link rel="icon" href="data:,"><body data-sources="%s">
<script>
window.fatal = [];
window.ended = [];
const said = console.error;
console.error = (...words) => { fatal.push(words.join(" ")); said(...words); };
window.addEventListener("error", e => fatal.push(e.message));
</script>
<script src="/mpegts.js/mpegts.js"></script>
<script>
for (const source of JSON.parse(document.body.dataset.sources)) {
	const video = document.body.appendChild(document.createElement("video"));
	Object.assign(video, { muted: true, width: 320, height: 180 });
	const player = mpegts.createPlayer({ ...source, isLive: true });
	player.on(mpegts.Events.ERROR, (...words) => fatal.push(source.url + " " + words.map(w => JSON.stringify(w)).join(" ")));
	player.on(mpegts.Events.LOADING_COMPLETE, () => ended.push(source.url));
	player.attachMediaElement(video);
	player.load();
	player.play();
}
</script>`

// readMpegtsjs is the state of each player, and of the page.
const readMpegtsjs = `JSON.stringify({
	fatal, ended,
	players: [...document.querySelectorAll("video")].map(v => ({ time: v.currentTime, decoded: v.getVideoPlaybackQuality().totalVideoFrames })),
})`

// mpegts.js plays the progressive outputs over HTTP and over a WebSocket, and hears of the
// stream's end as such.
func TestMpegtsjsPlaysProgressiveOutputs(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	publisher := command(t, 5*time.Minute, "ffmpeg", "-nostdin", "-v", "warning", "-re",
		"-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
		"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-bf", "2", "-b:v", "300k",
		"-c:a", "aac", "-b:a", "64k", "-f", "flv", s.rtmpURL("test"))
	background(t, publisher)
	s.waitLive(t, "test")

	type source struct {
		Type string `json:"type"`
		URL  string `json:"url"`
	}
	var sources []source
	for _, scheme := range []string{"http://", "ws://"} {
		for ext, kind := range map[string]string{".flv": "flv", ".ts": "mpegts"} {
			sources = append(sources, source{kind, scheme + s.http + "/live/test" + ext})
		}
	}
	list, err := json.Marshal(sources)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("testdata/vendor")))
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, mpegtsjsPage, html.EscapeString(string(list)))
	})
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	page := open(t, site.URL+"/page")

	type state struct {
		Fatal, Ended []string
		Players      []struct {
			Time    float64
			Decoded int
		}
	}
	read := func() (now state) {
		t.Helper()
		var text string
		if err := chromedp.Run(page.ctx, chromedp.Evaluate(readMpegtsjs, &text)); err != nil {
			t.Fatalf("ask the page: %v", err)
		}
		if err := json.Unmarshal([]byte(text), &now); err != nil {
			t.Fatalf("the page answers %q: %v", text, err)
		}
		if len(now.Fatal) > 0 {
			t.Fatalf("fatal: %s", strings.Join(now.Fatal, "; "))
		}
		return now
	}
	// Each has a picture, then four seconds more of it, however long that takes here.
	first := read()
	for _, more := range []float64{0, 4} {
		eventually(t, 2*time.Minute, fmt.Sprintf("each of the players has played %g s more", more), func() bool {
			now := read()
			for i, p := range now.Players {
				if p.Time <= first.Players[i].Time+more || p.Decoded <= first.Players[i].Decoded+int(10*more) {
					return false
				}
			}
			if more == 0 {
				first = now
			}
			return len(now.Players) == len(sources)
		})
	}
	if now := read(); len(now.Ended) > 0 {
		t.Errorf("ended while the stream goes on: %q", now.Ended)
	}
	if err := publisher.Cancel(); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "each of the players hears of the end", func() bool { return len(read().Ended) == len(sources) })
	if got := page.problems.String(); got != "" {
		t.Errorf("console: %s", got)
	}
}
