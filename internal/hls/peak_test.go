package hls

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segmenter"
)

// RFC 8216 §4.1: the peak is that of fragments which last half of the target duration
// together, or longer, by the durations that the playlist has: whole milliseconds.
func TestThePeakOfHalfATargetDuration(t *testing.T) {
	t.Parallel()
	for half, want := range map[time.Duration]int64{2 * time.Second: 2_000_000, 2*time.Second + 999*time.Microsecond: 2_000_000, 1999 * time.Millisecond: 1_250_626} {
		var m measured
		tracks := [2]*media.Track{{CodecString: "avc1.4d001f"}}
		for _, size := range []int{125_000, 500_000, 125_000} {
			m.measure(&packager.Segment{Files: [2]packager.File{{Size: size, Lasts: half}}}, &segmenter.Segment{Duration: half, Frames: 50, Tracks: tracks}, 4)
		}
		if m.bandwidth() != want {
			t.Errorf("fragments of %v: the peak is %d, want %d", half, m.bandwidth(), want)
		}
	}
}
