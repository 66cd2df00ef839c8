package segmenter

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mpegts"
)

// A muted encoder: the sound's PES go on, so that there is no gap in what
// players buffer, and real sound is back at its own time.
func TestSilenceFillsWhatAMutedEncoderLeaves(t *testing.T) {
	for _, c := range []struct {
		name       string
		gap        time.Duration
		lag        time.Duration // of audio behind video
		channels   int
		wantFilled bool
	}{
		{"5 s", 5 * sec, 0, 2, true},
		{"5 s, mono", 5 * sec, 0, 1, true},
		{"12 s", 12 * sec, 0, 2, true},
		{"5 s, audio 800 ms behind", 5 * sec, 800 * time.Millisecond, 2, true},
		{"5 s, audio 800 ms ahead", 5 * sec, -800 * time.Millisecond, 2, true},
		{"5.1, of which no silence is known", 5 * sec, 0, 6, false},
		{"no more than jitter", 600 * time.Millisecond, 0, 2, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			audio := &media.Track{Kind: media.Audio, Codec: media.CodecAAC, AudioObjectType: 2, ChannelConfig: uint8(c.channels), Channels: c.channels, SampleRate: 48000, FrameSamples: 1024}
			x := &MPEGTS{audio: audio, sync: 100 * time.Millisecond, maxDelay: 300 * time.Millisecond, muxer: mpegts.NewMuxer(nil, audio)}
			step := Samples(1, audio)
			var at []time.Duration // of what is in the PES
			next := sec            // of the real sound, by the video's clock
			for v := sec; v < 20*sec; v += 40 * time.Millisecond {
				if v > 5*sec && v < 5*sec+c.gap {
					next = v
				}
				for ; next <= v && (v <= 5*sec || v >= 5*sec+c.gap); next += step {
					pts := x.smooth(&media.Packet{Track: audio}, next-c.lag)
					x.heard(pts)
					at = append(at, pts)
				}
				before := x.count
				x.silence(nil, 0, v)
				for n := before; n < x.count; n++ {
					at = append(at, x.base+Samples(n, audio))
				}
			}
			longest := time.Duration(0)
			for i := 1; i < len(at); i++ {
				if at[i] <= at[i-1] {
					t.Fatalf("sound at %v after %v", at[i], at[i-1])
				}
				longest = max(longest, at[i]-at[i-1])
			}
			if filled := longest <= silenceSlack+2*40*time.Millisecond; filled != c.wantFilled && c.gap > sec {
				t.Errorf("the longest gap is %v", longest)
			}
			if !c.wantFilled && longest < c.gap-100*time.Millisecond {
				t.Errorf("a gap of %v was filled", c.gap)
			}
		})
	}
}
