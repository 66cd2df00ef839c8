package hls

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// What one attribute changes in the playlist of a stream with a keyframe every
// two seconds that lasts eleven seconds and then ends.
func TestAttributesShowInThePlaylist(t *testing.T) {
	t.Parallel()
	const all = "2.00 2.00 2.00 2.00 2.00 1.00 end"
	for _, c := range []struct {
		name  string
		begin time.Duration // the publisher's first timestamp
		gop   time.Duration
		set   func(*config.HLS)
		want  string // durations, and the end
	}{
		{"no attribute", 0, 2 * time.Second, func(c *config.HLS) { c.PlaylistLength = time.Minute }, all},
		{"endlist", 0, 2 * time.Second, func(c *config.HLS) { c.PlaylistLength, c.Endlist = time.Minute, false }, strings.TrimSuffix(all, " end")},
		{"playlist_length", 0, 2 * time.Second, func(c *config.HLS) { c.PlaylistLength = 8 * time.Second }, "2.00 2.00 2.00 2.00 1.00 end"},
		{"fragment", 0, 2 * time.Second, func(c *config.HLS) { c.Fragment = 4 * time.Second }, "4.00 4.00 3.00 end"},
		{"max_fragment", 0, 20 * time.Second, func(c *config.HLS) { c.MaxFragment = 4 * time.Second }, "4.00 4.00 3.00 end"},
		{"fragment_slicing plain", 2 * time.Second, 2 * time.Second, func(c *config.HLS) { c.Fragment, c.FragmentSlicing = 4*time.Second, "plain" }, "4.00 4.00 3.00 end"},
		{"fragment_slicing aligned", 2 * time.Second, 2 * time.Second, func(c *config.HLS) { c.Fragment, c.FragmentSlicing = 4*time.Second, "aligned" }, "4.00 4.00 1.00 end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			cfg := testConfig(b.dir)
			c.set(&cfg)
			s := mediatest.NewScript(t)
			s.Audio, s.At, s.GOP = nil, c.begin, c.gop
			s.Play(11 * time.Second)
			b.run(b.packager("test", cfg), s.Packets, eof)
			var got []string
			m := b.playlist("test.m3u8")
			for _, f := range m.Segments {
				got = append(got, fmt.Sprintf("%.2f", f.Duration.Seconds()))
			}
			if m.Endlist {
				got = append(got, "end")
			}
			if g := strings.Join(got, " "); g != c.want {
				t.Errorf("fragments of %s, want %s", g, c.want)
			}
		})
	}
}

// sync is how far a frame of sound may be off the sample clock and still be
// shown at its time.
func TestSync(t *testing.T) {
	t.Parallel()
	at := []int{0, 32, 68, 100} // the third frame is 4 ms late
	for _, c := range []struct {
		sync time.Duration
		want []string
	}{
		{0, []string{"0×1", "32×1", "68×1", "100×1"}},
		{4 * ms, []string{"0×1", "32×1", "64×1", "96×1"}},
	} {
		set := func(h *config.HLS) { h.Sync, h.MaxAudioDelay = c.sync, 0 }
		if got := sounding(t, set, 0, at...); !slices.Equal(got, c.want) {
			t.Errorf("sync %s: got %v, want %v", c.sync, got, c.want)
		}
	}
}
