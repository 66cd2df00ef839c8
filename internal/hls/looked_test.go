package hls

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// missing are the files that a playlist names and that are not there.
func (b *bench) missing(playlist string) (all []string) {
	for line := range strings.Lines(string(b.read(playlist))) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, `#EXT-X-MAP:URI="`); ok {
			line = strings.TrimSuffix(rest, `"`)
		}
		if _, err := os.Stat(filepath.Join(b.dir, line)); err != nil && line != "" && line != gapURI && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

// A file that somebody deletes in the middle of a playlist is missed within some segments: each
// playlist that is written looks at a few. The last playlist, which stays, looks at all.
func TestAFileThatIsDeletedIsMissedInTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at, most time.Duration
		kind     string
	}{
		"in the middle of a stream": {at: 100 * time.Second, most: 40 * time.Second, kind: "live"},
		"at the end of a stream":    {at: 200*time.Second - 50*time.Millisecond, most: 100 * time.Millisecond, kind: "live"},
		"at the end of an event":    {at: 200*time.Second - 50*time.Millisecond, most: 100 * time.Millisecond, kind: "event"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			cfg := testConfig(b.dir)
			cfg.PlaylistLength, cfg.Type = 60*time.Second, c.kind
			s := mediatest.NewScript(t).Play(200 * time.Second)
			deleted, named := false, time.Duration(0)
			b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(i int) {
				now := s.Packets[i].DTS
				if !deleted && now >= c.at {
					deleted = true
					var files []string
					for line := range strings.Lines(string(b.read("test.m3u8"))) {
						if !strings.HasPrefix(line, "#") {
							files = append(files, strings.TrimSpace(line))
						}
					}
					b.must(os.Remove(filepath.Join(b.dir, files[len(files)-3])))
				}
				if deleted && len(b.missing("test.m3u8")) > 0 {
					named = now - c.at
				}
			}})
			if left := b.missing("test.m3u8"); len(left) > 0 || !deleted {
				t.Errorf("the last playlist names %v", left)
			}
			if named > c.most {
				t.Errorf("it was named for %v", named)
			}
		})
	}
}

// An initialisation section that only older segments need is missed at once.
func TestAnInitialisationSectionThatIsDeletedIsMissed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cfg := fragmentedConfig(b.dir)
	cfg.PlaylistLength = 2 * time.Minute
	s := mediatest.NewScript(t).Play(20 * time.Second)
	s.Video = nil
	s.Play(120 * time.Second) // for a minute the last picture stands
	var at, named time.Duration
	b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(i int) {
		now := s.Packets[i].DTS
		if at == 0 && now > 100*time.Second {
			at = now
			_, rest, _ := strings.Cut(string(b.read("test-video.m3u8")), `#EXT-X-MAP:URI="`)
			init, _, _ := strings.Cut(rest, `"`)
			b.must(os.Remove(filepath.Join(b.dir, init)))
		}
		if at > 0 && len(b.missing("test-video.m3u8")) > 0 {
			named = now - at
		}
	}})
	if at == 0 || named > 7*time.Second { // a segment of sound alone lasts that long
		t.Errorf("deleted at %v, it was named for %v", at, named)
	}
}
