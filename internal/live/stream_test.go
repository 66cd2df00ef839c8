package live

import (
	"context"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/rtmpd/rtmpd/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhereACursorBegins(t *testing.T) {
	t.Parallel()
	type stream struct {
		ring *Stream
		*feed
		all []*media.Packet
	}
	write := func(s *stream, packets ...*media.Packet) {
		for _, p := range packets {
			s.ring.Write(p)
			s.all = append(s.all, p)
		}
	}
	gop := func(s *stream, n int) { s.all = append(s.all, s.feed.gop(s.ring, n)...) }
	for _, c := range []struct {
		name   string
		start  Start
		before func(*stream)
		after  func(*stream)
		want   int // index in all of the first packet read; -1 none
	}{
		{
			"from the keyframe: the newest GOP", FromKeyframe,
			func(s *stream) { gop(s, 3); gop(s, 2) }, nil, 4,
		},
		{
			"between keyframes: the newest keyframe held", FromKeyframe,
			func(s *stream) { gop(s, 9); write(s, s.sound()) }, nil, 0,
		},
		{
			"before the first packet: nothing is missed", FromKeyframe,
			nil, func(s *stream) { gop(s, 3); gop(s, 3); gop(s, 3) }, 0,
		},
		{
			"before the first packet, audio comes first", FromKeyframe,
			nil, func(s *stream) { write(s, s.sound(), s.sound()); gop(s, 3) }, 0,
		},
		{
			"before the first packet, video begins between keyframes", FromKeyframe,
			nil, func(s *stream) { write(s, s.inter(), s.inter()); gop(s, 3) }, 2,
		},
		{
			"video has begun between keyframes: the next keyframe", FromKeyframe,
			func(s *stream) { write(s, s.inter(), s.sound()) }, func(s *stream) { gop(s, 3); gop(s, 3) }, 2,
		},
		{
			"a GOP larger than the ring: the next keyframe", FromKeyframe,
			func(s *stream) { write(s, s.key(), s.packet(s.video, false, 1<<20), s.inter()) },
			func(s *stream) { write(s, s.sound()); gop(s, 1) }, 4,
		},
		{
			"audio only: the newest packet", FromKeyframe,
			func(s *stream) { write(s, s.sound(), s.sound(), s.sound()) }, func(s *stream) { write(s, s.sound()) }, 2,
		},
		{
			"a new publisher who has sent audio so far: its newest packet", FromKeyframe,
			func(s *stream) { gop(s, 3); s.epoch++; write(s, s.sound()) }, nil, 4,
		},
		{
			"next", FromNext,
			func(s *stream) { gop(s, 3) }, func(s *stream) { write(s, s.inter()) }, 4,
		},
		{
			"oldest: what the newest GOP and a slow reader hold", FromOldest,
			func(s *stream) { gop(s, 3); s.ring.Cursor(FromKeyframe, false); gop(s, 3) }, nil, 0,
		},
		{
			"oldest of audio only: two seconds", FromOldest,
			func(s *stream) {
				for range 500 {
					write(s, s.sound())
				}
			}, nil, 399,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &stream{ring: NewStream("app", "name", Options{MaxBytes: 1 << 20}), feed: newFeed()}
			if c.before != nil {
				c.before(s)
			}
			cur := s.ring.Cursor(c.start, false)
			defer cur.Close()
			if c.after != nil {
				c.after(s)
			}
			got, skipped, _ := read(t, cur)
			if !slices.Equal(got, s.all[c.want:]) {
				t.Errorf("read %d packets, want the last %d of %d", len(got), len(s.all)-c.want, len(s.all))
			}
			if skipped != 0 {
				t.Errorf("%d packets skipped by a cursor that has lost none", skipped)
			}
		})
	}
}

func TestALappedCursorGoesOnAtAKeyframe(t *testing.T) {
	t.Parallel()
	s, f := NewStream("app", "name", Options{Headroom: time.Second}), newFeed()
	c := s.Cursor(FromKeyframe, false)
	f.gop(s, 24) // 0.5 s each
	var newest []*media.Packet
	for range 5 {
		newest = f.gop(s, 24)
	}
	got, skipped, _ := read(t, c)
	if skipped != 125 || !slices.Equal(got, newest) {
		t.Errorf("skipped %d and read %d packets, want 125 and the newest GOP of 25", skipped, len(got))
	}
	if n := s.Snapshot().Skipped; n != 125 {
		t.Errorf("the stream counts %d packets skipped", n)
	}
	c.Close()
}

