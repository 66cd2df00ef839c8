package hls

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
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
			s := mediatest.NewScript(t)
			codecs := []*media.Track{s.Audio, mp3()}
			for i, at := range append(c.at, 12*sec) {
				s.Audio = codecs[i%2]
				s.GOP = 2 * sec
				from := len(s.Packets)
				s.Play(at - s.At)
				for _, p := range s.Packets[from:] {
					p.Keyframe = p.Track.Kind == media.Video && p.DTS%(2*sec) == 0
				}
			}
			b := newBench(t)
			cfg := testConfig(b.dir)
			cfg.Cleanup, cfg.PlaylistLength = false, 60*sec
			p := b.packager("test", cfg)
			b.run(p, s.Packets, eof)
			list := b.playlist("test.m3u8")
			var video, audio []int
			n, sum := 0, time.Duration(0)
			for _, x := range list.Segments {
				v, a := mediatest.Markers(t, b.read(x.URI))
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
			if got != len(s.Packets) || (p.Snapshot().Dropped > 0) != c.lost {
				t.Errorf("%d of %d packets, %d dropped", got, len(s.Packets), p.Snapshot().Dropped)
			}
			if sum < 12*sec-50*time.Millisecond || sum > 12*sec+50*time.Millisecond {
				t.Errorf("EXTINF add up to %v", sum)
			}
			if text := string(b.read("test.m3u8")); !strings.Contains(text, "#EXT-X-INDEPENDENT-SEGMENTS\n") {
				t.Errorf("a fragment does not begin with a keyframe:\n%s", text)
			}
		})
	}
}
