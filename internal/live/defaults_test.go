package live

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A stream without options holds 16 MiB, including the overhead of packets.
func TestAStreamHolds16MiB(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{}, {MaxBytes: -1}, {MaxBytes: 16 << 20}} {
		s, f := NewStream("app", "name", o), newFeed()
		s.Write(f.key())
		var most Snapshot
		for range 400 {
			s.Write(f.packet(f.video, false, 64<<10))
			if now := s.Snapshot(); now.HeldBytes > most.HeldBytes {
				most = now
			}
		}
		if most.HeldBytes > 16<<20 || most.HeldBytes < 16<<20-65<<10 {
			t.Errorf("%+v: up to %d bytes are held, want 16 MiB less one packet at most", o, most.HeldBytes)
		}
		if most.Held < 250 || most.Held > 256 {
			t.Errorf("%+v: up to %d packets of 64 KiB are held", o, most.Held)
		}
	}
}

// Options without a headroom keep what came up to 10 s before the newest
// keyframe.
func TestAReaderMayBeTenSecondsBehind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		options Options
		gops    int // of a second, written behind the reader
		lapped  bool
	}{
		{Options{}, 10, false},
		{Options{}, 11, true},
		{Options{Headroom: -1}, 10, false},
		{Options{Headroom: -1}, 11, true},
		{Options{Headroom: 3 * time.Second}, 3, false},
		{Options{Headroom: 3 * time.Second}, 4, true},
	} {
		s, f := NewStream("app", "name", c.options), newFeed()
		cur := s.Cursor(FromKeyframe, false)
		var all []*media.Packet
		for range c.gops {
			all = append(all, f.gop(s, 49)...)
		}
		got, skipped, _ := read(t, cur)
		if want := all; !c.lapped && (!slices.Equal(got, want) || skipped != 0) {
			t.Errorf("%+v, %d s behind: %d packets, %d skipped; want all %d", c.options, c.gops, len(got), skipped, len(all))
		}
		if c.lapped && (!slices.Equal(got, all[len(all)-50:]) || int(skipped) != len(all)-50) {
			t.Errorf("%+v, %d s behind: %d packets, %d skipped; want the newest GOP", c.options, c.gops, len(got), skipped)
		}
		cur.Close()
	}
}

// Video that pauses for half a minute is still the stream's video.
func TestVideoIsGoneAfter30Seconds(t *testing.T) {
	t.Parallel()
	s, f := NewStream("app", "name", Options{}), newFeed()
	f.gop(s, 9)
	sound := func(d time.Duration) {
		for end := f.dts + d; f.dts < end; {
			s.Write(f.sound())
		}
	}
	sound(29900 * time.Millisecond)
	if video, _ := s.Tracks(); video != f.video {
		t.Error("the video is gone before 30 s")
	}
	c := s.Cursor(FromKeyframe, false)
	first := make([]*media.Packet, 1)
	if n, _, _ := poll(c, first); n != 1 || !first[0].Keyframe {
		t.Errorf("a reader who joins within 30 s begins with %v, want the keyframe", first)
	}
	c.Close()
	sound(200 * time.Millisecond)
	if video, _ := s.Tracks(); video != nil {
		t.Error("the video is there after 30 s")
	}
	c = s.Cursor(FromKeyframe, false)
	defer c.Close()
	if got, _, _ := read(t, c); len(got) != 1 || got[0].Track != f.audio {
		t.Errorf("a reader who joins after 30 s reads %d packets, want the newest of audio", len(got))
	}
	// The first video packet makes readers wait for keyframes again.
	s.Write(f.inter())
	late := s.Cursor(FromKeyframe, false)
	defer late.Close()
	if got, _, _ := read(t, late); len(got) != 0 {
		t.Errorf("a reader begins between keyframes with %d packets", len(got))
	}
	key := f.gop(s, 2)
	if got, _, _ := read(t, late); !slices.Equal(got, key) {
		t.Errorf("a reader begins with %d packets, want the GOP of 3", len(got))
	}
}

// A clone has its own position. Packets missed before the cloning are reported to
// both cursors.
func TestACloneIsASecondReader(t *testing.T) {
	t.Parallel()
	s, f := NewStream("app", "name", Options{MaxBytes: 30 * (packetOverhead + 100)}), newFeed()
	c := s.Cursor(FromKeyframe, false)
	f.gop(s, 99)
	read(t, c) // lapped, waits for a keyframe
	d := c.Clone()
	next := f.gop(s, 4)
	for name, cur := range map[string]*Cursor{"the reader": c, "its clone": d} {
		got, skipped, _ := read(t, cur)
		if !slices.Equal(got, next) || skipped != 100 {
			t.Errorf("%s reads %d packets and skipped %d, want 5 and 100", name, len(got), skipped)
		}
	}
	e := c.Clone()
	p := f.inter()
	s.Write(p)
	c.Close()
	for name, cur := range map[string]*Cursor{"the first clone": d, "the second": e} {
		if got, skipped, _ := read(t, cur); len(got) != 1 || got[0] != p || skipped != 0 {
			t.Errorf("%s reads %d packets and skipped %d, want the newest one", name, len(got), skipped)
		}
		cur.Close()
	}
	if n := s.Snapshot().Cursors; n != 0 {
		t.Errorf("%d cursors are left", n)
	}
}

func TestTheFirstPacketHasATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := NewStream("app", "name", Options{}), newFeed()
		created := time.Now()
		time.Sleep(3 * time.Second)
		s.Write(f.key())
		if got := s.Snapshot(); !got.Created.Equal(created) || got.FirstWrite.Sub(created) != 3*time.Second || got.LastWrite != got.FirstWrite {
			t.Errorf("created at %v, written to from %v to %v", got.Created, got.FirstWrite, got.LastWrite)
		}
		time.Sleep(2 * time.Second)
		s.Write(f.inter())
		if got := s.Snapshot(); got.FirstWrite.Sub(created) != 3*time.Second || got.LastWrite.Sub(created) != 5*time.Second {
			t.Errorf("created at %v, written to from %v to %v", got.Created, got.FirstWrite, got.LastWrite)
		}
	})
}

// The rates are means of whole seconds, whatever gaps lie between the packets.
func TestBitRatesForgetWhatIsOlderThanTenSeconds(t *testing.T) {
	for _, gap := range []time.Duration{time.Second, 3 * time.Second, 9 * time.Second, 10 * time.Second, 11 * time.Second, 12 * time.Second, 23 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s, f := NewStream("app", "name", Options{}), newFeed()
			for range 5 {
				s.Write(f.packet(f.video, true, 1000))
				time.Sleep(gap)
			}
			// Of the 10 s that ended now: the packets written in them.
			var want, span uint64
			now := 5 * gap
			for i := range 5 {
				if at := time.Duration(i) * gap; now-at <= 10*time.Second {
					want += 8000
				}
			}
			if span = uint64(min(now, 10*time.Second) / time.Second); s.Snapshot().BwIn != want/span || s.Snapshot().BwVideo != want/span {
				t.Errorf("a packet every %v: %d bits/s, want %d", gap, s.Snapshot().BwIn, want/span)
			}
			if a := s.Snapshot().BwAudio; a != 0 {
				t.Errorf("%d bits/s of audio", a)
			}
		})
	}
}
