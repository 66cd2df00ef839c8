package hls

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segmenter"
)

// RFC 8216 §4.1: the peak is that of any fragments beside each other which last between
// 0.5 and 1.5 target durations together, by the durations that the playlist has.
func TestThePeakOfHalfATargetDuration(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lasts time.Duration // each
		sizes []int
		want  int64
	}{
		{2 * time.Second, []int{125_000, 500_000, 125_000}, 2_000_000},
		{2*time.Second + 999*time.Microsecond, []int{125_000, 500_000, 125_000}, 2_000_000}, // EXTINF:2.000
		{1999 * time.Millisecond, []int{125_000, 500_000, 125_000}, 1_250_626},              // two of them
		{1999 * time.Millisecond, []int{125_000, 500_000, 500_000, 125_000}, 2_001_001},     // the two in the middle
		{time.Second, []int{125_000, 125_000, 125_000, 500_000, 500_000, 125_000}, 4_000_000},
		{5 * time.Second, []int{500_000}, 889_087}, // EXTINF is not above TARGETDURATION
	} {
		var m measured
		tracks := [2]*media.Track{{CodecString: "avc1.4d001f"}}
		for _, size := range c.sizes {
			m.measure(&packager.Segment{Files: [2]packager.File{{Size: size, Lasts: c.lasts}}}, &segmenter.Segment{Duration: c.lasts, Frames: 50, Tracks: tracks}, 4)
		}
		if m.bandwidth() != c.want {
			t.Errorf("fragments of %v, %v bytes: the peak is %d, want %d", c.lasts, c.sizes, m.bandwidth(), c.want)
		}
	}
}

// However many fragments come and however short they are, few are remembered.
func TestThePeakRemembersFewFragments(t *testing.T) {
	t.Parallel()
	var r bitrate
	for range 10_000 {
		r.add(1, time.Millisecond, 4)
	}
	if len(r.recent) > maxRecent || r.peak != 8000 {
		t.Errorf("%d fragments remembered, peak %d", len(r.recent), r.peak)
	}
}
