package hls

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

const ms = time.Millisecond

// sounding is the PES packets of a stream of sound alone whose frames have these
// timestamps (ms) and that many bytes: "PTS in ms×frames". At 32 kHz the 1024 samples
// of a frame last 32 ms.
func sounding(t *testing.T, set func(*config.HLS), size int, at ...int) []string {
	t.Helper()
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.Fragment, cfg.MaxFragment = 10*time.Second, 10*time.Second
	set(&cfg)
	s := mediatest.NewScript(t)
	s.Audio = mediatest.Track(t, media.CodecAAC, "1290")
	for _, when := range at {
		s.Put(s.Audio, time.Duration(when)*ms, false)
		if p := s.Packets[len(s.Packets)-1]; size > len(p.Data) {
			p.Data = append(p.Data, make([]byte, size-len(p.Data))...)
			p.Tag = p.Data
		}
	}
	b.run(b.packager("test", cfg), s.Packets, eof)
	var out []string
	ts := b.read("test-0.ts")
	for _, p := range pesPackets(t, ts) {
		if p.length == 0 || p.length > 65535 {
			t.Errorf("an audio PES packet of length %d", p.length)
		}
		out = append(out, fmt.Sprintf("%d×%d", p.pts/90, adtsFrames(t, p.data)))
	}
	return out
}

// A PES packet of audio has one timestamp for all of its frames: the frames follow
// each other at the sample rate, to 20 ms, or the next one begins.
func TestWhereThePESPacketsOfTheSoundBegin(t *testing.T) {
	t.Parallel()
	grid := func(n int) (at []int) {
		for i := range n {
			at = append(at, i*32)
		}
		return at
	}
	together := func(d time.Duration) func(*config.HLS) {
		return func(c *config.HLS) { c.MaxAudioDelay = d }
	}
	for _, c := range []struct {
		name string
		set  func(*config.HLS)
		size int
		at   []int
		want []string
	}{
		{"half of max_audio_delay is exactly four frames", together(256 * ms), 0, grid(9), []string{"0×4", "128×4", "256×1"}},
		{"half of it is a little less", together(254 * ms), 0, grid(8), []string{"0×4", "128×4"}},
		{"half of it is a little more", together(258 * ms), 0, grid(10), []string{"0×5", "160×5"}},
		{"no delay", together(0), 0, grid(4), []string{"0×1", "32×1", "64×1", "96×1"}},
		{"20 ms late", together(600 * ms), 0, []int{0, 32, 64, 116, 148}, []string{"0×5"}},
		{"21 ms late", together(600 * ms), 0, []int{0, 32, 64, 117, 149}, []string{"0×3", "117×2"}},
		{"20 ms early", together(600 * ms), 0, []int{0, 32, 64, 76, 108}, []string{"0×5"}},
		{"21 ms early", together(600 * ms), 0, []int{0, 32, 64, 75, 107}, []string{"0×3", "75×2"}},

		// Where a timestamp is within hls.sync of the sample clock that is the time.
		{"2 ms off", together(0), 0, []int{0, 32, 64, 98, 130}, []string{"0×1", "32×1", "64×1", "96×1", "128×1"}},
		{"3 ms off", together(0), 0, []int{0, 32, 64, 99, 131}, []string{"0×1", "32×1", "64×1", "99×1", "131×1"}},
		{"2 ms early", together(0), 0, []int{0, 32, 64, 94, 126}, []string{"0×1", "32×1", "64×1", "96×1", "128×1"}},
		{"3 ms early", together(0), 0, []int{0, 32, 64, 93, 125}, []string{"0×1", "32×1", "64×1", "93×1", "125×1"}},

		// PES_packet_length has 16 bits.
		{"ten frames of 6000 bytes", together(10 * time.Second), 6000, grid(21), []string{"0×10", "320×10", "640×1"}},
		{"ten frames of 6001 bytes", together(10 * time.Second), 6001, grid(19), []string{"0×9", "288×9", "576×1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := sounding(t, c.set, c.size, c.at...); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// The sample clock of the sound runs on from one fragment into the next: rounded
// timestamps show nowhere. After a discontinuity it is set anew.
func TestTheSampleClockRunsOverFragments(t *testing.T) {
	t.Parallel()
	// The second one is 1 ms beside where the clock before would have its next frame.
	for _, anew := range []time.Duration{7*time.Second + 3*ms, 6015 * ms} {
		b := newBench(t)
		cfg := testConfig(b.dir)
		cfg.MaxAudioDelay = 0 // each frame shows its time
		s := mediatest.NewScript(t).Play(6 * time.Second)
		s.Epoch++
		s.At = anew
		s.Play(4 * time.Second)
		b.run(b.packager("test", cfg), s.Packets, eof)
		n, base := int64(0), time.Duration(0)
		for i := range 5 {
			if i == 3 {
				n, base = 0, anew
			}
			for _, p := range pesPackets(t, b.read(fmt.Sprintf("test-%d.ts", i))) {
				if p.kind != media.Audio {
					continue
				}
				if want := ticks(base + time.Duration(n*1024)*time.Second/44100); p.pts < want-1 || p.pts > want+1 {
					t.Fatalf("fragment %d: frame %d is shown at tick %d, want %d", i, n, p.pts, want)
				}
				n++
			}
		}
		if n < 170 {
			t.Errorf("%d frames in the last two fragments", n)
		}
	}
}

// Sound that waits for its PES packet to fill is not held longer than
// max_audio_delay behind the picture.
func TestSoundDoesNotWaitBehindThePicture(t *testing.T) {
	t.Parallel()
	for delay, want := range map[time.Duration]string{300 * ms: "VVVVVVVVaVVV", 301 * ms: "VVVVVVVVVaVV", 299 * ms: "VVVVVVVVaVVV"} {
		b := newBench(t)
		cfg := testConfig(b.dir)
		cfg.MaxAudioDelay = delay
		s := mediatest.NewScript(t)
		s.Put(s.Video, 0, true)
		s.Put(s.Audio, 20*ms, false)
		s.Put(s.Audio, 43*ms, false)
		for at := 40 * ms; at <= 400*ms; at += 40 * ms {
			s.Put(s.Video, at, false)
		}
		b.run(b.packager("test", cfg), s.Packets, eof)
		got := ""
		for _, p := range pesPackets(t, b.read("test-0.ts")) {
			got += string("Va"[p.kind])
		}
		if got != want {
			t.Errorf("max_audio_delay = %s: got %s, want %s", delay, got, want)
		}
	}
}
