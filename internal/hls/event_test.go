package hls

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// maxSegmentBytes is the memory that a segment may take for as long as an event lasts. The
// playlist says about 80 bytes of it.
const maxSegmentBytes = 150

// An event is listed whole and ends as it is, in place: it becomes a recording (RFC 8216
// §4.3.3.5). Of its past there is no more in memory than what the playlist says.
func TestAnEventIsListedWhole(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.Type = "event"
	s := mediatest.NewScript(t)
	s.Audio, s.Frame, s.GOP = nil, time.Second, 2*time.Second
	const segments = 1200
	s.Play(segments * 2 * time.Second)
	var heap [2]int64 // after a third, and at the end
	in := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	p := b.packager("show", cfg)
	n := 0
	p.OnManifest = func(string) {
		if n++; n == 1 && !strings.Contains(string(b.read("show.m3u8")), "#EXT-X-PLAYLIST-TYPE:EVENT\n") {
			t.Error("while it is live it is no event")
		}
		if n == segments/3 {
			heap[0] = in()
		} else if n == segments-1 {
			heap[1] = in()
		}
	}
	b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, stop: eof})
	text := string(b.read("show.m3u8"))
	if got := strings.Count(text, "#EXTINF:"); got != segments {
		t.Errorf("%d segments are listed, want %d", got, segments)
	}
	for _, line := range []string{"#EXT-X-PLAYLIST-TYPE:VOD\n", "#EXT-X-MEDIA-SEQUENCE:0\n", "#EXT-X-ENDLIST\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("the playlist has no %s", line)
		}
	}
	for i := range segments {
		if name := fmt.Sprintf("show-%d.ts", i); len(b.read(name)) == 0 || strings.Count(text, "\n"+name+"\n") != 1 {
			t.Fatalf("%s is empty, or not named once", name)
		}
	}
	if each := (heap[1] - heap[0]) / (segments * 2 / 3); each > maxSegmentBytes {
		t.Errorf("a segment takes %d bytes of memory, want at most %d", each, maxSegmentBytes)
	} else {
		t.Logf("%d bytes for each segment", each)
	}
}

// long is some minutes of a stream that has everything that playlists say of segments:
// sound comes later and stops, time jumps, the pictures change.
func long(t *testing.T) []*media.Packet {
	s := mediatest.NewScript(t)
	sound := s.Audio
	s.Audio, s.Frame, s.GOP = nil, 200*time.Millisecond, time.Second
	s.Play(70 * time.Second)
	s.Audio = sound
	s.Play(40 * time.Second)
	s.At += time.Minute
	s.Play(80 * time.Second)
	s.Video = mediatest.Track(t, media.CodecH264, mediatest.AVCBaseline)
	s.Play(70 * time.Second)
	s.Audio = nil
	return s.Play(60 * time.Second).Packets
}

// What is past is named as if it were not: the playlists of an event are those of a live
// stream whose window is longer than it.
func TestTheOldSegmentsOfAnEventAreNamedAsTheOthers(t *testing.T) {
	packets := long(t)
	for name, c := range map[string]func(*config.HLS){
		"mpegts":      func(*config.HLS) {},
		"nested":      func(c *config.HLS) { c.Nested = true },
		"timestamps":  func(c *config.HLS) { c.FragmentNaming = "timestamp" },
		"fmp4":        func(c *config.HLS) { c.Format = "fmp4" },
		"low latency": func(c *config.HLS) { c.Format, c.LowLatency, c.Part = "fmp4", true, 250*time.Millisecond },
		"keys": func(c *config.HLS) {
			c.Keys = &config.Keys{Path: value.Path(filepath.Join(string(c.Path), "keys")), URL: "https://a.example/", FragmentsPerKey: 100}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			texts := make(map[string]map[string]string) // by type and file
			for _, kind := range []string{"live", "event"} {
				b := newBench(t)
				cfg := testConfig(b.dir)
				c(&cfg)
				if cfg.Fragment, cfg.Type = time.Second, kind; kind == "live" {
					cfg.PlaylistLength = time.Hour
				}
				all := make(map[string]string)
				half := len(packets) / 2
				b.run(b.packager("show", cfg), packets[:half], nil)
				p := b.packager("show", cfg) // a publisher that comes back
				b.runFeed(p, &feed{packets: packets[half:], clock: b.clock, stop: eof, each: func(i int) {
					if i != half/2 {
						return
					}
					for _, list := range []string{"show-video.m3u8", "show-audio.m3u8"} {
						if f, ok := b.d.Lookup(list); ok && f.Low != nil {
							e := f.Low.Newest()
							all[list+" live"], all[list+" update"] = string(e.Body()), string(e.Delta())
						}
					}
				}})
				for _, file := range b.files() {
					if strings.HasSuffix(file, ".m3u8") {
						all[file] = string(b.read(file))
					}
				}
				texts[kind] = all
			}
			want := texts["live"]
			if name == "low latency" && !strings.Contains(want["show-video.m3u8 update"], "#EXT-X-SKIP:SKIPPED-SEGMENTS=2") {
				t.Errorf("no update is looked at: %q", want["show-video.m3u8 update"])
			}
			for file, text := range texts["event"] {
				var plain strings.Builder
				for line := range strings.Lines(text) {
					if !strings.HasPrefix(line, "#EXT-X-PLAYLIST-TYPE:") {
						plain.WriteString(line)
					}
				}
				if plain.String() != want[file] {
					t.Errorf("%s:\n%s\nwant\n%s", file, plain.String(), want[file])
				}
			}
			if len(texts["event"]) != len(want) || strings.Count(want["show.m3u8"]+want["show/index.m3u8"]+want["show-video.m3u8"], "#EXTINF:") < 300 {
				t.Errorf("%d files, want %d", len(texts["event"]), len(want))
			}
		})
	}
}

