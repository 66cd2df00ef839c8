package hls

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/mp4"
	"github.com/rtmpd/rtmpd/internal/packager"
)

// whole checks that a media playlist names segments without a gap, from the beginning to
// the end of the stream, and returns them.
func (b *bench) whole(list string, length, slack time.Duration) []fragment {
	b.Helper()
	b.all(list)
	text := string(b.read(list))
	if strings.Contains(text, "#EXT-X-GAP") || strings.Contains(text, "#EXT-X-DISCONTINUITY\n") {
		b.Errorf("%s", text)
	}
	all := b.fragments(list)
	last := all[len(all)-1]
	if got := last.time(last.end) - all[0].time(all[0].start); (got - length).Abs() > slack {
		b.Errorf("%s: %v, want %v\n%s", list, got, length, text)
	}
	return all
}

// An encoder that is muted for a while: the sound's playlist goes on with silence, and
// every frame that was sent is there.
func TestMutedSoundIsSilenceInFragmentedMP4(t *testing.T) {
	t.Parallel()
	for _, mute := range []time.Duration{520 * time.Millisecond, 1520 * time.Millisecond, 3 * sec, 9 * sec, 40 * sec} {
		for _, at := range []time.Duration{6 * sec, 6520 * time.Millisecond} {
			t.Run(fmt.Sprint(mute, at), func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				cfg := fragmentedConfig(b.dir)
				cfg.PlaylistLength = 5 * time.Minute
				s := mediatest.NewScript(t)
				sound := s.Audio
				s.Play(at)
				s.Audio = nil
				s.Play(mute)
				s.Audio = sound
				s.Play(6 * sec)
				p := b.packager("test", cfg)
				b.run(p, s.Packets, eof)
				if st := p.Snapshot(); st.Dropped > 0 {
					t.Errorf("%+v", st)
				}
				b.whole("test-video.m3u8", s.At, 0)
				b.whole("test-audio.m3u8", s.At, 50*time.Millisecond)
				var got []sample
				for _, x := range b.all("test-audio.m3u8") {
					if strings.HasPrefix(x.data, "<A") {
						got = append(got, x)
					}
				}
				b.same(got, sent(s.Packets, media.Audio), 10*time.Millisecond)
			})
		}
	}
}

// Of some codecs there is silence, of others a hole in their playlist.
func TestMutedSoundOfOtherCodecs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		track  *media.Track
		frame  []byte
		silent bool
	}{
		"MP3":     {mp3(), append([]byte{0xff, 0xfa, 0x90, 0x64}, make([]byte, 413)...), true},
		"Opus":    {mediatest.Track(t, media.CodecOpus, "4f707573486561640102380180bb0000000000"), []byte{0xfc, 1, 2}, true},
		"AAC 5.1": {mediatest.Track(t, media.CodecAAC, "11b0"), []byte{1, 2, 3}, true},
		"FLAC": {
			mediatest.Track(t, media.CodecFLAC, "664c61438000002210001000000000000000"+"0ac442f00000000000000000000000000000000000000000"),
			[]byte{0xff, 0xf8, 0x59, 0x18, 0x00, 1, 2, 3},
			false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			cfg := fragmentedConfig(b.dir)
			cfg.PlaylistLength = 5 * time.Minute
			s := mediatest.NewScript(t)
			s.Audio = nil
			s.Play(20 * sec)
			sound := &mediatest.Script{Audio: c.track, At: s.At, Packets: s.Packets, Video: s.Video}
			packets := betweenFrames(sound, c.frame, func(at time.Duration) bool { return at < 6*sec || at >= 15*sec })
			p := b.packager("test", cfg)
			b.run(p, packets, eof)
			if st := p.Snapshot(); st.Dropped > 0 {
				t.Errorf("%+v", st)
			}
			text := string(b.read("test-audio.m3u8"))
			if c.silent {
				b.whole("test-audio.m3u8", 20*sec, 50*time.Millisecond)
				return
			}
			if n := strings.Count(text, "#EXT-X-GAP\n"); n != 4 || strings.Contains(text, "DISCONTINUITY\n") {
				t.Errorf("%d holes:\n%s", n, text)
			}
			b.whole("test-video.m3u8", 20*sec, 0)
		})
	}
}

// betweenFrames adds frames of sound to the pictures of a script, where there is sound.
func betweenFrames(s *mediatest.Script, frame []byte, on func(time.Duration) bool) (out []*media.Packet) {
	step := 20 * time.Millisecond
	if n := mp4.FrameSamples(s.Audio, frame); n > 0 {
		step = time.Duration(n) * time.Second / time.Duration(s.Audio.SampleRate)
	}
	n := 0
	for _, p := range s.Packets {
		for at := time.Duration(0); ; n++ {
			if at = time.Duration(n) * step; at >= p.DTS {
				break
			}
			if on(at) {
				out = append(out, &media.Packet{Track: s.Audio, DTS: at.Truncate(time.Millisecond), Timestamp: uint32(at.Milliseconds()), Data: frame, Tag: frame})
			}
		}
		out = append(out, p)
	}
	return out
}

