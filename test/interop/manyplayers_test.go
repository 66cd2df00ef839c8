package interop

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// manyPage plays all streams of its data at once. It reads off each picture when
// it was sent: see timedPicture.
const manyPage = `<!doctype html><title>many</title><body>
<script src="/hls.js/hls.min.js"></script>
<script src="/video.js/video.min.js"></script>
<script>
const { player, base } = %s;
let names, begun;

function begin(name) {
	const w = { name, fatal: [], trace: [], furthest: 0, behind: 0, edge: 0, last: 0, freeze: 0, first: 0, samples: [] };
	const video = document.createElement("video");
	video.muted = true; video.playsInline = true; video.width = 160; video.height = 120;
	document.body.append(video);
	const url = base + name + ".m3u8";
	const say = (...a) => w.trace.push(((Date.now() - begun) / 1000).toFixed(1) + " " + a.join(" "));
	let edge = () => 0;
	if (player === "hls.js") {
		const hls = new Hls({ enableWorker: false });
		hls.on(Hls.Events.ERROR, (_, d) => { say(d.details, d.error ? d.error.message : "", d.reason || ""); if (d.fatal) w.fatal.push(d.type + " " + d.details); });
		hls.on(Hls.Events.MANIFEST_PARSED, () => video.play());
		hls.loadSource(url);
		hls.attachMedia(video);
		edge = () => hls.latency;
	} else {
		video.className = "video-js";
		const p = videojs(video, { muted: true, autoplay: true, html5: { vhs: { overrideNative: true } } });
		p.on("error", () => w.fatal.push("video.js " + p.error().code + " " + p.error().message));
		p.src({ src: url, type: "application/vnd.apple.mpegurl" });
		edge = () => { // from the end of the newest playlist, and its age
			const vhs = p.tech(true) && p.tech(true).vhs, media = vhs && vhs.playlists && vhs.playlists.media();
			if (!media || !p.seekable().length) return 0;
			return p.seekable().end(0) + 3 * media.targetDuration - w.video().currentTime;
		};
	}
	w.video = () => document.getElementsByTagName("video")[names.indexOf(name)];

	const canvas = new OffscreenCanvas(160, 1), pen = canvas.getContext("2d", { willReadFrequently: true });
	const seen = () => {
		const v = w.video(), now = (Date.now() - begun) / 1000;
		if (!w.first) { w.first = now; w.from = v.currentTime; w.moved = now; }
		pen.drawImage(v, 0, 4, 160, 1, 0, 0, 160, 1);
		const px = pen.getImageData(0, 0, 160, 1).data;
		let tenths = 0;
		for (let bit = 0; bit < 10; bit++) if (px[4 * (16 * bit + 8)] > 128) tenths += 1 << bit;
		w.last = tenths / 10;
		w.behind = now - w.last;
		w.furthest = Math.max(w.furthest, w.behind);
	};
	// By time, not by frame: a callback for each frame misses the one that follows it
	// at once and then stands.
	setInterval(() => { if (w.video().readyState >= 2) seen(); }, 200);

	let time = 0;
	setInterval(() => {
		const v = w.video(), now = (Date.now() - begun) / 1000;
		if (!w.first || v.ended) return;
		if (v.currentTime !== time) { time = v.currentTime; w.moved = now; }
		w.freeze = Math.max(w.freeze, now - w.moved);
		w.samples.push([v.currentTime, w.last]);
		if (now - w.first > 4) w.edge = Math.max(w.edge, edge());
	}, 100);
	setInterval(() => {
		const v = w.video(), b = v.buffered;
		say("at", v.currentTime.toFixed(1), "state", v.readyState, "buffered", ...Array.from({ length: b.length }, (_, i) => b.start(i).toFixed(1) + "-" + b.end(i).toFixed(1)), "shows", w.last, "edge", edge().toFixed(1));
	}, 2000);
	w.report = () => {
		const v = w.video();
		return { Name: name, Fatal: w.fatal, Played: v.currentTime - (w.from || 0), Watched: w.first ? (Date.now() - begun) / 1000 - w.first : 0,
			Freeze: w.freeze, Behind: w.behind, Furthest: w.furthest, Edge: w.edge, Last: w.last, Samples: w.samples,
			Decoded: v.getVideoPlaybackQuality().totalVideoFrames, Trace: w.trace.join("\n") };
	};
	return w;
}
let all;
window.start = (streams, at) => { names = streams; begun = at; all = names.map(begin); };
window.report = () => JSON.stringify(all.map(w => w.report()));
</script>`

// openMany opens the page. It plays nothing yet: a browser can take half a minute to
// start on a busy machine, which is no time of the show.
func (s *server) openMany(t *testing.T, player string) *page {
	t.Helper()
	data, err := json.Marshal(map[string]string{"player": player, "base": "http://" + s.http + "/live/"})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("testdata/vendor")))
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, manyPage, data) })
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	return open(t, site.URL+"/page")
}

// watchMany has the page of openMany play all streams, which are live, and says at the
// end of the time, which counts from begun, what a viewer had of each.
func (p *page) watchMany(t *testing.T, names []string, begun time.Time, until time.Duration) (all []watched) {
	t.Helper()
	streams, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Run(p.ctx, chromedp.Evaluate(fmt.Sprintf("start(%s, %d)", streams, begun.UnixMilli()), nil)); err != nil {
		t.Fatalf("start the players: %v", err)
	}
	time.Sleep(time.Until(begun.Add(until))) // the length of the show, not a synchronisation
	var text string
	if err := chromedp.Run(p.ctx, chromedp.Evaluate("report()", &text)); err != nil {
		t.Fatalf("ask the page: %v", err)
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("the page answers %q: %v", text, err)
	}
	keep(t, "watched.json", []byte(text))
	return all
}
