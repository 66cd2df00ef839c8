package hls

import (
	"slices"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// mp3 is a track of MP3 at 44.1 kHz.
func mp3() *media.Track {
	return &media.Track{Kind: media.Audio, Codec: media.CodecMP3, SampleRate: 44100, Channels: 2, FrameSamples: 1152, CodecString: "mp4a.40.34"}
}

// Another audio codec tears no GOP: the fragment ends at the next keyframe, and the
// sound from before it is in the next fragment. No packet is lost.
func TestAnotherAudioCodecWaitsForTheKeyframe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at   []time.Duration // of the changes
		want int             // discontinuities
		lost bool            // a codec of less than a GOP
	}{
		"in the middle of a GOP":      {[]time.Duration{5 * sec}, 1, false},
		"at a keyframe":               {[]time.Duration{6 * sec}, 1, false},
		"there and back":              {[]time.Duration{5 * sec, 9 * sec}, 2, false},
		"there and back within a GOP": {[]time.Duration{4480 * time.Millisecond, 5520 * time.Millisecond}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t)
			codecs := []*media.Track{s.audio, mp3()}
			for i, at := range append(c.at, 12*sec) {
				s.audio = codecs[i%2]
				s.gop = 2 * sec
				from := len(s.packets)
				s.play(at - s.at)
				for _, p := range s.packets[from:] {
					p.Keyframe = p.Track.Kind == media.Video && p.DTS%(2*sec) == 0
				}
			}
			b := newBench(t)
			cfg := testConfig(b.dir)
			cfg.Cleanup, cfg.PlaylistLength = false, 60*sec
			p := b.packager("test", cfg)
			b.run(p, s.packets, eof)
			list := b.playlist("test.m3u8")
			var video, audio []int
			n, sum := 0, time.Duration(0)
			for _, x := range list.Segments {
				v, a := markers(t, b.read(x.URI))
				video, audio = append(video, v...), append(audio, a...)
				sum += x.Duration
				if x.Discontinuity {
					n++
				}
			}
			if n != c.want {
				t.Errorf("%d discontinuities, want %d:\n%s", n, c.want, b.read("test.m3u8"))
			}
			if !slices.IsSorted(video) || !slices.IsSorted(audio) {
				t.Error("out of order")
			}
			got := len(video) + len(audio) + int(p.Snapshot().Dropped)
			if got != len(s.packets) || (p.Snapshot().Dropped > 0) != c.lost {
				t.Errorf("%d of %d packets, %d dropped", got, len(s.packets), p.Snapshot().Dropped)
			}
			if sum < 12*sec-50*time.Millisecond || sum > 12*sec+50*time.Millisecond {
				t.Errorf("EXTINF add up to %v", sum)
			}
			for i, g := range cutUp(s.packets, rules{fragment: 2 * sec, maxFragment: 6 * sec}, 2).segs {
				if !g.independent {
					t.Errorf("fragment %d does not begin with a keyframe", i)
				}
			}
		})
	}
}
