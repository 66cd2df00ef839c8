//go:build latency

package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

func init() { benchmarks = true }

// The wall clock is burned into the picture as it is encoded: clockBits squares, white is 1,
// the lowest bit first, in ticks of 20 ms.
const (
	clockBits = 13 // 163 s until it comes round
	clockTick = 20 // ms
	clockSide = 40 // pixels
)

// readClock has the page compare each picture that it shows with its own clock: seen are the
// differences in ms.
var readClock = fmt.Sprintf(`(() => {
const [bits, tick, side] = [%d, %d, %d];
const strip = new OffscreenCanvas(bits * side, side).getContext("2d", { willReadFrequently: true });
const player = document.querySelector(".rtmpd-player");
const video = player ? player.shadowRoot.querySelector("video:not(.still)") : document.querySelector("video");
const turn = 2 ** bits * tick;
window.seen = [];
const read = (now, frame) => {
	strip.drawImage(video, 0, 0, bits * side, side, 0, 0, bits * side, side);
	let ticks = 0;
	for (let k = 0; k < bits; k++)
		if (strip.getImageData(k * side + side / 2, side / 2, 1, 1).data[1] > 127) ticks += 2 ** k;
	const shown = performance.timeOrigin + frame.expectedDisplayTime;
	seen.push(((shown - ticks * tick) %% turn + turn) %% turn);
	video.requestVideoFrameCallback(read);
};
video.requestVideoFrameCallback(read);
return "";
})()`, clockBits, clockTick, clockSide)

// ffmpegClock publishes like ffmpegLive, with the clock in the picture. It is drawn where
// the encoder takes the picture: what is drawn at the source waits in a queue of eight
// pictures before it is encoded, because there are two sources.
func ffmpegClock(t *testing.T, url string) *exec.Cmd {
	var squares []string
	for k := range clockBits {
		squares = append(squares, fmt.Sprintf("drawbox=x=%d:y=0:w=%d:h=%d:t=fill:color=black", k*clockSide, clockSide, clockSide),
			fmt.Sprintf("drawbox=x=%d:y=0:w=%d:h=%d:t=fill:color=white:enable='gte(mod(floor(time(0)*%d/%d),2),1)'", k*clockSide, clockSide, clockSide, 1000/clockTick, 1<<k))
	}
	cmd := ffmpegLive(t, url)
	codec := slices.Index(cmd.Args, "-c:v")
	cmd.Args = slices.Insert(cmd.Args, codec, "-vf", strings.Join(squares, ","))
	return cmd
}

const latencyConfig = `
state_dir   = "%[1]s/state"
runtime_dir = "%[1]s/run"

rtmp {
  listen = "127.0.0.1:0"

  application "live" {
    hls {
      path        = "%[1]s/www/live"
      format      = "fmp4"
      low_latency = true
      fragment    = "1s"
    }

    dash {
      path        = "%[1]s/www/live"
      low_latency = true
      fragment    = "1s"
      clock       = "http_iso"
    }
  }
}

http {
  listen = "127.0.0.1:0"

  location "/live" {
    root = "%[1]s/www"
  }

  location "/" {
    player {}
  }

  location "/health" {
    health {}
  }
}
`

