package hls

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// cutting is what a segmenter made of packets.
type cutting struct {
	segs []segment // with packets of their own
	*segmenter
}

func cutUp(packets []*media.Packet, r rules, target int) *cutting {
	c := &cutting{segmenter: &segmenter{rules: r}}
	if target > 0 {
		c.limit = limitFor(target)
	}
	c.emit = func(g *segment) {
		q := *g
		q.packets = slices.Clone(g.packets)
		c.segs = append(c.segs, q)
		if c.limit == 0 {
			c.limit = limitFor(targetFor(r.fragment, g.duration))
		}
	}
	for _, p := range packets {
		c.push(p, testStart, 0)
	}
	c.finish()
	return c
}

func (c *cutting) sum() (d time.Duration) {
	for i := range c.segs {
		d += c.segs[i].duration
	}
	return d
}

func (c *cutting) discontinuities() (n int) {
	for i := range c.segs {
		if c.segs[i].discontinuity {
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
		if c.limit > 0 && i > 0 && g.duration > c.limit {
			t.Errorf("fragment %d lasts %v, the limit is %v", i, g.duration, c.limit)
		}
		for _, p := range g.packets {
			if p.Track.Kind == media.Video && p.DTS-g.start > g.duration {
				t.Errorf("fragment %d from %v lasts %v and has a picture at %v", i, g.start, g.duration, p.DTS)
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
			s := newScript(t)
			s.gop = 400*time.Millisecond + ms(3600)
			s.frame = 10*time.Millisecond + ms(190)
			if r.IntN(4) == 0 {
				s.audio = track(t, media.CodecAAC, aacLC48)
			}
			sound := r.IntN(4) > 0
			if !sound {
				s.audio = nil
			}
			s.play(6 * sec)
			// Motion and stills of 0.5 to 12 s, mutes, in turn.
			video, audio := s.video, s.audio
			for range 2 + r.IntN(5) {
				still := 500*time.Millisecond + ms(11500)
				switch {
				case r.IntN(3) == 0 && sound: // muted
					s.audio = nil
					s.play(still)
				case sound: // still
					from := len(s.packets)
					s.play(still)
					s.packets = slices.DeleteFunc(s.packets, func(p *media.Packet) bool {
						return slices.Index(s.packets[from:], p) > 0 && p.Track.Kind == media.Video
					})
				default:
					s.at += still
				}
				s.video, s.audio = video, audio
				s.play(ms(5000))
			}
			end := s.at
			due := make(map[*media.Packet]time.Duration)
			skew, late := ms(2000)-sec, ms(500)
			for _, p := range s.packets {
				due[p] = p.DTS
				if p.Track.Kind == media.Audio {
					p.DTS += skew
					due[p] += late
				}
			}
			packets := arriving(s.packets, due)
			c := cutUp(packets, rules{fragment: 2 * sec, maxFragment: 6 * sec}, 0)
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
					t.Logf("%v+%v %t %d packets, %d pictures", g.start, g.duration, g.discontinuity, len(g.packets), g.frames)
				}
				t.Logf("audio %v ahead, arrives %v late, frame %v, gop %v", skew, late, s.frame, s.gop)
			}
		})
	}
}

func TestSkewAndSlipsDoNotCut(t *testing.T) {
	for i, skew := range []time.Duration{-10 * sec, -2 * sec, -time.Second, 500 * time.Millisecond, sec, 2 * sec, 9 * sec, -700 * time.Millisecond, 0, 700 * time.Millisecond} {
		s := newScript(t).play(16 * sec)
		if i > 6 { // the sound comes first, and its clock begins at 0
			s.packets[0], s.packets[1] = s.packets[1], s.packets[0]
			for _, p := range s.packets {
				p.DTS -= skew
			}
		}
		for _, p := range s.packets {
			if p.Track.Kind == media.Audio {
				p.DTS += skew
			}
		}
		c := cutUp(s.packets, rules{fragment: 2 * sec, maxFragment: 6 * sec}, 0)
		c.whole(t, s.packets)
		if len(c.segs) != 8 || c.discontinuities() != 0 || c.sum() != 16*sec {
			t.Errorf("audio %v ahead: %d fragments, %d discontinuities, %v", skew, len(c.segs), c.discontinuities(), c.sum())
		}
	}
	for _, slip := range []time.Duration{-900 * time.Millisecond, 700 * time.Millisecond, 5 * sec} {
		s := newScript(t).play(16 * sec)
		for _, p := range s.packets {
			if p.Track.Kind == media.Audio && p.DTS > 7500*time.Millisecond {
				p.DTS += slip
			}
		}
		c := cutUp(s.packets, rules{fragment: 2 * sec, maxFragment: 6 * sec}, 0)
		c.whole(t, s.packets)
		if len(c.segs) != 8 || c.discontinuities() != 0 || c.sum() != 16*sec {
			t.Errorf("a slip of %v: %d fragments, %d discontinuities, %v", slip, len(c.segs), c.discontinuities(), c.sum())
		}
	}
}

func TestAnotherAudioConfigurationDoesNotTearTheGOP(t *testing.T) {
	s := newScript(t).play(5 * sec)
	s.audio = track(t, media.CodecAAC, aacLC48)
	s.gop = 2 * sec
	for ; s.at < 12*sec; s.at += s.frame {
		s.put(s.video, s.at, s.at%(2*sec) == 0)
		s.put(s.audio, s.at, false)
		s.put(s.audio, s.at+20*time.Millisecond, false)
	}
	c := cutUp(s.packets, rules{fragment: 2 * sec, maxFragment: 6 * sec}, 0)
	c.whole(t, s.packets)
	for i := range c.segs {
		g := &c.segs[i]
		if g.discontinuity != (g.start == 6*sec) || !g.independent || g.duration != 2*sec {
			t.Errorf("fragment at %v: discontinuity %t, begins with a keyframe %t, lasts %v", g.start, g.discontinuity, g.independent, g.duration)
		}
		for _, p := range g.packets {
			if p.Track.Kind == media.Audio && g.start >= 6*sec && p.Track != g.tracks[media.Audio] {
				t.Errorf("fragment at %v has audio of two configurations", g.start)
			}
		}
	}
}

func TestASilentTrackStaysAndOneThatIsGoneGoes(t *testing.T) {
	for name, mute := range map[string]func(s *script){
		"audio": func(s *script) { s.audio = nil },
		"video": func(s *script) { s.video = nil },
	} {
		for _, c := range []struct {
			silence time.Duration
			want    int // discontinuities
		}{{20 * sec, 0}, {45 * sec, 0}, {100 * sec, 2}} {
			s := newScript(t).play(8 * sec)
			v, a := s.video, s.audio
			mute(s)
			s.play(c.silence)
			s.video, s.audio = v, a
			s.play(8 * sec)
			cut := cutUp(s.packets, rules{fragment: 2 * sec, maxFragment: 6 * sec}, 0)
			cut.whole(t, s.packets)
			if n := cut.discontinuities(); n != c.want {
				t.Errorf("%s silent for %v: %d discontinuities, want %d", name, c.silence, n, c.want)
			}
			if want := s.at; cut.sum() < want-sec || cut.sum() > want+sec {
				t.Errorf("%s silent for %v: EXTINFs add up to %v of %v", name, c.silence, cut.sum(), want)
			}
		}
	}
}
