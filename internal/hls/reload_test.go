package hls

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/packager"
)

// reloaded runs 20 s of a stream and changes the config at 9 s, between two cuts.
func reloaded(b *bench, s *mediatest.Script, change func(*config.HLS), d *Directory) (*packager.Packager, *viewer) {
	b.Helper()
	cfg := testConfig(b.dir)
	cfg.PlaylistLength = time.Minute
	s.Play(20 * time.Second)
	p := b.packager("test", cfg)
	v := newViewer(b, b.dir, "test.m3u8")
	b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, each: func(i int) {
		if s.Packets[i].DTS == 9*time.Second && s.Packets[i].Track == s.Video {
			next := cfg
			change(&next)
			if d == nil {
				d = b.d
			}
			p.Reconfigure(d.Settings(next), d.Directory)
		}
		v.poll()
	}})
	v.poll()
	return p, v
}

func TestReloadInPlaceHasNoGapRepeatOrDiscontinuity(t *testing.T) {
	tests := []struct {
		name   string
		change func(*config.HLS)
		uris   []string // from the third fragment on
		lines  []string // in the playlist afterwards
	}{
		{name: "names", change: func(c *config.HLS) { c.FragmentNaming = "timestamp"; c.BaseURL = "" }, uris: []string{"test-3.ts", "test-4.ts", "test-900000.ts"}},
		{name: "length", change: func(c *config.HLS) { c.PlaylistLength = 6 * time.Second }, uris: []string{"test-7.ts", "test-8.ts", "test-9.ts"}},
		{name: "a shorter fragment counts at the next keyframe", change: func(c *config.HLS) { c.Fragment = time.Second }, uris: []string{"test-3.ts", "test-4.ts", "test-5.ts"}},
		{name: "a fragment above the target waits", change: func(c *config.HLS) { c.Fragment = 8 * time.Second }, lines: []string{"#EXT-X-TARGETDURATION:2"}},
		{name: "event", change: func(c *config.HLS) { c.Type = "event" }, lines: []string{"#EXT-X-PLAYLIST-TYPE:EVENT"}},
		{name: "sync", change: func(c *config.HLS) { c.Sync = 0; c.MaxAudioDelay = 0 }},
		{name: "keys", change: func(c *config.HLS) {
			c.Keys = &config.Keys{Path: value.Path(filepath.Join(string(c.Path), "k")), URL: "/k/"}
		}, lines: []string{`#EXT-X-KEY:METHOD=AES-128,URI="/k/test-5.key",IV=0x00000000000000000000000000000005`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			s := mediatest.NewScript(t)
			p, v := reloaded(b, s, tt.change, nil)
			text := string(v.last)
			if strings.Contains(text, "#EXT-X-DISCONTINUITY\n") {
				t.Errorf("a discontinuity in\n%s", text)
			}
			if tt.name != "keys" {
				v.check(s.Packets, p.Snapshot())
			}
			if p.Snapshot().Dropped != 0 {
				t.Errorf("%d packets dropped", p.Snapshot().Dropped)
			}
			for _, line := range tt.lines {
				if !strings.Contains(text, line+"\n") {
					t.Errorf("no %s in\n%s", line, text)
				}
			}
			var uris []string
			for _, e := range b.playlist("test.m3u8").Segments {
				uris = append(uris, e.URI)
			}
			if i := slices.Index(uris, first(tt.uris)); tt.uris != nil && (i < 0 || !slices.Equal(uris[i:i+len(tt.uris)], tt.uris)) {
				t.Errorf("fragments %v, want %v among them", uris, tt.uris)
			}
		})
	}
}

func first(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}

func TestReloadToAShorterFragmentCutsAtTheNextKeyframe(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.Fragment, cfg.PlaylistLength = 4*time.Second, time.Minute
	s := mediatest.NewScript(t)
	s.GOP = time.Second
	s.Play(12 * time.Second)
	p := b.packager("test", cfg)
	b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, each: func(i int) {
		if s.Packets[i].DTS == 9*time.Second {
			next := cfg
			next.Fragment = 2 * time.Second
			p.Reconfigure(b.d.Settings(next), b.d.Directory)
		}
	}})
	var got []time.Duration
	for _, e := range b.playlist("test.m3u8").Segments {
		got = append(got, e.Duration)
	}
	if want := []time.Duration{4 * time.Second, 4 * time.Second, 2 * time.Second, 2 * time.Second}; !slices.Equal(got, want) {
		t.Errorf("fragments of %v, want %v", got, want)
	}
}

func TestReloadToAnotherPathLosesNothingAndGoesOnCounting(t *testing.T) {
	b := newBench(t)
	other := filepath.Join(t.TempDir(), "other")
	d, err := openDirectory(other, packager.DirectoryOptions{Log: b.log, Now: b.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s := mediatest.NewScript(t)
	p, v := reloaded(b, s, func(c *config.HLS) { c.Path = value.Path(other) }, d)
	if got := p.Snapshot().Path; got != other {
		t.Fatalf("writes to %s", got)
	}
	w := newViewer(t, other, "test.m3u8")
	w.poll()
	if want := v.seq + len(v.order); w.seq != want || w.target != v.target {
		t.Errorf("the new playlist begins at %d with target %d, want %d and %d", w.seq, w.target, want, v.target)
	}
	if n := strings.Count(string(w.last), "#EXT-X-DISCONTINUITY\n"); n != 1 {
		t.Errorf("%d discontinuities in\n%s", n, w.last)
	}
	if strings.Contains(string(v.last), "ENDLIST") {
		t.Error("the old playlist ended")
	}
	// Every packet is in one of the two.
	seen := 0
	for dir, names := range map[string][]string{b.dir: v.order, other: w.order} {
		for _, name := range names {
			video, audio := mediatest.Markers(t, (&bench{TB: t, dir: dir}).read(name))
			seen += len(video) + len(audio)
		}
	}
	if seen != len(s.Packets) {
		t.Errorf("%d packets of %d", seen, len(s.Packets))
	}
	for range 2 { // the files, then the memory of their numbers
		b.clock.advance(10 * time.Minute)
		b.clean()
	}
	if got := b.files(); len(got) != 0 || !b.d.Empty() {
		t.Errorf("the old path keeps %v", got)
	}
}

func TestReloadToAndFromNested(t *testing.T) {
	b := newBench(t)
	s := mediatest.NewScript(t)
	reloaded(b, s, func(c *config.HLS) { c.Nested = true }, nil)
	m := b.playlist("test/index.m3u8")
	if m.MediaSequence != 5 || m.Segments[0].URI != "5.ts" || !m.Segments[0].Discontinuity {
		t.Errorf("%s", b.read("test/index.m3u8"))
	}
}

func TestAFailedReloadKeepsWhatWas(t *testing.T) {
	b := newBench(t)
	s := mediatest.NewScript(t)
	_, v := reloaded(b, s, func(c *config.HLS) { c.Keys = &config.Keys{Path: "/proc/nowhere", Method: "AES-128"} }, nil)
	if b.logged("keeps its old settings") != 1 || strings.Contains(string(v.last), "KEY") || len(v.order) != 10 {
		t.Errorf("%d fragments, logs %v", len(v.order), b.logs.All())
	}
}

func TestSettingsChangedBeforeTheStartAreTheOnesUsed(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	p := b.packager("test", cfg)
	cfg.Nested = true
	p.Reconfigure(b.d.Settings(cfg), b.d.Directory)
	b.run(p, mediatest.NewScript(t).Play(5*time.Second).Packets, eof)
	b.playlist("test/index.m3u8")
}