// TestGlassToGlass measures how old a picture is when Chromium shows it, from the encoder's
// filter on: one stream with a keyframe a second, one player at a time, everything on
// loopback. Run it where nothing else runs: make bench-latency.
func TestGlassToGlass(t *testing.T) {
	s := &server{dir: t.TempDir()}
	s.run(t, strings.ReplaceAll(latencyConfig, "%[1]s", s.dir))
	background(t, ffmpegClock(t, s.rtmpURL("test")))
	s.waitFragments(t, "test")
	t.Run("parts", func(t *testing.T) { s.measureParts(t, "test") })
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("testdata/vendor")))
	for path, page := range map[string]string{"/hls.js.html": strictPage, "/dash.js.html": dashjsPage, "/shaka.html": shakaPage} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, page, html.EscapeString(r.URL.RawQuery))
		})
	}
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	for _, c := range []struct {
		name, url string
		p50, p95  time.Duration // goals; 0: none
	}{
		{"the page of rtmpd", "http://" + s.http + "/test.html", time.Second, 1200 * time.Millisecond},
		{"hls.js, low latency", site.URL + "/hls.js.html?" + s.hlsURL("test"), time.Second, 1200 * time.Millisecond},
		{"dash.js, low latency", site.URL + "/dash.js.html?" + s.dashURL("test"), 2 * time.Second, 0},
		{"Shaka Player, low latency HLS", site.URL + "/shaka.html?" + s.hlsURL("test"), 0, 0},
		{"hls.js, plain", site.URL + "/hls.js.html?" + s.hlsURL("test") + "?_ll=0", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) { measureClock(t, c.url, c.p50, c.p95) })
	}
}

