package interop

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// pacePage has a player whose hls.js, buffer and clock the test moves.
const pacePage = `<!doctype html><title>pace</title><link rel="icon" href="data:,"><body>
<script src="/player.js"></script>
<script>
let clock = 0;
performance.now = () => clock;
const Engine = window.Engine = { latency: 3, target: 0.63, ahead: 1, made: null };
const player = rtmpdPlay("x", { info: { state: "live", source: [{ type: "html5/application/vnd.apple.mpegurl", relurl: "x.m3u8" }] } });
const video = player.video;
const fix = (name, get, set) => Object.defineProperty(video, name, { get, set });
fix("paused", () => false);
fix("seeking", () => false);
fix("currentTime", () => 10, (at) => (Engine.sought = at));
fix("buffered", () => ({ length: 1, start: () => 0, end: () => 10 + Engine.ahead }));
// at says with what speed it plays after 3 s at that distance.
const at = (latency, ahead) => {
	clock += 3000;
	Object.assign(Engine, { latency, ahead });
	video.dispatchEvent(new Event("timeupdate"));
	return video.playbackRate;
};
// dry has the buffer run empty, and fill again.
const dry = () => {
	Engine.ahead = 0;
	video.dispatchEvent(new Event("waiting"));
	Engine.ahead = 1;
	video.dispatchEvent(new Event("playing"));
};
const loaded = (partTarget) => Engine.made.handlers.levelLoaded.forEach((f) => f("levelLoaded", { details: { live: true, partTarget } }));
</script>`

// paceEngine is what pacePage has for hls.js.
const paceEngine = `window.Hls = class {
	static isSupported() { return true; }
	static Events = { MANIFEST_PARSED: "manifestParsed", LEVEL_SWITCHED: "levelSwitched", LEVEL_LOADED: "levelLoaded", ERROR: "error" };
	static ErrorDetails = {};
	static ErrorTypes = {};
	handlers = {};
	levels = [];
	config = {};
	constructor() { Engine.made = this; }
	on(event, f) { (this.handlers[event] ??= []).push(f); }
	loadSource() {}
	attachMedia() {}
	destroy() {}
	get latency() { return Engine.latency; }
	get targetLatency() { return Engine.target; }
	get liveSyncPosition() { return 42; }
};`

// A page keeps the distance to the newest part that a playlist asks for: it catches up with
// it, goes no nearer than the line allows, and leaves alone what a viewer chose.
func TestAPageKeepsUpWithLowLatency(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, pacePage) })
	mux.HandleFunc("/hls.min.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, paceEngine)
	})
	mux.HandleFunc("/player.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, "../../internal/pages/player.js")
	})
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	p := open(t, site.URL+"/")
	if err := chromedp.Run(p.ctx, chromedp.Poll("Engine.made !== null", nil)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, do string
		want     string
	}{
		{"without parts it is not in a hurry", `loaded(0); at(3, 2)`, "1"},
		{"it catches up", `loaded(0.2); at(1.6, 0.9)`, "1.1"},
		{"it goes on until it is there", `at(0.68, 0.4)`, "1.1"},
		{"it is there", `at(0.64, 0.4)`, "1"},
		{"a little later is no matter", `at(0.7, 0.4)`, "1"},
		{"it does not empty the buffer", `at(1.6, 0.15)`, "1"},
		{"who is far behind has chosen that", `at(20, 15)`, "1"},
		{"so has who plays faster", `video.playbackRate = 1.5; at(1.6, 0.9)`, "1.5"},
		{"until it is over", `video.playbackRate = 1; at(1.6, 0.9)`, "1.1"},
		{"it keeps more in the buffer after that was empty", `dry(); at(0.83, 0.4)`, "1"},
		{"and makes it so", `at(0.7, 0.4)`, "0.95"},
		{"a short pause is caught up with", `Engine.latency = 2.5; dry(); String(Engine.sought)`, "undefined"},
		{"after a long one it goes on where the stream is", `Engine.latency = 8; dry(); Engine.sought`, "42"},
		{"hls.js keeps its hands off", `Engine.made.config.liveSyncOnStallIncrease + "/" + Engine.made.config.maxLiveSyncPlaybackRate`, "0/undefined"},
	} {
		var got string
		p.eval(t, "String((() => { const all = ["+strings.ReplaceAll(c.do, ";", ",")+"]; return all[all.length - 1]; })())", &got)
		if got != c.want {
			t.Errorf("%s: %s is %s, want %s", c.name, c.do, got, c.want)
		}
	}
}