func TestALappedCursorWaitsForTheNextKeyframe(t *testing.T) {
	t.Parallel()
	s, f := NewStream("app", "name", Options{MaxBytes: 30 * (packetOverhead + 100)}), newFeed()
	c := s.Cursor(FromKeyframe, false)
	defer c.Close()
	f.gop(s, 99) // larger than the ring
	if got, skipped, _ := read(t, c); len(got) != 0 || skipped != 0 {
		t.Fatalf("read %d packets from the middle of a GOP, %d skipped", len(got), skipped)
	}
	next := f.gop(s, 2)
	got, skipped, _ := read(t, c)
	if skipped != 100 || !slices.Equal(got, next) {
		t.Errorf("skipped %d and read %d packets, want 100 and the new GOP of 3", skipped, len(got))
	}

	f.gop(s, 99)
	read(t, c)
	s.Close()
	if n, skipped, err := poll(c, make([]*media.Packet, 9)); n != 0 || skipped != 100 || err != io.EOF {
		t.Errorf("at the end: %d packets, %d skipped, %v; want 0, 100, EOF", n, skipped, err)
	}
}

func TestALappedCursorOfAudioGoesOnAtTheOldest(t *testing.T) {
	t.Parallel()
	s, f := NewStream("app", "name", Options{Headroom: 3 * time.Second}), newFeed()
	c := s.Cursor(FromKeyframe, false)
	defer c.Close()
	for range 1000 {
		s.Write(f.sound())
	}
	got, skipped, _ := read(t, c)
	if len(got) != 101 || skipped != 899 { // 20 ms each: two seconds
		t.Errorf("read %d packets, %d skipped; want 101 and 899", len(got), skipped)
	}
}

func TestAJumpOfTimestampsLapsNobody(t *testing.T) {
	t.Parallel()
	s, f := NewStream("app", "name", Options{}), newFeed()
	c := s.Cursor(FromKeyframe, false)
	defer c.Close()
	f.gop(s, 9)
	f.dts += time.Hour
	f.gop(s, 9)
	f.dts -= 2 * time.Hour
	f.gop(s, 9)
	if got, skipped, _ := read(t, c); len(got) != 30 || skipped != 0 {
		t.Errorf("read %d packets, %d skipped; want 30 and 0", len(got), skipped)
	}
}

func TestMemoryIsFreedAsSoonAsNobodyNeedsIt(t *testing.T) {
	t.Parallel()
	s, f := NewStream("app", "name", Options{}), newFeed()
	held := func() int { return s.Snapshot().Held }
	f.gop(s, 9)
	f.gop(s, 9)
	if held() != 10 {
		t.Errorf("%d packets held, want the newest GOP of 10", held())
	}
	slow := s.Cursor(FromKeyframe, false)
	f.gop(s, 9)
	f.gop(s, 9)
	if held() != 30 {
		t.Errorf("%d packets held for a slow cursor, want 30", held())
	}
	clone := slow.Clone()
	slow.Close()
	if held() != 30 {
		t.Errorf("%d packets held for its clone, want 30", held())
	}
	if n, _, _ := poll(clone, make([]*media.Packet, 15)); n != 15 || held() != 15 {
		t.Errorf("%d packets held after %d were read, want 15", held(), n)
	}
	clone.Close()
	clone.Close()
	if held() != 10 || s.Snapshot().Cursors != 0 {
		t.Errorf("%d packets held for %d cursors, want 10 for none", held(), s.Snapshot().Cursors)
	}
	for _, slot := range s.ring.slots {
		if slot.packet != nil && slot.packet.DTS < s.ring.at(s.key).packet.DTS {
			t.Errorf("the packet at %v is still there", slot.packet.DTS)
		}
	}
}

