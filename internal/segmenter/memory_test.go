package segmenter

import (
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// A stream with a keyframe at each cut holds nothing of the segments before. A picture
// that stands is held as long as it stands, with those that it refers to.
func TestPacketsOfAnEarlierSegmentAreLetGo(t *testing.T) {
	for name, c := range map[string]struct {
		gop  time.Duration
		held bool
	}{
		"a keyframe at each cut": {2 * sec, false},
		"one in three segments":  {6 * sec, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := mediatest.NewScript(t)
			s.GOP = c.gop
			s.Play(12 * sec)
			x, buf := NewMPEGTS(), []byte(nil)
			seg := New(func(g *Segment) { buf = x.append(buf[:0], g) }, nil)
			seg.SetRules(Rules{Fragment: 2 * sec, MaxFragment: 2 * sec})
			keys := make(map[time.Duration]weak.Pointer[media.Packet])
			for i, p := range s.Packets {
				s.Packets[i] = nil
				if p.DTS >= 9*sec {
					break
				}
				if p.Track.Kind == media.Video && p.Keyframe {
					keys[p.DTS] = weak.Make(p)
				}
				seg.Push(p, testStart, p.DTS)
			}
			runtime.GC()
			if got := keys[6*sec].Value() != nil; got != c.held {
				t.Errorf("the keyframe of the segment before is held: %t", got)
			}
			if keys[0].Value() != nil {
				t.Errorf("the first keyframe is held")
			}
			runtime.KeepAlive(seg)
			runtime.KeepAlive(x)
		})
	}
}