// A picture that stands, with sound and without: a sample lasts until the next one, and a
// segment without a picture of its own begins with what shows the last one again.
func TestStandingPicturesInFragmentedMP4(t *testing.T) {
	t.Parallel()
	for _, every := range []time.Duration{1500 * time.Millisecond, 3 * sec, 7 * sec} {
		for _, sound := range []bool{false, true} {
			t.Run(fmt.Sprint(every, sound), func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				cfg := fragmentedConfig(b.dir)
				cfg.PlaylistLength = 5 * time.Minute
				s := mediatest.NewScript(t)
				mediatest.Stills(s, every, 3)
				if sound {
					s.Audio = mediatest.Track(t, media.CodecAAC, mediatest.AACLC44)
					s = between(s)
				}
				p := b.packager("test", cfg)
				b.run(p, s.Packets, eof)
				if st := p.Snapshot(); st.Dropped > 0 {
					t.Errorf("%+v", st)
				}
				for i, f := range b.whole("test-video.m3u8", s.At, 0) {
					if !f.samples[0].sync {
						t.Errorf("fragment %d does not begin with a keyframe", i)
					}
				}
				// Everything that was sent is shown when it was to be shown; what is shown
				// again is there before.
				seen := make(map[string]time.Duration)
				for _, x := range b.all("test-video.m3u8") {
					if _, ok := seen[x.data]; !ok {
						seen[x.data] = x.pts
					}
				}
				for _, x := range sent(s.Packets, media.Video) {
					if at, ok := seen[x.data]; !ok || (at-x.pts).Abs() > time.Millisecond {
						t.Errorf("%.10q is shown at %v, want %v (%t)", x.data, at, x.pts, ok)
					}
				}
				if sound {
					b.same(b.all("test-audio.m3u8"), sent(s.Packets, media.Audio), 10*time.Millisecond)
				}
			})
		}
	}
}

// between adds sound to the pictures of a script.
func between(s *mediatest.Script) *mediatest.Script {
	out := &mediatest.Script{Video: s.Video, Audio: s.Audio, At: s.At, Serial: s.Serial}
	next := time.Duration(0)
	n := 0
	sound := func(until time.Duration) {
		for ; next < until; n++ {
			out.Put(s.Audio, next.Truncate(time.Millisecond), false)
			next = time.Duration(n+1) * 1024 * time.Second / 44100
		}
	}
	for _, p := range s.Packets {
		sound(p.DTS)
		out.Packets = append(out.Packets, p)
	}
	sound(s.At)
	return out
}

// Renditions from several publishers: the multivariant playlist of their base name has
// each with the sound of its own, and their media sequence numbers are aligned.
func TestALadderOfFragmentedMP4(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cfg := fragmentedConfig(b.dir)
	cfg.FragmentSlicing = "aligned"
	cfg.Variants = []config.Variant{{Suffix: "_low"}, {Suffix: "_hd", Bandwidth: 3_000_000}}
	for i, name := range []string{"show_low", "show_hd"} {
		s := mediatest.NewScript(t)
		s.Size = 1000 * (1 + i)
		b.clock.set(testStart)
		b.run(b.packager(name, cfg), s.Play(10*time.Second).Packets, nil)
	}
	const want = `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio0",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="show_low-audio.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio1",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="show_hd-audio.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=212260,AVERAGE-BANDWIDTH=212255,CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=25.000,AUDIO="audio0",CLOSED-CAPTIONS=NONE
show_low-video.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=412255,CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=25.000,AUDIO="audio1",CLOSED-CAPTIONS=NONE
show_hd-video.m3u8
`
	if got := string(b.read("show.m3u8")); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if f, _ := b.d.Lookup("show.m3u8"); !strings.HasPrefix(string(f.Full), want) || strings.Count(string(f.Full), "\nshow_low-audio.m3u8\n") != 1 {
		t.Errorf("HTTP has\n%s", f.Full)
	}
	low, hd := b.fragments("show_low-video.m3u8"), b.fragments("show_hd-video.m3u8")
	if a, b := string(b.read("show_low-video.m3u8")), string(b.read("show_hd-video.m3u8")); strings.ReplaceAll(a, "low", "hd") != b || len(low) < 4 {
		t.Errorf("%s\n%s", a, b)
	}
	for i := range low {
		if low[i].start != hd[i].start || low[i].end != hd[i].end {
			t.Errorf("segment %d is from %d to %d and from %d to %d", i, low[i].start, low[i].end, hd[i].start, hd[i].end)
		}
	}
	b.files()
	if got := packager.TrackPrefix("show", true, media.Audio); got != "show/audio-" {
		t.Errorf("%s", got)
	}
}
