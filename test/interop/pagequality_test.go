package interop

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// sendLadder publishes the renditions of ladderTags until the test ends.
func sendLadder(t *testing.T, s *server, stream string) {
	t.Helper()
	const seconds, times = 10, 60
	once, _ := ladderTags(t, seconds)
	var tags []sentTag
	for i := range uint32(times) {
		for _, tag := range once {
			tag.timestamp += i * seconds * 1000
			tag.at += i * seconds * 1000
			tags = append(tags, tag)
		}
	}
	sendLong(t, s, stream, tags)
}

// sendLong publishes tags until the test ends.
func sendLong(t *testing.T, s *server, stream string, tags []sentTag) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	go func() { sent <- sendInTime(ctx, s, stream, tags, time.Now()) }()
	t.Cleanup(func() {
		cancel()
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
}

// pagedDASH is startPaged where the only output is DASH, with more in its block.
func pagedDASH(t *testing.T, more string) *server {
	t.Helper()
	s := &server{dir: t.TempDir()}
	text := s.paged(t, "")
	before, rest, _ := strings.Cut(text, "    hls {\n")
	_, behind, ok := strings.Cut(rest, "    }\n")
	if !ok {
		t.Fatalf("examples/pages.hcl has no hls block:\n%s", text)
	}
	s.run(t, before+"    dash {\n      path     = \""+s.dir+"/www/live\"\n      fragment = \"2s\"\n"+more+"    }\n"+behind)
	return s
}

// menuOf is the menu of qualities of the first player, and its options.
var (
	menuOf    = fmt.Sprintf(playerN, 0) + `.shadowRoot.querySelector("select")`
	optionsOf = "[..." + menuOf + ".options].map((o) => o.textContent)"
	heightOf  = fmt.Sprintf(videoN, 0) + ".videoHeight"
)

// TestAPageOfDASHRenditions chooses a size in the menu of a page that plays DASH.
func TestAPageOfDASHRenditions(t *testing.T) {
	t.Parallel()
	s := pagedDASH(t, "")
	sendLadder(t, s, "test")
	eventually(t, 60*time.Second, "three sizes", func() bool {
		text, err := get("http://" + s.http + "/live/test.mpd")
		return err == nil && strings.Count(string(text), "<Representation id=\"video") == 3
	})
	p := open(t, "http://"+s.http+"/test.html")
	p.plays(t, 0)
	var options []string
	eventually(t, 60*time.Second, "a menu of qualities", func() bool {
		p.eval(t, optionsOf, &options)
		return len(options) == 4
	})
	if !strings.HasPrefix(options[0], "Auto (") || !strings.HasPrefix(options[1], "360p · ") || !strings.HasPrefix(options[3], "90p · ") {
		t.Errorf("the menu is %q", options)
	}
	for i, height := range map[int]int{3: 90, 1: 360} {
		p.eval(t, fmt.Sprintf(`%[1]s.selectedIndex = %[2]d; %[1]s.dispatchEvent(new Event("change")); 0`, menuOf, i), nil)
		eventually(t, 2*time.Minute, fmt.Sprintf("the picture is %d high", height), func() bool {
			var got, chosen int
			p.eval(t, heightOf, &got)
			p.eval(t, menuOf+".selectedIndex", &chosen)
			return got == height && chosen == i
		})
	}
	p.plays(t, 0)
	p.shot(t, "menu")
	p.eval(t, fmt.Sprintf(`%[1]s.selectedIndex = 0; %[1]s.dispatchEvent(new Event("change")); 0`, menuOf), nil)
	eventually(t, time.Minute, "the player chooses again", func() bool {
		p.eval(t, optionsOf, &options)
		return len(options) == 4 && strings.HasPrefix(options[0], "Auto (")
	})
	p.quiet(t)
}

// TestAPageOfDASHCaptions turns captions on where a page plays DASH.
func TestAPageOfDASHCaptions(t *testing.T) {
	t.Parallel()
	s := pagedDASH(t, "")
	sendLong(t, s, "test", captioned(t))
	eventually(t, 60*time.Second, "the MPD declares captions", func() bool {
		text, err := get("http://" + s.http + "/live/test.mpd")
		return err == nil && strings.Contains(string(text), `<Accessibility schemeIdUri="urn:scte:dash:cc:cea-608:2015" value="CC1=und"/>`)
	})
	p := open(t, "http://"+s.http+"/test.html")
	p.plays(t, 0)
	button := fmt.Sprintf(playerN, 0) + `.shadowRoot.querySelector("[aria-label=Captions]")`
	eventually(t, 60*time.Second, "a button for captions", func() (there bool) {
		p.eval(t, "!"+button+".hidden", &there)
		return there
	})
	var pressed string
	if p.eval(t, button+`.getAttribute("aria-pressed")`, &pressed); pressed != "false" {
		t.Errorf("the captions are on from the beginning: %s", pressed)
	}
	p.eval(t, button+".click()", nil)
	eventually(t, 60*time.Second, "the captions are seen", func() bool {
		var text string
		p.eval(t, `[...`+fmt.Sprintf(videoN, 0)+`.textTracks].filter((t) => t.mode === "showing").flatMap((t) => [...t.activeCues || []]).map((c) => c.text).join("|")`, &text)
		return strings.Contains(text, "RTMPD ")
	})
	p.shot(t, "captions")
	p.eval(t, button+".click()", nil)
	eventually(t, 90*time.Second, "the captions are off", func() bool {
		p.eval(t, button+`.getAttribute("aria-pressed")`, &pressed)
		return pressed == "false"
	})
	p.quiet(t)
}

// TestAPageOfDASHWhoseCaptionsBegin plays on when captions appear in the pictures.
func TestAPageOfDASHWhoseCaptionsBegin(t *testing.T) {
	t.Parallel()
	const seconds = 8 // without
	var tags []sentTag
	for _, tag := range flvTags(t, testcard) {
		if tag.timestamp < seconds*1000 {
			tags = append(tags, sentTag{tag, tag.timestamp})
		}
	}
	for _, tag := range captioned(t) {
		tag.timestamp += seconds * 1000
		tag.at += seconds * 1000
		tags = append(tags, tag)
	}
	s := pagedDASH(t, "")
	sendLong(t, s, "test", tags)
	p := open(t, "http://"+s.http+"/test.html")
	p.plays(t, 0)
	eventually(t, 2*time.Minute, "it plays what has captions", func() bool {
		text, err := get("http://" + s.http + "/live/test.mpd")
		var at float64
		p.eval(t, fmt.Sprintf(videoN, 0)+".currentTime", &at)
		return err == nil && strings.Count(string(text), "<Period") == 2 && strings.Count(string(text), "cea-608") == 1 && at > seconds+6
	})
	p.plays(t, 0)
	p.quiet(t)
}

// A slowLine is a reverse proxy whose answers take as long as a line of a bit rate needs.
type slowLine struct {
	*httptest.Server
	rate atomic.Int64 // bits/s for all together; 0: no bound
}

func newSlowLine(t *testing.T, s *server) *slowLine {
	t.Helper()
	target, err := url.Parse("http://" + s.http)
	if err != nil {
		t.Fatal(err)
	}
	l := new(slowLine)
	turn := make(chan struct{}, 1) // one answer at a time has the line
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.StatusCode != http.StatusSwitchingProtocols {
			r.Body = &slowBody{r.Body, l, turn}
		}
		return nil
	}
	l.Server = httptest.NewServer(proxy)
	t.Cleanup(func() { l.CloseClientConnections(); l.Close() })
	return l
}

