package interop

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// ladderSizes are the renditions of ladderTags, track 0 first; the last one is upright.
var ladderSizes = []string{"640x360", "320x180", "160x90", "180x320"}

// ladderTags is what OBS sends with several renditions: track 0 as it always was, the
// others as multitrack bodies of one track each (Enhanced RTMP v2). files are the
// renditions by themselves.
func ladderTags(t *testing.T, seconds int) (tags []sentTag, files []string) {
	t.Helper()
	for id, size := range ladderSizes {
		file := filepath.Join(t.TempDir(), size+".flv")
		files = append(files, file)
		succeed(t, command(t, 4*time.Minute, "ffmpeg", "-nostdin", "-v", "error",
			"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%s:rate=25:duration=%d", size, seconds),
			"-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=440:sample_rate=44100:duration=%d", seconds),
			"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac", "-f", "flv", file))
		for _, tag := range flvTags(t, file) {
			if tag.kind == tagScript || tag.kind == tagAudio && id > 0 {
				continue
			}
			if id > 0 {
				body := []byte{tag.body[0]&0x70 | 0x86, tag.body[1], 'a', 'v', 'c', '1', byte(id)}
				if tag.body[1] == 1 {
					body = append(body, tag.body[2:5]...) // the composition time
				}
				if tag.body[1] == 2 {
					continue // the end of the sequence
				}
				tag.body = append(body, tag.body[5:]...)
			}
			tags = append(tags, sentTag{tag, tag.timestamp})
		}
	}
	slices.SortStableFunc(tags, func(a, b sentTag) int { return int(a.at) - int(b.at) })
	return tags, files
}

// Every rendition of a multitrack publisher has the frames that were sent for it, cut at
// the same times as those of the others.
func TestLaddersHaveTheSameFrames(t *testing.T) {
	t.Parallel()
	tags, files := ladderTags(t, 8)
	beside := together(t)
	defer beside.Wait()
	for _, c := range []struct {
		name  string
		start func(*testing.T) *server
		list  string
	}{
		{"ts", startServer, ""},
		{"mp4", startFragmented, "-video"},
	} {
		beside.Run(c.name, func(t *testing.T) {
			s := c.start(t)
			if err := sendInTime(t.Context(), s, "test", tags, time.Now()); err != nil {
				t.Fatal(err)
			}
			var first []string
			for i, name := range []string{"test_360p", "test_180p", "test_90p", "test-vertical_320p"} {
				text := s.waitPlaylist(t, name+c.list, "ends with ENDLIST", 90*time.Second, func(text string) bool {
					return strings.Contains(text, "#EXT-X-ENDLIST")
				})
				if want, got := sums(t, files[i], "v"), sums(t, s.hlsURL(name), "v:0"); !slices.Equal(got, want) {
					t.Errorf("%s: %d frames, or others, want %d", name, len(got), len(want))
				}
				var when []string
				for line := range strings.Lines(text) {
					if strings.HasPrefix(line, "#EXTINF:") || strings.HasPrefix(line, "#EXT-X-PROGRAM") || strings.HasPrefix(line, "#EXT-X-MEDIA-S") {
						when = append(when, line)
					}
				}
				if i == 0 {
					first = when
				} else if !slices.Equal(when, first) {
					t.Errorf("%s is cut at\n%swant\n%s", name, strings.Join(when, ""), strings.Join(first, ""))
				}
			}
			for name, want := range map[string]string{"test": "640x360 320x180 160x90", "test-vertical": "180x320"} {
				text, err := get(s.hlsURL(name))
				if err != nil {
					t.Fatal(err)
				}
				var sizes []string
				for line := range strings.Lines(string(text)) {
					if _, rest, ok := strings.Cut(line, "RESOLUTION="); ok {
						size, _, _ := strings.Cut(rest, ",")
						sizes = append(sizes, size)
						if !strings.Contains(line, "BANDWIDTH=") || !strings.Contains(line, `CODECS="avc1.`) {
							t.Errorf("%s: %s", name, line)
						}
					}
				}
				if got := strings.Join(sizes, " "); got != want {
					t.Errorf("%s has %s, want %s", name, got, want)
				}
			}
		})
	}
}

