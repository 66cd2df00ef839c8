package flv

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Two frames that share a timestamp, with a pause of the network between them, are
// no timestamps that stand still: what comes after them is where it says.
func TestAPauseBetweenTwoFramesOfOneTimestampMovesNothing(t *testing.T) {
	t.Parallel()
	second := &media.Track{Kind: media.Video, Codec: media.CodecH264, ID: 1}
	for _, tt := range []struct {
		name  string
		again *media.Track
	}{{"of one track", testTracks[media.Video]}, {"of two tracks", second}} {
		for _, pause := range []time.Duration{300 * time.Millisecond, 2 * time.Second, 20 * time.Second} {
			c := &clock{base: testBase}
			var at time.Duration
			send := func(track *media.Track, ts uint32) {
				t.Helper()
				c.arrived(at)
				dts, stamp := c.dts(track, ts)
				if want := testBase + time.Duration(ts)*time.Millisecond; dts != want || stamp != ts {
					t.Errorf("%s, %s: %d became %s with timestamp %d, want %s", tt.name, pause, ts, dts, stamp, want)
				}
			}
			for ts := uint32(0); ts < 4000; ts += 40 {
				send(testTracks[media.Video], ts)
				if ts == 2000 {
					at += pause
				}
				if ts%400 == 0 {
					send(tt.again, ts)
				}
				send(testTracks[media.Audio], ts+3)
				at += 40 * time.Millisecond
			}
		}
	}
}
