package hls

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/packager"
)

// A quietFeed delivers each packet when it is due, and lets time pass for those
// who wait no longer than that.
type quietFeed struct {
	feed
	at func(*media.Packet) time.Duration // when it comes
}

func (f *quietFeed) Next(ctx context.Context, buf []*media.Packet) (int, uint64, error) {
	if f.i < len(f.packets) {
		due := testStart.Add(f.at(f.packets[f.i]))
		if deadline, ok := ctx.Deadline(); ok {
			if wake := f.clock.Now().Add(time.Until(deadline).Round(10 * time.Millisecond)); wake.Before(due) {
				f.clock.set(wake)
				if f.each != nil {
					f.each(f.i)
				}
				return 0, 0, context.DeadlineExceeded
			}
		}
		f.clock.set(due)
	}
	clock := f.clock
	f.feed.clock = nil
	defer func() { f.feed.clock = clock }()
	return f.feed.Next(ctx, buf)
}

// The playlist of a stream without sound goes on while a picture stands still,
// whoever sends it, and nothing is lost when the next one comes.
func TestPlaylistGoesOnWhileAPictureStandsWithoutSound(t *testing.T) {
	t.Parallel()
	for _, every := range []time.Duration{1500 * time.Millisecond, 4 * sec, 5 * sec, 12 * sec} {
		for name, change := range map[string]func([]*media.Packet){
			"in order":   func([]*media.Packet) {},
			"B pictures": mediatest.Reordered,
		} {
			t.Run(fmt.Sprint(every, " ", name), func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				s := mediatest.NewScript(t)
				mediatest.Stills(s, every, 3)
				change(s.Packets)
				cfg := testConfig(b.dir)
				cfg.Cleanup = false
				v := newViewer(t, b.dir, "test.m3u8")
				var last, most time.Duration
				versions := 0
				p := b.packager("test", cfg)
				f := &quietFeed{feed: feed{packets: s.Packets, clock: b.clock, stop: eof}, at: func(p *media.Packet) time.Duration { return p.DTS }}
				f.each = func(int) {
					now := b.clock.Now().Sub(testStart)
					if v.poll(); v.versions > versions {
						versions, last = v.versions, now
					}
					most = max(most, now-last)
				}
				b.runQuiet(p, f)
				v.poll()
				v.check(s.Packets, p.Snapshot())
				if got := p.Snapshot(); got.Dropped+got.Lost > 0 {
					t.Errorf("%+v", got)
				}
				var sum time.Duration
				for _, d := range v.durations {
					sum += d
				}
				if want := s.At; sum < want-50*time.Millisecond || sum > want+50*time.Millisecond {
					t.Errorf("EXTINF add up to %v, media to %v", sum, want)
				}
				if strings.Contains(string(v.last), "#EXT-X-DISCONTINUITY\n") {
					t.Errorf("a discontinuity in\n%s", v.last)
				}
				// The first time it stands nobody knows that it does.
				if limit := 2*sec + 2*sec + 500*time.Millisecond; most > limit {
					t.Errorf("the playlist stood for %v", most)
				}
			})
		}
	}
}

func (b *bench) runQuiet(p *packager.Packager, f *quietFeed) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f.end = cancel
	if err := p.Run(ctx, f); err != nil {
		b.Fatal(err)
	}
}

// A camera whose network hangs: the pictures come late, all at once. They are all
// there, and time goes on.
func TestLatePicturesAreNotLost(t *testing.T) {
	t.Parallel()
	for _, hang := range []time.Duration{sec, 3 * sec, 6 * sec, 11 * sec} {
		t.Run(fmt.Sprint(hang), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			s := mediatest.NewScript(t)
			s.Audio = nil
			s.Play(30 * sec)
			cfg := testConfig(b.dir)
			cfg.Cleanup, cfg.PlaylistLength = false, 60*sec
			v := newViewer(t, b.dir, "test.m3u8")
			p := b.packager("test", cfg)
			b.runQuiet(p, &quietFeed{feed: feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(int) { v.poll() }}, at: func(p *media.Packet) time.Duration {
				if p.DTS >= 9*sec && p.DTS < 9*sec+hang {
					return 9*sec + hang
				}
				return p.DTS
			}})
			v.poll()
			v.check(s.Packets, p.Snapshot())
			if got := p.Snapshot(); got.Dropped+got.Lost > 0 {
				t.Errorf("%+v", got)
			}
			if strings.Contains(string(v.last), "#EXT-X-DISCONTINUITY\n") {
				t.Errorf("a discontinuity in\n%s", v.last)
			}
		})
	}
}

// An encoder whose clock stops with its pictures is behind what stood for good: that
// is a discontinuity, and all of its pictures are there.
func TestTimestampsThatStopWithThePicture(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := mediatest.NewScript(t)
	s.Audio = nil
	s.Play(30 * sec)
	cfg := testConfig(b.dir)
	cfg.Cleanup, cfg.PlaylistLength = false, 60*sec
	v := newViewer(t, b.dir, "test.m3u8")
	p := b.packager("test", cfg)
	b.runQuiet(p, &quietFeed{feed: feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(int) { v.poll() }}, at: func(p *media.Packet) time.Duration {
		if p.DTS >= 9*sec {
			return p.DTS + 10*sec
		}
		return p.DTS
	}})
	v.poll()
	v.check(s.Packets, p.Snapshot())
	if n := strings.Count(string(v.last), "#EXT-X-DISCONTINUITY\n"); n != 1 {
		t.Errorf("%d discontinuities in\n%s", n, v.last)
	}
	if got := p.Snapshot(); got.Dropped+got.Lost > 0 {
		t.Errorf("%+v", got)
	}
}

// A sleeper is a stream that is quiet for as long as the process stands still.
type sleeper struct {
	feed
	b     *bench
	sleep time.Duration
	slept bool
	ended time.Duration // where the fragments end afterwards
}

func (s *sleeper) Next(ctx context.Context, buf []*media.Packet) (int, uint64, error) {
	switch {
	case s.i < len(s.packets):
		return s.feed.Next(ctx, buf)
	case !s.slept:
		s.slept = true
		s.clock.set(testStart.Add(5 * sec))
		time.Sleep(s.sleep)
		s.clock.advance(s.sleep)
		return 0, 0, context.DeadlineExceeded
	}
	for _, x := range s.b.playlist("test.m3u8").Segments {
		s.ended += x.Duration
	}
	return s.feed.Next(ctx, buf)
}

// A process that stood still, or its machine, does not take that for a picture that
// stands: what the publisher sent meanwhile is in the socket.
func TestAPauseOfTheProcessIsNoStillPicture(t *testing.T) {
	for sleep, want := range map[time.Duration]time.Duration{3 * sec: 6 * sec, 20 * sec: 4 * sec} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			p := b.packager("test", testConfig(b.dir))
			s := mediatest.NewScript(t)
			s.Audio = nil
			s.Play(5 * sec)
			ctx, cancel := context.WithCancel(t.Context())
			f := &sleeper{feed: feed{packets: s.Packets, clock: b.clock, end: cancel}, b: b, sleep: sleep}
			if err := p.Run(ctx, f); err != nil {
				t.Fatal(err)
			}
			if f.ended != want {
				t.Errorf("after %v the fragments end at %v, want %v", sleep, f.ended, want)
			}
			b.d.Close()
		})
	}
}
