package hls

import (
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// A part stays for a while after it has left the playlist, and not for as long as its
// segment: there are many.
func TestPartsGoBeforeTheirSegments(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.Format, cfg.LowLatency, cfg.Part, cfg.Fragment = "fmp4", true, 250*time.Millisecond, time.Second
	cfg.PlaylistLength = time.Minute
	s := mediatest.NewScript(t)
	s.GOP = time.Second
	packets := s.Play(2 * time.Minute).Packets
	left := make(map[string]time.Time) // when a part was named last
	soon, gone := 0, 0
	b.runFeed(b.packager("show", cfg), &feed{packets: packets, clock: b.clock, stop: nil, each: func(i int) {
		f, ok := b.d.Lookup("show-video.m3u8")
		if i%25 > 0 || !ok || f.Low == nil || f.Low.Newest() == nil {
			return
		}
		now := b.clock.Now()
		text := string(f.Low.Newest().Body())
		for line := range strings.Lines(text) {
			if rest, ok := strings.CutPrefix(line, "#EXT-X-PART:"); ok {
				_, rest, _ = strings.Cut(rest, `URI="`)
				name, _, _ := strings.Cut(rest, `"`)
				left[name] = now
			}
		}
		for name, at := range left {
			_, there := b.d.Lookup(name)
			switch age := now.Sub(at); {
			case age <= 5*time.Second && !there:
				t.Fatalf("%s is gone %v after it was named", name, age)
			case age > 0 && age <= 5*time.Second:
				soon++
			case age > 15*time.Second && there:
				t.Fatalf("%s is there %v after it was named", name, age)
			case age > 15*time.Second:
				gone++
				file := name[:strings.Index(name, ".")] + ".m4s"
				if _, ok := b.d.Lookup(file); !ok && strings.Contains(text, file) {
					t.Fatalf("%s went with its parts", file)
				}
			}
		}
	}})
	if soon == 0 || gone == 0 {
		t.Errorf("%d and %d looks at parts that had left the playlist", soon, gone)
	}
}