// measureParts measures how old the newest picture of a part is when a player has the part:
// what a player adds to that is its distance from the newest part, and the screen. The
// picture after it must have come, because only then it is known how long it lasts.
func (s *server) measureParts(t *testing.T, stream string) {
	base := "http://" + s.http + "/live/"
	load := func(name string) []byte {
		body, err := get(base + name)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	name := stream + "-video.m3u8"
	first := regexp.MustCompile(`PRELOAD-HINT:TYPE=PART,URI="[^"]+"`)
	all := regexp.MustCompile(`#EXT-X-PART:DURATION=([0-9.]+),URI="([^"]+)"`)
	list := string(load(name))
	if !first.MatchString(list) {
		t.Fatalf("a playlist without parts:\n%s", list)
	}
	media := bytes.NewBuffer(load(regexp.MustCompile(`MAP:URI="([^"]+)"`).FindStringSubmatch(list)[1]))
	had := make(map[string]bool)
	for _, part := range all.FindAllStringSubmatch(list, -1) {
		had[part[2]] = true
	}
	type arrival struct {
		at       int64 // Unix ms
		pictures int   // in all parts so far
	}
	var came []arrival
	report := regexp.MustCompile(`MEDIA-SEQUENCE:([0-9]+)`)
	for pictures := 0; len(came) < 50; {
		// The part behind the newest one, which may be the first of the next segment.
		begins, _ := strconv.Atoi(report.FindStringSubmatch(list)[1])
		msn := begins + strings.Count(list, "#EXTINF")
		part := strings.Count(list[strings.LastIndex(list, "#EXTINF"):], "#EXT-X-PART:")
		list = string(load(fmt.Sprintf("%s?_HLS_msn=%d&_HLS_part=%d", name, msn, part)))
		for _, part := range all.FindAllStringSubmatch(list, -1) {
			if had[part[2]] {
				continue
			}
			had[part[2]] = true
			media.Write(load(part[2]))
			seconds, _ := strconv.ParseFloat(part[1], 64)
			pictures += int(seconds*30 + 0.5)
			came = append(came, arrival{time.Now().UnixMilli(), pictures})
		}
	}
	file := filepath.Join(t.TempDir(), "parts.mp4")
	if err := os.WriteFile(file, media.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	gray, err := command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-i", file, "-vf", fmt.Sprintf("crop=%d:%d:0:0", clockBits*clockSide, clockSide),
		"-pix_fmt", "gray", "-fps_mode", "passthrough", "-f", "rawvideo", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	const line, turn = clockBits * clockSide, clockTick << clockBits
	if got, want := len(gray)/line/clockSide, came[len(came)-1].pictures; got != want {
		t.Fatalf("%d pictures in the parts, want %d", got, want)
	}
	var ages []float64
	for _, c := range came {
		row := gray[(c.pictures-1)*line*clockSide+clockSide/2*line:]
		ticks := int64(0)
		for k := range clockBits {
			if row[k*clockSide+clockSide/2] > 127 {
				ticks |= 1 << k
			}
		}
		ages = append(ages, float64(((c.at-ticks*clockTick)%turn+turn)%turn))
	}
	slices.Sort(ages)
	t.Logf("the newest picture of a part is p50 %.0f ms, p95 %.0f ms old", ages[len(ages)/2], ages[len(ages)*95/100])
}

func measureClock(t *testing.T, url string, wantP50, wantP95 time.Duration) {
	p := open(t, url)
	p.firstFrame(t)
	time.Sleep(10 * time.Second) // players find their place
	var text string
	if err := chromedp.Run(p.ctx, chromedp.Evaluate(readClock, &text)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(30 * time.Second) // the measurement
	if err := chromedp.Run(p.ctx, chromedp.Evaluate("JSON.stringify(seen)", &text)); err != nil {
		t.Fatal(err)
	}
	var seen []float64
	if err := json.Unmarshal([]byte(text), &seen); err != nil {
		t.Fatal(err)
	}
	if len(seen) < 300 {
		t.Fatalf("%d pictures in 30 s", len(seen))
	}
	slices.Sort(seen)
	at := func(share float64) time.Duration {
		return time.Duration(seen[int(share*float64(len(seen)-1))]) * time.Millisecond
	}
	p50, p95 := at(0.5), at(0.95)
	goal := ""
	if wantP50 > 0 {
		goal = " (goal: p50 " + wantP50.String()
		if wantP95 > 0 {
			goal += ", p95 " + wantP95.String()
		}
		goal += ")"
	}
	t.Log("p50 " + p50.String() + ", p95 " + p95.String() + ", " + strconv.Itoa(len(seen)) + " pictures" + goal)
	if wantP50 > 0 && p50 > wantP50 || wantP95 > 0 && p95 > wantP95 {
		t.Error("the goal is missed")
	}
	if state := p.state(t); len(state.Fatal) > 0 {
		t.Errorf("errors: %s", strings.Join(state.Fatal, "; "))
	}
}

// noteFirst has a page note when its player shows the first picture, in ms from the begin of
// the navigation.
const noteFirst = `(() => {
const look = () => {
	const v = document.querySelector(".rtmpd-player")?.shadowRoot.querySelector("video:not(.still)");
	if (v) v.requestVideoFrameCallback((now) => (window.firstPicture = now));
	else requestAnimationFrame(look);
};
look();
})()`

// TestFirstPictureBench measures how long after the address was entered a page shows a
// picture, on loopback, in a browser that has nothing of it.
func TestFirstPictureBench(t *testing.T) {
	const goal = time.Second
	for _, c := range []struct{ name, hls string }{
		{"fragments of 2 s", `fragment = "2s"`},
		{"fragmented MP4", "fragment = \"2s\"\n      format = \"fmp4\""},
		{"low latency", "fragment = \"1s\"\n      format = \"fmp4\"\n      low_latency = true"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &server{dir: shortDir(t)}
			s.run(t, strings.Replace(s.paged(t, ""), `fragment = "2s"`, c.hls, 1))
			background(t, ffmpegLive(t, s.rtmpURL("test")))
			time.Sleep(10 * time.Second) // a playlist as everybody finds it
			var all []time.Duration
			once := func(t *testing.T) {
				p := open(t, "about:blank")
				note := chromedp.ActionFunc(func(ctx context.Context) error {
					_, err := cdppage.AddScriptToEvaluateOnNewDocument(noteFirst).Do(ctx)
					return err
				})
				if err := chromedp.Run(p.ctx, note, chromedp.Navigate("http://"+s.http+"/test.html")); err != nil {
					t.Fatal(err)
				}
				var ms float64
				eventually(t, time.Minute, "a picture", func() bool {
					p.eval(t, "window.firstPicture || 0", &ms)
					return ms > 0
				})
				all = append(all, time.Duration(ms)*time.Millisecond)
			}
			for range 5 { // each in a browser that is alone
				t.Run("once", once)
			}
			slices.Sort(all)
			t.Logf("first picture after %v, of %v (goal: %v)", all[len(all)/2], all, goal)
			if all[len(all)/2] > goal {
				t.Error("the goal is missed")
			}
		})
	}
}