type slowBody struct {
	io.ReadCloser
	line *slowLine
	turn chan struct{}
}

func (b *slowBody) Read(p []byte) (int, error) {
	if rate := b.line.rate.Load(); rate > 0 {
		b.turn <- struct{}{}
		defer func() { <-b.turn }()
		n, err := b.ReadCloser.Read(p[:min(len(p), 1400)])
		time.Sleep(time.Duration(int64(n) * 8 * int64(time.Second) / rate)) // the line, not a synchronisation
		return n, err
	}
	return b.ReadCloser.Read(p)
}

// TestAPageOnALineThatBecomesSlow falls to a smaller size when the line no longer carries
// the large one, and plays on.
func TestAPageOnALineThatBecomesSlow(t *testing.T) {
	t.Parallel()
	s := startPaged(t, "")
	sendLadder(t, s, "test")
	s.waitPlaylist(t, "test", "names three sizes", 60*time.Second, func(text string) bool { return strings.Count(text, "RESOLUTION=") == 3 })
	line := newSlowLine(t, s)
	p := open(t, line.URL+"/test.html")
	p.plays(t, 0)
	height := func(want string, ok func(int) bool) {
		t.Helper()
		eventually(t, 2*time.Minute, want, func() bool {
			var got int
			p.eval(t, heightOf, &got)
			return ok(got)
		})
	}
	height("it shows the largest size", func(h int) bool { return h == 360 })
	rates := bandwidths(t, s, "test")
	t.Logf("the sizes need %d bits/s", rates)
	line.rate.Store((rates[0] + 2*rates[1]) / 3) // enough for all but the largest
	height("it shows a smaller size", func(h int) bool { return h > 0 && h < 360 })
	p.plays(t, 0)
	p.shot(t, "slow")
}