// switchingPage is hlsjsPage that changes the level every 3 s, and says which it has.
var switchingPage = strings.Replace(hlsjsPage, "hls.loadSource", `window.levels = [];
hls.on(Hls.Events.LEVEL_SWITCHED, (_, d) => levels.push(hls.levels[d.level].height));
let next = 0;
setInterval(() => { hls.nextLevel = next = next + 1 < hls.levels.length ? next + 1 : 0; }, 3000);
hls.loadSource`, 1)

// Players change between the sizes, and the linter finds nothing in them.
func TestPlayersClimbALadder(t *testing.T) {
	t.Parallel()
	climb(t, startFragmented(t), "#EXTINF", 1)
}

// So they do with low latency.
func TestPlayersClimbALadderOfParts(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, strings.ReplaceAll(lowConfig, "%[1]s", s.dir))
	climb(t, s, "#EXT-X-RENDITION-REPORT:", 5)
}

// climb begins when the playlists of all sizes have so many such lines.
func climb(t *testing.T, s *server, have string, lines int) {
	t.Helper()
	tags, _ := ladderTags(t, 100)
	sent := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { sent <- sendInTime(ctx, s, "test", tags, time.Now()) }()
	s.waitPlaylist(t, "test", "names three sizes", 60*time.Second, func(text string) bool {
		return strings.Count(text, "RESOLUTION=") == 3
	})
	for _, name := range []string{"test_360p-video", "test_360p-audio", "test_180p-video", "test_90p-video"} {
		s.waitPlaylist(t, name, "has "+have, 60*time.Second, func(text string) bool { return strings.Count(text, have) >= lines })
	}
	found := make(chan lintReport, 1)
	go func() { found <- lint(t, s.hlsURL("test"), 10*time.Second) }()
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("testdata/vendor")))
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, switchingPage, html.EscapeString(s.hlsURL("test")))
	})
	site := httptest.NewServer(mux)
	defer site.Close()
	page := open(t, site.URL+"/page")
	page.firstFrame(t)
	var levels string
	eventually(t, 60*time.Second, "all sizes were shown", func() bool {
		if err := chromedp.Run(page.ctx, chromedp.Evaluate(`window.levels.join(" ")`, &levels)); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(levels, "360") && strings.Contains(levels, "180") && strings.Contains(levels, "90")
	})
	if last := page.state(t); len(last.Fatal) > 0 {
		t.Errorf("fatal: %v", last.Fatal)
	}
	for _, f := range (<-found).Findings {
		// What the linter says of fragmented MP4 with one size, too.
		// There is no TLS, and on a busy machine what is sent is late.
		if !slices.Contains([]string{"playlist-gzip", "version-too-high", "captions-unknown", "http2", "part-late", "playlist-late", "report-stale", "report-missing", "hint-trickle"}, f.Rule) {
			t.Errorf("lint: %+v", f)
		}
	}
	stop()
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// A player of DASH finds the frames of every size in one MPD.
func TestTheMPDOfALadderHasTheSameFrames(t *testing.T) {
	t.Parallel()
	tags, files := ladderTags(t, 6)
	s := startDASH(t)
	if err := sendInTime(t.Context(), s, "test", tags, time.Now()); err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, "the MPDs are static", func() bool {
		wide, err := get(s.dashURL("test"))
		upright, err2 := get(s.dashURL("test-vertical"))
		return err == nil && err2 == nil && strings.Contains(string(wide), `type="static"`) && strings.Contains(string(upright), `type="static"`)
	})
	for _, c := range []struct{ name, kind, file string }{
		{"test", "v:0", files[0]}, {"test", "v:1", files[1]}, {"test", "v:2", files[2]}, {"test-vertical", "v:0", files[3]},
	} {
		if want, got := sums(t, c.file, "v"), sums(t, s.dashURL(c.name), c.kind); !slices.Equal(got, want) {
			t.Errorf("%s %s: %d frames, or others, want %d", c.name, c.kind, len(got), len(want))
		}
	}
}
