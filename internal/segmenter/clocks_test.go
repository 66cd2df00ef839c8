package segmenter

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// cutting is what a segmenter made of packets.
type cutting struct {
	segs []Segment // with packets of their own
	*Segmenter
}

func cutUp(packets []*media.Packet, r Rules, target int) *cutting {
	c := &cutting{Segmenter: &Segmenter{rules: r}}
	if target > 0 {
		c.limit = limitFor(target)
	}
	c.emit = func(g *Segment) {
		q := *g
		q.packets = slices.Clone(g.packets)
		c.segs = append(c.segs, q)
		if c.limit == 0 {
			c.limit = limitFor(targetFor(r.Fragment, g.Duration))
		}
	}
	for _, p := range packets {
		c.Push(p, testStart, 0)
	}
	c.Finish()
	return c
}

func (c *cutting) sum() (d time.Duration) {
	for i := range c.segs {
		d += c.segs[i].Duration
	}
	return d
}

func (c *cutting) discontinuities() (n int) {
	for i := range c.segs {
		if c.segs[i].Discontinuity {
			n++
		}
	}
	return n
}

// whole demands that each packet is in exactly one fragment, and that EXTINF is
// at least the video's time in it.
func (c *cutting) whole(t *testing.T, packets []*media.Packet) {
	t.Helper()
	n := 0
	for i := range c.segs {
		g := &c.segs[i]
		n += len(g.packets)
		if c.limit > 0 && i > 0 && g.Duration > c.limit {
			t.Errorf("fragment %d lasts %v, the limit is %v", i, g.Duration, c.limit)
		}
		for _, p := range g.packets {
			if p.Track.Kind == media.Video && p.DTS-g.Start > g.Duration {
				t.Errorf("fragment %d from %v lasts %v and has a picture at %v", i, g.Start, g.Duration, p.DTS)
			}
		}
	}
	if n != len(packets) || c.dropped > 0 {
		t.Errorf("%d of %d packets, %d dropped", n, len(packets), c.dropped)
	}
}

// arriving sorts packets by due, which is when each arrived.
func arriving(packets []*media.Packet, due map[*media.Packet]time.Duration) []*media.Packet {
	out := slices.Clone(packets)
	slices.SortStableFunc(out, func(a, b *media.Packet) int { return int(due[a] - due[b]) })
	return out
}

func TestWhateverTheClocksDoNothingIsLost(t *testing.T) {
	for seed := range uint64(400) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 5))
			ms := func(n int64) time.Duration { return time.Duration(r.Int64N(n)) * time.Millisecond }
			s := mediatest.NewScript(t)
			s.GOP = 400*time.Millisecond + ms(3600)
			s.Frame = 10*time.Millisecond + ms(190)
			if r.IntN(4) == 0 {
				s.Audio = mediatest.Track(t, media.CodecAAC, mediatest.AACLC48)
			}
			sound := r.IntN(4) > 0
			if !sound {
				s.Audio = nil
			}
			s.Play(6 * sec)
			// Motion and stills of 0.5 to 12 s, mutes, in turn.
			video, audio := s.Video, s.Audio
			for range 2 + r.IntN(5) {
				still := 500*time.Millisecond + ms(11500)
				switch {
				case r.IntN(3) == 0 && sound: // muted
					s.Audio = nil
					s.Play(still)
				case sound: // still
					from := len(s.Packets)
					s.Play(still)
					s.Packets = slices.DeleteFunc(s.Packets, func(p *media.Packet) bool {
						return slices.Index(s.Packets[from:], p) > 0 && p.Track.Kind == media.Video
					})
				default:
					s.At += still
				}
				s.Video, s.Audio = video, audio
				s.Play(ms(5000))
			}
			end := s.At
			due := make(map[*media.Packet]time.Duration)
			skew, late := ms(2000)-sec, ms(500)
			for _, p := range s.Packets {
				due[p] = p.DTS
				if p.Track.Kind == media.Audio {
					p.DTS += skew
					due[p] += late
				}
			}
			packets := arriving(s.Packets, due)
			c := cutUp(packets, Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, 0)
			c.whole(t, packets)
			if d := c.sum() - end; d < -sec || d > sec {
				t.Errorf("EXTINFs add up to %v of %v", c.sum(), end)
			}
			if n := c.discontinuities(); n > 0 {
				t.Errorf("%d discontinuities", n)
			}
			if n := len(c.segs); n > int(end/sec)+4 {
				t.Errorf("%d fragments of %v", n, end)
			}
			if t.Failed() {
				for i := range c.segs {
					g := &c.segs[i]
					t.Logf("%v+%v %t %d packets, %d pictures", g.Start, g.Duration, g.Discontinuity, len(g.packets), g.Frames)
				}
				t.Logf("audio %v ahead, arrives %v late, frame %v, gop %v", skew, late, s.Frame, s.GOP)
			}
		})
	}
}

