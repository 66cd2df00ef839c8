package live

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

func TestALazyCursorIsWokenByThePacketItAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := NewStream("app", "name", Options{}), newFeed()
		c := s.Cursor(FromNext, true)
		at := f.dts + 100*time.Millisecond // of the fifth packet
		c.WakeAt(media.Video, at)
		if left, ok := s.Due(); ok {
			t.Errorf("before anything came it says how long it lasts: %v", left)
		}
		got := counted(t.Context(), c)
		s.Write(f.key())
		if all := reads(got); !same(all, 1) {
			t.Errorf("of a keyframe it read %d", all)
		}
		for range 3 {
			s.Write(f.inter())
		}
		if all := reads(got); len(all) > 0 {
			t.Errorf("it read %d too early", all)
		}
		if left, ok := s.Due(); !ok || left != 20*time.Millisecond {
			t.Errorf("until the packet there are %v (%v), want 20ms", left, ok)
		}
		other := s.Cursor(FromNext, true) // of another size
		other.WakeAt(media.Video, at+40*time.Millisecond)
		reads(counted(t.Context(), other))
		if left, ok := s.Due(); !ok || left != 20*time.Millisecond {
			t.Errorf("with a later one asked for, too: %v (%v), want 20ms", left, ok)
		}
		f.dts -= 20 * time.Millisecond
		s.Write(f.sound()) // late enough, but no picture
		f.dts += 20 * time.Millisecond
		s.Write(f.inter())
		if all := reads(got); !same(all, 5) {
			t.Errorf("at the time it read %d, want 5", all)
		}
		c.WakeAt(media.Video, 0)
		other.WakeAt(media.Video, 0)
		if left, ok := s.Due(); ok {
			t.Errorf("nobody asked for a packet: %v", left)
		}
		for range 4 {
			s.Write(f.inter())
		}
		if all := reads(got); len(all) > 0 {
			t.Errorf("it read %d without having asked", all)
		}
		s.Close()
		if all := reads(got); !same(all, 4) {
			t.Errorf("at the end it read %d, want 4", all)
		}
	})
}