func TestTheRingGrowsAndShrinks(t *testing.T) {
	t.Parallel()
	s, f := NewStream("app", "name", Options{}), newFeed()
	if n := len(s.ring.slots); n != minSlots {
		t.Fatalf("%d slots to begin with", n)
	}
	f.gop(s, 999)
	if n := len(s.ring.slots); n != 1024 {
		t.Errorf("%d slots for a GOP of 1000, want 1024", n)
	}
	for range 6 * reviewEvery / 50 {
		f.gop(s, 49)
	}
	if n := len(s.ring.slots); n != 128 {
		t.Errorf("%d slots for GOPs of 50, want 128", n)
	}
}

func TestTheRingGrowsUnderItsReaders(t *testing.T) {
	t.Parallel()
	s, f := NewStream("app", "name", Options{}), newFeed()
	slow, quick := s.Cursor(FromKeyframe, false), s.Cursor(FromKeyframe, false)
	defer slow.Close()
	defer quick.Close()
	var all []*media.Packet
	for i := range 5 * minSlots {
		p := f.packet(f.video, i%10 == 0, 1)
		all = append(all, p)
		s.Write(p)
		if got, _, _ := read(t, quick); len(got) != 1 || got[0] != p {
			t.Fatalf("packet %d: the quick reader reads %d", i, len(got))
		}
		if a, b := s.ring.at(slow.next).cursors, s.ring.at(quick.next).cursors; a != 1 || b != 1 {
			t.Fatalf("packet %d: %d and %d cursors at the readers' positions", i, a, b)
		}
	}
	if got, _, _ := read(t, slow); !slices.Equal(got, all) {
		t.Errorf("the slow reader reads %d packets, want %d", len(got), len(all))
	}
}

func TestAPacketLargerThanTheRingIsDelivered(t *testing.T) {
	t.Parallel()
	s, f := NewStream("app", "name", Options{MaxBytes: 1000}), newFeed()
	c := s.Cursor(FromKeyframe, false)
	defer c.Close()
	for range 3 {
		p := f.packet(f.video, true, 5000)
		s.Write(p)
		if got, skipped, _ := read(t, c); len(got) != 1 || got[0] != p || skipped != 0 {
			t.Errorf("read %d packets, skipped %d", len(got), skipped)
		}
	}
}

func TestEmptyPacketsAreBoundedToo(t *testing.T) {
	t.Parallel()
	s, f := NewStream("app", "name", Options{MaxBytes: 1 << 20}), newFeed()
	s.Write(f.key())
	for range 100000 {
		s.Write(f.packet(f.audio, false, 0))
	}
	if n := s.Snapshot(); n.Held > 1<<20/packetOverhead || n.HeldBytes > 1<<20 {
		t.Errorf("%d packets, %d bytes held", n.Held, n.HeldBytes)
	}
}

// A publisher that sends another header before each frame fills the ring with
// headers: they count like frames, of either medium and beside track 0.
func TestHeadersAreBoundedToo(t *testing.T) {
	t.Parallel()
	const header = 60 << 10
	for name, change := range map[string]func(f *feed, p *media.Packet){
		"video header": func(f *feed, p *media.Packet) {
			p.Track = &media.Track{Kind: media.Video, Codec: media.CodecH264, Tag: make([]byte, header)}
		},
		"audio header": func(f *feed, p *media.Packet) {
			p.Track = &media.Track{Kind: media.Audio, Codec: media.CodecAAC, Tag: make([]byte, header)}
		},
		"headers of other tracks": func(f *feed, p *media.Packet) {
			p.Extra = &media.Extra{Headers: [][]byte{make([]byte, header/2), make([]byte, header/2)}}
		},
		"256 parameter sets": func(f *feed, p *media.Packet) {
			p.Track = &media.Track{Kind: media.Video, Codec: media.CodecHEVC, Tag: make([]byte, header), PPS: make([][]byte, 256)}
		},
	} {
		s, f := NewStream("app", "name", Options{}), newFeed()
		s.Write(f.key())
		for range 2000 {
			p := f.packet(f.video, false, 6)
			change(f, p)
			s.Write(p)
		}
		if n := s.Snapshot(); n.Held > defaultMaxBytes/header || n.HeldBytes > defaultMaxBytes {
			t.Errorf("%s: %d packets are held, said to be %d bytes", name, n.Held, n.HeldBytes)
		}
	}
	s, f := NewStream("app", "name", Options{}), newFeed() // one header for all is charged once
	f.video.Tag = make([]byte, header)
	f.gop(s, 99)
	if n := s.Snapshot(); n.HeldBytes > header+100*300+1000 {
		t.Errorf("%d bytes for 100 frames of 100 bytes and one header", n.HeldBytes)
	}
}

func TestVideoThatHasGoneIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	s, f := NewStream("app", "name", Options{}), newFeed()
	f.gop(s, 9)
	for range 2 * int(videoGone/(20*time.Millisecond)) {
		s.Write(f.sound())
	}
	if held := s.Snapshot().Held; held != 101 {
		t.Errorf("%d packets held, want the newest two seconds of audio", held)
	}
	if video, audio := s.Tracks(); video != nil || audio != f.audio {
		t.Errorf("tracks %p, %p; want none, %p", video, audio, f.audio)
	}
	c := s.Cursor(FromKeyframe, false)
	defer c.Close()
	if got, _, _ := read(t, c); len(got) != 1 {
		t.Errorf("a new cursor reads %d packets, want the newest", len(got))
	}
}

func TestTracksAreThePresentPublishers(t *testing.T) {
	t.Parallel()
	s, f := NewStream("app", "name", Options{}), newFeed()
	f.gop(s, 1)
	s.Write(f.sound())
	other := *f.video
	other.ID = 1
	s.Write(f.packet(&other, true, 1))
	if video, audio := s.Tracks(); video != f.video || audio != f.audio {
		t.Errorf("tracks %p, %p; want %p, %p", video, audio, f.video, f.audio)
	}
	f.epoch++
	s.Write(f.sound())
	if video, audio := s.Tracks(); video != nil || audio != f.audio {
		t.Errorf("after a new publisher sent audio: %p, %p; want none, %p", video, audio, f.audio)
	}
}

// blocked starts Next on c and returns a channel with its result.
func blocked(ctx context.Context, c *Cursor) <-chan int {
	got := make(chan int, 1)
	go func() {
		n, _, _ := c.Next(ctx, make([]*media.Packet, 100))
		got <- n
	}()
	synctest.Wait()
	return got
}

func TestWhatWakesALazyCursor(t *testing.T) {
	for _, c := range []struct {
		name  string
		write func(*Stream, *feed)
		want  int // packets read; -1: it sleeps
	}{
		{"not a frame", func(s *Stream, f *feed) { s.Write(f.inter()) }, -1},
		{"not 31 frames", func(s *Stream, f *feed) {
			for range 31 {
				s.Write(f.sound())
			}
		}, -1},
		{"32 frames", func(s *Stream, f *feed) {
			for range 32 {
				s.Write(f.sound())
			}
		}, 32},
		{"two pictures that stand still", func(s *Stream, f *feed) { s.Write(f.inter()); f.dts += 12 * time.Second; s.Write(f.inter()) }, 2},
		{"a keyframe", func(s *Stream, f *feed) { s.Write(f.inter()); s.Write(f.key()) }, 2},
		{"another video track", func(s *Stream, f *feed) { v := *f.video; s.Write(f.packet(&v, false, 1)) }, 1},
		{"another audio track", func(s *Stream, f *feed) { a := *f.audio; s.Write(f.packet(&a, false, 1)) }, 1},
		{"not a track beside the first", func(s *Stream, f *feed) {
			v := *f.video
			v.ID = 1
			s.Write(f.packet(&v, true, 1))
		}, -1},
		{"another publisher", func(s *Stream, f *feed) { f.epoch++; s.Write(f.sound()) }, 1},
		{"the end", func(s *Stream, f *feed) { s.Close() }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, f := NewStream("app", "name", Options{}), newFeed()
				f.gop(s, 1)
				s.Write(f.sound())
				cur := s.Cursor(FromNext, true)
				eager := s.Cursor(FromNext, false)
				ctx, cancel := context.WithCancel(t.Context())
				got, other := blocked(ctx, cur), blocked(ctx, eager)
				c.write(s, f)
				synctest.Wait()
				select {
				case n := <-got:
					if n != c.want {
						t.Errorf("read %d packets, want %d", n, c.want)
					}
				default:
					if c.want >= 0 {
						t.Errorf("still asleep")
					}
				}
				if len(other) == 0 {
					t.Errorf("a cursor that is not lazy sleeps")
				}
				cancel()
			})
		})
	}
}

func TestNextEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := NewStream("app", "name", Options{}), newFeed()
		c := s.Cursor(FromNext, false)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, _, err := c.Next(ctx, make([]*media.Packet, 1)); err != context.DeadlineExceeded {
			t.Errorf("%v, want the context's error", err)
		}
		s.Write(f.key())
		if n, _, err := c.Next(ctx, make([]*media.Packet, 1)); n != 0 || err != context.DeadlineExceeded {
			t.Errorf("an ended context gives %d packets and %v", n, err)
		}
		// The position is unchanged, and the cursor works for its next owner.
		if got, skipped, _ := read(t, c); len(got) != 1 || skipped != 0 {
			t.Errorf("the next owner reads %d packets, %d skipped", len(got), skipped)
		}
	})
}

// A cursor that was removed from the waiting list must take its token even if its
// context has ended. Otherwise the writer would block on the next token.
func TestNextTakesATokenOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStream("app", "name", Options{})
		c := s.Cursor(FromNext, false)
		ctx, cancel := context.WithCancel(t.Context())
		got := blocked(ctx, c)
		s.mu.Lock()
		s.stopWaiting(c) // as Write does
		s.mu.Unlock()
		cancel()
		synctest.Wait()
		if len(got) != 0 {
			t.Fatal("Next has returned with a token on its way")
		}
		c.wake <- struct{}{}
		synctest.Wait()
		if len(got) != 1 || len(c.wake) != 0 {
			t.Errorf("%d returns, %d tokens left", len(got), len(c.wake))
		}
	})
}

func TestAClosedStreamIsDrained(t *testing.T) {
	t.Parallel()
	s, f := NewStream("app", "name", Options{}), newFeed()
	c := s.Cursor(FromKeyframe, false)
	waits := s.Cursor(FromKeyframe, false)
	f.gop(s, 9)
	read(t, waits)
	s.Close()
	s.Write(f.key())
	if got, _, eof := read(t, c); len(got) != 10 || !eof {
		t.Errorf("read %d packets, end %v; want 10 and the end", len(got), eof)
	}
	if got, _, eof := read(t, waits); len(got) != 0 || !eof {
		t.Errorf("read %d packets, end %v; want none and the end", len(got), eof)
	}
	late := s.Cursor(FromKeyframe, false)
	if got, _, eof := read(t, late); len(got) != 10 || !eof {
		t.Errorf("a late cursor reads %d packets, end %v", len(got), eof)
	}
	late.Close()
	if n, _, err := late.Next(t.Context(), make([]*media.Packet, 1)); n != 0 || err != io.EOF {
		t.Errorf("a closed cursor reads %d packets, %v", n, err)
	}
}

// Audio and video with different zeros alternate in being ahead, which must not
// advance the clock.
func TestTracksFromDifferentZerosLapNobody(t *testing.T) {
	for _, ahead := range []time.Duration{9 * time.Second, -9 * time.Second, time.Hour} {
		s := NewStream("live", "x", Options{})
		f := newFeed()
		c := s.Cursor(FromOldest, false)
		var want int
		for i := range 400 { // of 20 ms: 8 s, within the headroom
			track := f.video
			if i%2 == 1 {
				track = f.audio
			}
			p := f.packet(track, i%100 == 0, 100)
			if track == f.audio {
				p.DTS += ahead
			}
			s.Write(p)
			want++
		}
		got, skipped, _ := read(t, c)
		if len(got) != want || skipped != 0 {
			t.Errorf("audio %v ahead: %d packets of %d, %d passed over", ahead, len(got), want, skipped)
		}
		if s.ring.clock < 7*time.Second || s.ring.clock > 10*time.Second {
			t.Errorf("audio %v ahead: the clock went on by %v in 8 s", ahead, s.ring.clock)
		}
	}
}
