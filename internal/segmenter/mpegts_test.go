package segmenter

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

func TestAudioTimestampsFollowTheSampleClock(t *testing.T) {
	a := mediatest.Track(t, media.CodecAAC, mediatest.AACLC44)
	frame := func(ms int64) *media.Packet {
		return &media.Packet{Track: a, DTS: time.Duration(ms) * time.Millisecond}
	}
	x := MPEGTS{sync: 2 * time.Millisecond}
	exact := func(n int64) time.Duration { return Samples(n, a) }
	for i, tt := range []struct {
		at   int64
		want time.Duration
	}{
		{0, 0},
		{23, exact(1)},
		{46, exact(2)},
		{70, exact(3)},
		{200, 200 * time.Millisecond}, // a gap: the clock is set anew
		{223, 200*time.Millisecond + exact(1)},
	} {
		if got := x.smooth(frame(tt.at), time.Duration(tt.at)*time.Millisecond); got != tt.want {
			t.Errorf("frame %d: %v, want %v", i, got, tt.want)
		}
	}
	// An hour later nothing has added up.
	for n := int64(0); n < 155000; n++ {
		real := 10*time.Second + exact(n).Truncate(time.Millisecond)
		if got := x.smooth(frame(real.Milliseconds()), real); got-real > 2*time.Millisecond || real-got > 2*time.Millisecond {
			t.Fatalf("frame %d: %v is not near %v", n, got, real)
		}
	}
}

// The buffer of a fragment is made once: grow is enough, whatever the packets are.
func TestAFragmentFitsIntoTheBufferMadeForIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		video  bool
		frames int
		size   int
	}{
		"a frame": {true, 1, 20}, "many small pictures": {true, 2000, 20}, "big pictures": {true, 50, 60000},
		"a frame of sound": {false, 1, 20}, "sound": {false, 2000, 400},
	} {
		s := mediatest.NewScript(t)
		g := &Segment{}
		for i := range c.frames {
			tr, at := s.Audio, time.Duration(i)*23*ms
			if c.video {
				tr, at = s.Video, time.Duration(i)*40*ms
			}
			s.Size = c.size
			s.Put(tr, at, i == 0)
			p := s.Packets[i]
			if !c.video {
				p.Data = append(p.Data, make([]byte, c.size)...)
			}
			g.packets, g.bytes, g.Tracks[tr.Kind] = append(g.packets, p), g.bytes+int64(len(p.Data)), tr
		}
		var x MPEGTS
		want := x.Size(g)[0]
		buf := make([]byte, 0, want)
		if b := x.append(buf, g); len(b) > want {
			t.Errorf("%s: %d bytes, grow says %d", name, len(b), want)
		}
	}
}
