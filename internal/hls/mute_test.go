package hls

import (
	"bytes"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// A soundFrame is one AAC frame of a fragment.
type soundFrame struct {
	at   time.Duration
	real bool // it has a marker: the publisher sent it
}

// soundFrames are the AAC frames of a fragment, at 44.1 kHz.
func soundFrames(t testing.TB, ts []byte) (frames []soundFrame) {
	t.Helper()
	for _, p := range pesPackets(t, ts) {
		if p.kind != media.Audio {
			continue
		}
		n := adtsFrames(t, p.data)
		rest := p.data
		for i := range n {
			size := int(rest[3]&3)<<11 | int(rest[4])<<3 | int(rest[5]>>5)
			at := time.Duration(p.pts)*time.Second/90000 + time.Duration(i)*1024*time.Second/44100
			frames = append(frames, soundFrame{at, aMarker.Match(rest[:size])})
			rest = rest[size:]
		}
	}
	return frames
}

var aMarker = regexp.MustCompile(`<A\d{7}>`)

// A muted encoder sends pictures and no sound. Each fragment has sound all the same,
// which hls.js and video.js need, and all of the real sound is there, at its own time:
// a viewer who comes just then hears it, too.
func TestAMutedEncoderLosesNoSound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		from, to time.Duration // without sound
		lag      time.Duration // of the sound's timestamps behind the picture's that arrive with them
		config   string
	}{
		{"5 s", 15 * time.Second, 20 * time.Second, 0, mediatest.AACLC44},
		{"5 s from within a fragment on", 14700 * time.Millisecond, 19700 * time.Millisecond, 0, mediatest.AACLC44},
		{"5 s, mono", 15 * time.Second, 20 * time.Second, 0, "1208"},
		{"5 s, 5.1", 15 * time.Second, 20 * time.Second, 0, "1230"},
		{"5 s, HE-AAC in mono", 15 * time.Second, 20 * time.Second, 0, "120856e500"},
		{"3 s", 14 * time.Second, 17 * time.Second, 0, mediatest.AACLC44},
		{"12 s", 5 * time.Second, 17 * time.Second, 0, mediatest.AACLC44},
		{"25 s", 3 * time.Second, 28 * time.Second, 0, mediatest.AACLC44},
		{"sound 800 ms behind", 15 * time.Second, 20 * time.Second, 800 * time.Millisecond, mediatest.AACLC44},
		{"sound 800 ms ahead", 15 * time.Second, 20 * time.Second, -800 * time.Millisecond, mediatest.AACLC44},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			cfg := testConfig(b.dir)
			cfg.PlaylistLength = time.Minute
			s := mediatest.NewScript(t)
			s.Audio = mediatest.Track(t, media.CodecAAC, c.config)
			end, sent := 36*time.Second, 0
			next := time.Duration(0)
			for n, at := 0, time.Duration(0); at < end; at += 40 * time.Millisecond {
				s.Put(s.Video, at, at%s.GOP == 0)
				for ; next <= at; n++ {
					if next < c.from || next >= c.to {
						s.Put(s.Audio, max(next-c.lag, 0).Truncate(time.Millisecond), false)
						sent++
					}
					next = time.Duration(n+1) * 1024 * time.Second / 44100
				}
			}
			p := b.packager("test", cfg)
			b.run(p, s.Packets, nil)
			var all []soundFrame
			for i := range int(end / cfg.Fragment) {
				frames := soundFrames(t, b.read(fmt.Sprintf("test-%d.ts", i)))
				if len(frames) == 0 {
					t.Errorf("no sound in fragment %d", i)
				}
				all = append(all, frames...)
			}
			heard, longest := 0, time.Duration(0)
			for i, f := range all {
				if f.real {
					heard++
				}
				if i == 0 || c.lag > 0 && i < 40 { // timestamps before 0 do not exist
					continue
				}
				if gap := f.at - all[i-1].at; gap < 20*time.Millisecond {
					t.Errorf("sound at %v after %v", f.at, all[i-1].at)
				} else {
					longest = max(longest, gap)
				}
			}
			if heard != sent {
				t.Errorf("%d of %d frames of the publisher's sound", heard, sent)
			}
			// A fragment with some sound of its own is not filled.
			if longest > 2*cfg.Fragment {
				t.Errorf("%v without sound", longest)
			}
			if n := p.Snapshot().Dropped; n > 0 {
				t.Errorf("%d packets dropped", n)
			}
			if bytes.Contains(b.read("test.m3u8"), []byte("DISCONTINUITY\n")) {
				t.Errorf("a discontinuity")
			}
		})
	}
}
