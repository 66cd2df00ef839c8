package segmenter

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// cuts describes segments in one line: start+duration, D a discontinuity before
// it, n that it does not begin with a keyframe, v and a what it carries.
func cuts(packets []*media.Packet, r Rules, target int, after func(*Segmenter, int)) (string, *Segmenter) {
	var out []string
	s := &Segmenter{rules: r}
	if target > 0 {
		s.limit = limitFor(target)
	}
	s.emit = func(g *Segment) {
		c := fmt.Sprintf("%.2f+%.2f", g.Start.Seconds(), g.Duration.Seconds())
		for _, f := range []struct {
			set  bool
			mark string
		}{{g.Discontinuity, "D"}, {!g.Independent, "n"}, {g.Tracks[media.Video] != nil, "v"}, {g.Tracks[media.Audio] != nil, "a"}} {
			if f.set {
				c += f.mark
			}
		}
		out = append(out, c)
		if s.limit == 0 {
			s.limit = limitFor(targetFor(r.Fragment, g.Duration))
		}
	}
	for i, p := range packets {
		if after != nil {
			after(s, i)
		}
		s.Push(p, testStart, 0)
	}
	s.Finish()
	return strings.Join(out, " "), s
}

func TestCuts(t *testing.T) {
	two := Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}
	tests := []struct {
		name   string
		rules  Rules
		target int
		play   func(*mediatest.Script)
		want   string
	}{
		{name: "a keyframe at the fragment's length", rules: two, play: func(s *mediatest.Script) { s.Play(6 * sec) }, want: "0.00+2.00va 2.00+2.00va 4.00+2.00va"},
		{name: "keyframes more often than fragments", rules: two, play: func(s *mediatest.Script) {
			s.GOP = 400 * time.Millisecond
			s.Play(5 * sec)
		}, want: "0.00+2.00va 2.00+2.00va 4.00+1.00va"},
		{name: "a GOP that is 4 ms short of the fragment still fills it", rules: two, play: func(s *mediatest.Script) {
			s.GOP = 1996 * time.Millisecond
			s.Frame = 499 * time.Millisecond
			s.Play(4 * sec)
		}, want: "0.00+2.00va 2.00+2.00va 3.99+0.50va"},
		{name: "the first long GOP sets the target", rules: two, play: func(s *mediatest.Script) {
			s.GOP = 5 * sec
			s.Play(15 * sec)
		}, want: "0.00+5.00va 5.00+5.00va 10.00+5.00va"},
		{name: "a GOP beyond max_fragment is cut without a keyframe", rules: two, play: func(s *mediatest.Script) {
			s.GOP = 20 * sec
			s.Play(9 * sec)
		}, want: "0.00+6.00va 6.00+3.00nva"},
		{name: "a later GOP is cut before EXTINF rounds above the target", rules: two, play: func(s *mediatest.Script) {
			s.Play(2 * sec)
			s.GOP = 20 * sec
			s.Play(5 * sec)
		}, want: "0.00+2.00va 2.00+2.48va 4.48+2.48nva 6.96+0.04nva"},
		{name: "at a keyframe before the length if the next would be too late", rules: Rules{Fragment: 5 * sec, MaxFragment: 15 * sec}, target: 5, play: func(s *mediatest.Script) {
			s.GOP = 4 * sec
			s.Play(12 * sec)
		}, want: "0.00+4.00va 4.00+4.00va 8.00+4.00va"},
		{name: "audio only is cut at any frame", rules: two, play: func(s *mediatest.Script) {
			s.Video = nil
			s.Play(5 * sec)
		}, want: "0.00+2.00a 2.00+2.00a 3.99+1.02a"},
		{name: "video only", rules: two, play: func(s *mediatest.Script) {
			s.Audio = nil
			s.Play(4 * sec)
		}, want: "0.00+2.00v 2.00+2.00v"},
		{name: "audio before the first keyframe joins the first fragment", rules: two, play: func(s *mediatest.Script) {
			v := s.Video
			s.Video = nil
			s.Play(sec / 2)
			s.Video = v
			s.Play(4 * sec)
		}, want: "0.00+2.50va 2.50+2.00va"},
		{name: "video before its first keyframe is dropped", rules: two, play: func(s *mediatest.Script) {
			s.GOP = 100 * sec
			s.Play(sec)
			for _, p := range s.Packets {
				p.Keyframe = false
			}
			s.GOP = 2 * sec
			s.Play(4 * sec)
		}, want: "0.00+3.00va 3.00+2.00va"},
		{name: "audio that comes later makes its fragment a discontinuity", rules: two, play: func(s *mediatest.Script) {
			a := s.Audio
			s.Audio = nil
			s.Play(3 * sec)
			s.GOP = sec // the next keyframe is at 4 s
			s.Audio = a
			s.Play(3 * sec)
		}, want: "0.00+2.00v 2.00+2.00Dva 4.00+2.00va"},
		{name: "audio that is muted stays", rules: two, play: func(s *mediatest.Script) {
			s.Play(4 * sec)
			s.Audio = nil
			s.Play(4 * sec)
		}, want: "0.00+2.00va 2.00+2.00va 4.00+2.00va 6.00+2.00va"},
		{name: "a short last fragment without audio has not lost it", rules: two, play: func(s *mediatest.Script) {
			s.Play(2 * sec)
			s.Audio = nil
			s.Play(sec / 2)
		}, want: "0.00+2.00va 2.00+0.52va"},
		{name: "video that stands still is cut by the sound", rules: two, play: func(s *mediatest.Script) {
			s.Play(3 * sec)
			s.Video = nil
			s.Play(5 * sec)
		}, want: "0.00+2.00va 2.00+2.01va 4.01+2.00va 6.01+2.00va 8.00+0.02va"},
		{name: "video that comes later begins a fragment", rules: two, play: func(s *mediatest.Script) {
			v := s.Video
			s.Video = nil
			s.Play(3 * sec)
			s.Video = v
			s.Play(4 * sec)
		}, want: "0.00+2.00a 2.00+1.02a 3.00+2.00Dva 5.00+2.00va"},
		{name: "another encoder", rules: two, play: func(s *mediatest.Script) {
			s.Play(3 * sec)
			s.Epoch++
			s.Play(3 * sec)
		}, want: "0.00+2.00va 2.00+1.00va 3.00+2.00Dva 5.00+1.00va"},
		{name: "another resolution at a keyframe", rules: two, play: func(s *mediatest.Script) {
			s.Play(3 * sec)
			v := *s.Video
			s.Video = &v
			s.Play(3 * sec)
		}, want: "0.00+2.00va 2.00+1.00va 3.00+2.00Dva 5.00+1.00va"},
		{name: "both tracks change at once: one discontinuity", rules: two, play: func(s *mediatest.Script) {
			s.Play(3 * sec)
			v, a := *s.Video, *s.Audio
			s.Video, s.Audio = &v, &a
			s.Play(3 * sec)
		}, want: "0.00+2.00va 2.00+1.00va 3.00+2.00Dva 5.00+1.00va"},
		{name: "timestamps leap forward", rules: two, play: func(s *mediatest.Script) {
			s.Play(3 * sec)
			s.At += 100 * sec
			s.Play(2 * sec)
		}, want: "0.00+2.00va 2.00+1.00va 103.00+2.00Dva"},
		{name: "timestamps go back", rules: two, play: func(s *mediatest.Script) {
			s.At = 60 * sec
			s.Play(3 * sec)
			s.At = 5 * sec
			s.Play(2 * sec)
		}, want: "60.00+2.00va 62.00+1.00va 5.00+2.00Dva"},
		{name: "a frame that comes late at the limit does not make EXTINFs drift", rules: two, target: 2, play: func(s *mediatest.Script) {
			s.Audio, s.GOP = nil, 20*sec
			s.Play(2440 * time.Millisecond)
			for s.At = 2900 * time.Millisecond; s.At < 6*sec; s.At += s.Frame {
				s.Put(s.Video, s.At, false)
			}
		}, want: "0.00+2.50v 2.50+2.48nv 4.98+1.04nv"},
		{name: "ten seconds of silence are no EXTINF", rules: two, play: func(s *mediatest.Script) {
			s.Play(3 * sec)
			s.At += 9 * sec
			s.Play(2 * sec)
		}, want: "0.00+2.00va 2.00+1.01va 12.00+2.00Dva"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := mediatest.NewScript(t)
			tt.play(s)
			if got, _ := cuts(s.Packets, tt.rules, tt.target, nil); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestAlignedSlicingCutsWhereThePublishersClockSays(t *testing.T) {
	aligned := Rules{Fragment: 4 * sec, MaxFragment: 12 * sec, Aligned: true}
	tests := []struct {
		name, want string
		play       func(*mediatest.Script)
	}{
		{"nothing is written before the first boundary", "4.00+4.00va 8.00+4.00va", func(s *mediatest.Script) {
			s.At = 2 * sec
			s.Play(10 * sec)
		}},
		{"a stream that begins at a boundary loses nothing", "8.00+4.00va 12.00+4.00va", func(s *mediatest.Script) {
			s.At = 8 * sec
			s.Play(8 * sec)
		}},
		{"audio only", "4.02+3.99a 8.01+2.00a", func(s *mediatest.Script) {
			s.Video = nil
			s.At = sec
			s.Play(9 * sec)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := mediatest.NewScript(t)
			tt.play(s)
			if got, _ := cuts(s.Packets, aligned, 4, nil); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestPacketsPassedOverAreADiscontinuity(t *testing.T) {
	s := mediatest.NewScript(t).Play(10 * sec)
	from := len(s.Packets) / 2
	lost := append(s.Packets[:from:from], s.Packets[from+100:]...)
	got, _ := cuts(lost, Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, 0, func(g *Segmenter, i int) {
		if i == from {
			g.Lose()
		}
	})
	if want := "0.00+2.00va 2.00+2.00va 4.00+1.00va"; !strings.HasPrefix(got, want) || strings.Count(got, "D") != 1 {
		t.Errorf("got %s, want %s and one discontinuity", got, want)
	}
}

func TestTwentyFourMegabytesEndAFragment(t *testing.T) {
	s := mediatest.NewScript(t)
	s.Audio = nil
	s.GOP = 100 * sec
	s.Play(4 * sec)
	big := make([]byte, 3<<20)
	for _, p := range s.Packets {
		p.Data = big
	}
	var sizes []int64
	g := Segmenter{rules: Rules{Fragment: 50 * sec, MaxFragment: 100 * sec}}
	g.emit = func(s *Segment) { sizes = append(sizes, s.bytes) }
	for _, p := range s.Packets {
		g.Push(p, testStart, 0)
	}
	g.Finish()
	if len(sizes) != 15 || sizes[0] > maxSegmentBytes || sizes[0] < maxSegmentBytes-3<<20 {
		t.Errorf("fragments of %v bytes", sizes)
	}
}

// Frames of a byte, all at one time, or each with a header of its own, are held by
// pointer: what they keep ends a fragment, not their payload.
func TestWhatAFragmentHoldsIsBounded(t *testing.T) {
	for name, header := range map[string]int{"tiny frames": 0, "header before each frame": 60 << 10} {
		s := mediatest.NewScript(t)
		s.Audio = nil
		s.GOP = 100 * sec
		s.Play(4 * sec)
		frame := s.Packets[1]
		var most int64
		g := Segmenter{rules: Rules{Fragment: 50 * sec, MaxFragment: 100 * sec}}
		g.emit = func(s *Segment) { most = max(most, int64(len(s.packets))*media.PacketOverhead) }
		g.Push(s.Packets[0], testStart, 0)
		extra := &media.Extra{Headers: [][]byte{make([]byte, header)}}
		for range 300000 {
			p := *frame
			p.Data, p.Tag = p.Data[:1], p.Data[:1]
			if header > 0 {
				p.Extra = &media.Extra{Headers: extra.Headers}
			}
			g.Push(&p, testStart, 0)
			if g.open != nil && g.open.held > maxSegmentBytes+2*int64(header) {
				t.Fatalf("%s: %d bytes held", name, g.open.held)
			}
		}
		g.Finish()
		if most == 0 || most > maxSegmentBytes {
			t.Errorf("%s: a fragment of %d bytes of packets", name, most)
		}
	}
}

func TestTimestampsThatJumpAtEachPacketDoNotMakeAFragmentOfEach(t *testing.T) {
	jumpy := func(step func(i int) time.Duration) []*media.Packet {
		s := mediatest.NewScript(t)
		s.Audio, s.Frame, s.GOP = nil, 10*time.Millisecond, sec
		s.Play(20 * sec)
		for i, p := range s.Packets {
			p.DTS += step(i)
		}
		return s.Packets
	}
	for _, tt := range []struct {
		name string
		step func(i int) time.Duration
	}{
		{"back and forth", func(i int) time.Duration { return time.Duration(i%2) * 100 * sec }},
		{"ever further", func(i int) time.Duration { return time.Duration(i) * 16 * sec }},
		{"ever back", func(i int) time.Duration { return time.Duration(3000-i) * 2 * sec }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := cuts(jumpy(tt.step), Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, 0, nil)
			if n := len(strings.Fields(got)); n > 60 {
				t.Errorf("%d fragments of 2000 packets", n)
			}
		})
	}
}

func TestAudioThatCountsFromElsewhereIsMovedToItsVideo(t *testing.T) {
	s := mediatest.NewScript(t).Play(20 * sec)
	for _, p := range s.Packets {
		if p.Track.Kind == media.Audio {
			p.DTS += 1000 * sec
		}
	}
	var shift, muxed time.Duration
	got, g := cuts(s.Packets, Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, 0, func(s *Segmenter, _ int) {
		shift = s.line.shift
		if g := s.open; g != nil && g.Tracks[media.Audio] != nil {
			muxed = g.audioShift
		}
	})
	if n := len(strings.Fields(got)); n > 14 {
		t.Errorf("%d fragments: %s", n, got)
	}
	if shift > -990*sec || shift < -1010*sec {
		t.Errorf("audio moved by %v", shift)
	}
	if muxed != shift {
		t.Errorf("muxed with a shift of %v, judged with %v", muxed, shift)
	}
	if g.dropped > 2*maxLeftovers {
		t.Errorf("%d packets dropped", g.dropped)
	}
}

func TestTimestampsThatRunBackALittleAreHeldUp(t *testing.T) {
	s := mediatest.NewScript(t)
	s.Audio = nil
	s.Play(4 * sec)
	s.Packets[30].DTS -= 500 * time.Millisecond
	s.Packets[30].CTS = 520 * time.Millisecond
	var dts, pts []time.Duration
	g := Segmenter{rules: Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}}
	g.emit = func(s *Segment) {
		for _, p := range s.packets {
			dts, pts = append(dts, p.DTS), append(pts, p.DTS+p.CTS)
		}
	}
	for _, p := range s.Packets {
		g.Push(p, testStart, 0)
	}
	g.Finish()
	for i := 1; i < len(dts); i++ {
		if dts[i] < dts[i-1] {
			t.Errorf("frame %d: %v after %v", i, dts[i], dts[i-1])
		}
	}
	if want := 30*s.Frame + 20*time.Millisecond; pts[30] != want {
		t.Errorf("PTS became %v, was %v", pts[30], want)
	}
	if s.Packets[30].DTS != 700*time.Millisecond {
		t.Error("the shared packet was written to")
	}
}
