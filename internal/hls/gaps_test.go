package hls

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/segmenter"
)

// Somebody deletes the only fragment, and another encoder comes: the playlist is without
// entries then, but players have seen some. So the next one is a discontinuity.
func TestAnotherEncoderBehindADeletedFragment(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := mediatest.NewScript(t).Play(2 * time.Second)
	n := len(s.Packets)
	s.Epoch++
	s.Play(4 * time.Second)
	b.runFeed(b.packager("test", testConfig(b.dir)), &feed{packets: s.Packets, clock: b.clock, each: func(i int) {
		if i == n+10 { // the first fragment is there, the second one has begun
			if err := os.Remove(filepath.Join(b.dir, "test-0.ts")); err != nil {
				t.Fatal(err)
			}
		}
	}})
	text := string(b.read("test.m3u8"))
	if !strings.Contains(text, "#EXT-X-MEDIA-SEQUENCE:1\n") || strings.Index(text, "#EXT-X-DISCONTINUITY\n") < 0 || strings.Index(text, "#EXT-X-DISCONTINUITY\n") > strings.Index(text, "test-1.ts") {
		t.Errorf("the playlist is\n%s", text)
	}
}

// RFC 8216 §4.1: the peak is that of fragments which last half of the target duration
// together, or longer.
func TestThePeakOfHalfATargetDuration(t *testing.T) {
	t.Parallel()
	for half, want := range map[time.Duration]int64{2 * time.Second: 2_000_000, 1999 * time.Millisecond: 1_250_626} {
		var m measured
		tracks := [2]*media.Track{{CodecString: "avc1.4d001f"}}
		for _, size := range []int{125_000, 500_000, 125_000} {
			m.measure(&segmenter.Segment{Duration: half, Frames: 50, Tracks: tracks}, size, 4)
		}
		if m.bandwidth != want {
			t.Errorf("fragments of %v: the peak is %d, want %d", half, m.bandwidth, want)
		}
	}
}