// bandwidths are those of the multivariant playlist, the largest first.
func bandwidths(t *testing.T, s *server, stream string) (all []int64) {
	t.Helper()
	text, err := get(s.hlsURL(stream))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var n int64
		if _, rest, ok := strings.Cut(line, ":BANDWIDTH="); ok {
			if _, err := fmt.Sscanf(rest, "%d", &n); err != nil {
				t.Fatal(err)
			}
			all = append(all, n)
		}
	}
	slices.Sort(all)
	slices.Reverse(all)
	return all
}

// TestFirstPictureOfAPage: a page of a live stream asks for nothing that
// it does not need before the first segment, and for nothing that waits.
func TestFirstPictureOfAPage(t *testing.T) {
	t.Parallel()
	beside := together(t)
	defer beside.Wait()
	for name, c := range map[string]struct {
		hls  string
		want []string
	}{
		"ts": {`fragment = "2s"`, []string{"hls.min.js", "page.css", "page.js", "player.js", "test.m3u8"}},
		"mp4": {"fragment = \"2s\"\n      format = \"fmp4\"", []string{
			"hls.min.js", "page.css", "page.js", "player.js", "test-audio.m3u8", "test-video.m3u8", "test.m3u8",
		}},
	} {
		beside.Run(name, func(t *testing.T) {
			s := &server{dir: t.TempDir()}
			s.run(t, strings.Replace(s.paged(t, ""), `fragment = "2s"`, c.hls, 1))
			s.publish(t, "test", forEver)
			eventually(t, 60*time.Second, "there are three fragments", func() bool {
				list := "/live/test.m3u8"
				if name == "mp4" {
					list = "/live/test-video.m3u8"
				}
				text, err := get("http://" + s.http + list)
				return err == nil && strings.Count(string(text), "#EXTINF") >= 3
			})
			var mu atomic.Pointer[[]string]
			mu.Store(new([]string))
			p := open(t, "about:blank")
			chromedp.ListenTarget(p.ctx, func(ev any) { // in the browser's order
				if ev, ok := ev.(*network.EventRequestWillBeSent); ok && strings.HasPrefix(ev.Request.URL, "http") {
					list := append(slices.Clone(*mu.Load()), ev.Request.URL)
					mu.Store(&list)
				}
			})
			if err := chromedp.Run(p.ctx, network.Enable(), chromedp.Navigate("http://"+s.http+"/test.html")); err != nil {
				t.Fatal(err)
			}
			p.plays(t, 0)
			var before []string
			for _, asked := range (*mu.Load())[1:] { // behind the page
				u, err := url.Parse(asked)
				if err != nil {
					t.Fatal(err)
				}
				file := path.Base(u.Path)
				if ext := path.Ext(file); ext == ".ts" || ext == ".m4s" || ext == ".mp4" {
					break
				}
				if strings.Contains(u.RawQuery, "_HLS_") {
					t.Errorf("it waits for %s before the first segment", asked)
				}
				before = append(before, file)
			}
			slices.Sort(before)
			if !slices.Equal(before, c.want) {
				t.Errorf("before the first segment it asks for %q, want %q", before, c.want)
			}
		})
	}
}