// Of the past nothing is kept, but HTTP knows whose it is, after a restart too: not
// everybody may have it.
func TestThePastOfAnEventIsFound(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.Type = "event"
	s := mediatest.NewScript(t)
	s.Audio, s.Frame = nil, time.Second
	look := func(when, name string, there bool) {
		t.Helper()
		f, ok := b.d.Lookup(name)
		if ok != there || ok && (f.App != "show" || f.Stream != "show" || f.Kind != segstore.Segment) {
			t.Errorf("%s %s is %+v, %v", when, name, f, ok)
		}
	}
	b.run(b.packager("show", cfg), s.Play(400*time.Second).Packets, nil)
	ledger := func() string { return string(b.read(segstore.LedgerName)) }
	for range 2 {
		look("of the past,", "show-0.ts", true)
		look("of the past,", "show-99.ts", true)
		look("of the end,", "show-199.ts", true)
		look("not there,", "show-200.ts", false)
		look("not there,", "show-x.ts", false)
		look("of another stream,", "other-0.ts", false)
		b.reopen()
		if strings.Contains(ledger(), `"show-0.ts"`) || !strings.Contains(ledger(), `"show-199.ts"`) {
			t.Error("the ledger is not about the newest segments")
		}
	}
	// It goes on.
	b.run(b.packager("show", cfg), s.Play(400 * time.Second).Packets[400:], eof)
	if got := strings.Count(string(b.read("show.m3u8")), "#EXTINF:"); got != 400 {
		t.Errorf("%d segments are named after the restart, want 400", got)
	}
	look("of the past,", "show-299.ts", true)
	b.clock.advance(24 * time.Hour)
	b.clean()
	if got := len(b.files()); got != 401 {
		t.Errorf("%d files stay, want 401", got)
	}
}

// Who deletes the oldest files of an event, or some of them, gets a playlist of what is there.
func TestThePastOfAnEventIsDeleted(t *testing.T) {
	for name, deleted := range map[string][]int{"the oldest": {0}, "the oldest and more": {0, 1, 2, 3, 4, 200}, "of what is kept": {390}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			cfg := testConfig(b.dir)
			cfg.Type = "event"
			packets := pictures(t, 1000)
			p := b.packager("show", cfg)
			b.runFeed(p, &feed{packets: packets, clock: b.clock, stop: eof, each: func(i int) {
				if i != 800 {
					return
				}
				for _, n := range deleted {
					if err := os.Remove(filepath.Join(b.dir, fmt.Sprintf("show-%d.ts", n))); err != nil {
						t.Fatal(err)
					}
				}
			}})
			text := string(b.read("show.m3u8"))
			m := b.playlist("show.m3u8")
			if got, first := m.MediaSequence+len(m.Segments), deleted[len(deleted)-1]+1; got != 500 || m.MediaSequence != first {
				t.Errorf("the playlist names %d to %d, want %d to 500:\n%s", m.MediaSequence, got, first, text)
			}
			for _, seg := range m.Segments {
				if _, err := os.Stat(filepath.Join(b.dir, seg.URI)); err != nil {
					t.Error(err)
				}
			}
			if got := b.logged("deleted under us"); got != 1 {
				t.Errorf("it is logged %d times", got)
			}
		})
	}
}

// A reload makes an event a live stream and an event again: numbers go on, files stay.
func TestAnEventBecomesALiveStream(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.Type = "event"
	packets := pictures(t, 800)
	p := b.packager("show", cfg)
	live := cfg
	live.Type = "live"
	first := map[int]int{398: 0, 404: -1, 798: -1}
	b.runFeed(p, &feed{packets: packets, clock: b.clock, stop: eof, each: func(i int) {
		switch i {
		case 400:
			p.Reconfigure(b.d.Settings(live), b.d.Directory)
		case 410:
			p.Reconfigure(b.d.Settings(cfg), b.d.Directory)
		}
		if want, ok := first[i]; ok {
			m := b.playlist("show.m3u8")
			if end := m.MediaSequence + len(m.Segments); end < i/2-1 || end > i/2 || (m.MediaSequence == 0) != (want == 0) {
				t.Errorf("after %d s it names %d to %d", i, m.MediaSequence, end)
			}
		}
	}})
	if len(b.read("show-0.ts")) == 0 {
		t.Error("the past of the event is gone")
	}
}

// A longer hls.fragment of a reload waits for the next publish, whatever is read back of the
// past (RFC 8216 §4.3.3.1: TARGETDURATION must not change).
func TestThePastIsReadBackWithItsTarget(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.Type = "event"
	p := b.packager("show", cfg)
	longer := cfg
	longer.Fragment, longer.MaxFragment = 6*time.Second, 18*time.Second
	b.runFeed(p, &feed{packets: pictures(t, 1000), clock: b.clock, stop: eof, each: func(i int) {
		switch i {
		case 700:
			p.Reconfigure(b.d.Settings(longer), b.d.Directory)
		case 800:
			if err := os.Remove(filepath.Join(b.dir, "show-0.ts")); err != nil {
				t.Fatal(err)
			}
		}
	}})
	if m := b.playlist("show.m3u8"); m.TargetDuration != 2 || m.MediaSequence != 1 || len(m.Segments) != 499 {
		t.Errorf("TARGETDURATION %d, %d segments from %d; want 2, 499 from 1", m.TargetDuration, len(m.Segments), m.MediaSequence)
	}
}
