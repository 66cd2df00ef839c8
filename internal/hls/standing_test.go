package hls

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Every fragment of a still picture begins with a keyframe and has a picture, with
// sound and without, whatever the pictures' distance; in motion nothing is there
// twice.
func TestEveryFragmentOfAStillPictureHasIt(t *testing.T) {
	t.Parallel()
	for _, sound := range []bool{true, false} {
		for _, every := range []time.Duration{1500 * time.Millisecond, 2 * sec, 4 * sec, 10 * sec} {
			t.Run(fmt.Sprintf("%s, sound %t", every, sound), func(t *testing.T) {
				t.Parallel()
				s := newScript(t)
				n := 0
				video := func(at time.Duration) {
					s.put(s.video, at, n%50 == 0)
					n++
				}
				for at := time.Duration(0); at < 8*sec; at += 40 * time.Millisecond {
					video(at)
				}
				for at := 8 * sec; at < 48*sec; at += every {
					video(at)
				}
				if sound {
					for at := time.Duration(0); at < 48*sec; at += 20 * time.Millisecond {
						s.put(s.audio, at, false)
					}
				}
				packets := s.packets
				slices.SortStableFunc(packets, func(a, b *media.Packet) int { return int(a.DTS - b.DTS) })
				c := cutUp(packets, rules{fragment: 2 * sec, maxFragment: 6 * sec}, 2)
				x := &transport{sync: 2 * time.Millisecond, maxDelay: 300 * time.Millisecond}
				for i := range c.segs {
					g := &c.segs[i]
					b := x.append(nil, g)
					pictures := len(decodeTimes(b)[0x100])
					if pictures == 0 && g.duration > standing { // the last one may be a frame of sound
						t.Errorf("fragment %d from %v of %v has no picture", i, g.start, g.duration)
					}
					if g.start < 7*sec && pictures != g.frames {
						t.Errorf("fragment %d in motion has %d pictures, not %d", i, pictures, g.frames)
					}
				}
			})
		}
	}
}