func TestSkewAndSlipsDoNotCut(t *testing.T) {
	for i, skew := range []time.Duration{-10 * sec, -2 * sec, -time.Second, 500 * time.Millisecond, sec, 2 * sec, 9 * sec, -700 * time.Millisecond, 0, 700 * time.Millisecond} {
		s := mediatest.NewScript(t).Play(16 * sec)
		if i > 6 { // the sound comes first, and its clock begins at 0
			s.Packets[0], s.Packets[1] = s.Packets[1], s.Packets[0]
			for _, p := range s.Packets {
				p.DTS -= skew
			}
		}
		for _, p := range s.Packets {
			if p.Track.Kind == media.Audio {
				p.DTS += skew
			}
		}
		c := cutUp(s.Packets, Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, 0)
		c.whole(t, s.Packets)
		if len(c.segs) != 8 || c.discontinuities() != 0 || c.sum() != 16*sec {
			t.Errorf("audio %v ahead: %d fragments, %d discontinuities, %v", skew, len(c.segs), c.discontinuities(), c.sum())
		}
	}
	for _, slip := range []time.Duration{-900 * time.Millisecond, 700 * time.Millisecond, 5 * sec} {
		s := mediatest.NewScript(t).Play(16 * sec)
		for _, p := range s.Packets {
			if p.Track.Kind == media.Audio && p.DTS > 7500*time.Millisecond {
				p.DTS += slip
			}
		}
		c := cutUp(s.Packets, Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, 0)
		c.whole(t, s.Packets)
		if len(c.segs) != 8 || c.discontinuities() != 0 || c.sum() != 16*sec {
			t.Errorf("a slip of %v: %d fragments, %d discontinuities, %v", slip, len(c.segs), c.discontinuities(), c.sum())
		}
	}
}

func TestAnotherAudioConfigurationDoesNotTearTheGOP(t *testing.T) {
	s := mediatest.NewScript(t).Play(5 * sec)
	s.Audio = mediatest.Track(t, media.CodecAAC, mediatest.AACLC48)
	s.GOP = 2 * sec
	for ; s.At < 12*sec; s.At += s.Frame {
		s.Put(s.Video, s.At, s.At%(2*sec) == 0)
		s.Put(s.Audio, s.At, false)
		s.Put(s.Audio, s.At+20*time.Millisecond, false)
	}
	c := cutUp(s.Packets, Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, 0)
	c.whole(t, s.Packets)
	for i := range c.segs {
		g := &c.segs[i]
		if g.Discontinuity != (g.Start == 6*sec) || !g.Independent || g.Duration != 2*sec {
			t.Errorf("fragment at %v: discontinuity %t, begins with a keyframe %t, lasts %v", g.Start, g.Discontinuity, g.Independent, g.Duration)
		}
		for _, p := range g.packets {
			if p.Track.Kind == media.Audio && g.Start >= 6*sec && p.Track != g.Tracks[media.Audio] {
				t.Errorf("fragment at %v has audio of two configurations", g.Start)
			}
		}
	}
}

func TestASilentTrackStaysAndOneThatIsGoneGoes(t *testing.T) {
	for name, mute := range map[string]func(s *mediatest.Script){
		"audio": func(s *mediatest.Script) { s.Audio = nil },
		"video": func(s *mediatest.Script) { s.Video = nil },
	} {
		for _, c := range []struct {
			silence time.Duration
			want    int // discontinuities
		}{{20 * sec, 0}, {45 * sec, 0}, {100 * sec, 2}} {
			s := mediatest.NewScript(t).Play(8 * sec)
			v, a := s.Video, s.Audio
			mute(s)
			s.Play(c.silence)
			s.Video, s.Audio = v, a
			s.Play(8 * sec)
			cut := cutUp(s.Packets, Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, 0)
			cut.whole(t, s.Packets)
			if n := cut.discontinuities(); n != c.want {
				t.Errorf("%s silent for %v: %d discontinuities, want %d", name, c.silence, n, c.want)
			}
			if want := s.At; cut.sum() < want-sec || cut.sum() > want+sec {
				t.Errorf("%s silent for %v: EXTINFs add up to %v of %v", name, c.silence, cut.sum(), want)
			}
		}
	}
}
