package live

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// counted sends how many packets each Next of c returns, until the stream ends.
func counted(ctx context.Context, c *Cursor) <-chan int {
	got := make(chan int, 1000)
	go func() {
		defer close(got)
		buf := make([]*media.Packet, 2*promptBacklog)
		for {
			n, _, err := c.Next(ctx, buf)
			if err != nil {
				return
			}
			got <- n
		}
	}()
	return got
}

// reads are the counts so far.
func reads(got <-chan int) (all []int) {
	synctest.Wait()
	for len(got) > 0 {
		all = append(all, <-got)
	}
	return all
}

func same(got []int, want ...int) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if got[i] != want[i] {
			return false
		}
	}
	return true
}

func TestAPromptCursorReadsWhatTheWriterHasAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := NewStream("app", "name", Options{}), newFeed()
		c := s.Cursor(FromNext, true)
		c.Prompt()
		got := counted(t.Context(), c)
		synctest.Wait()
		s.Flush()
		if all := reads(got); len(all) > 0 {
			t.Errorf("a flush of nothing: it read %d", all)
		}
		f.gop(s, 5)
		f.gop(s, 5) // a keyframe is no reason
		if all := reads(got); len(all) > 0 {
			t.Errorf("it read %d before the flush", all)
		}
		time.Sleep(time.Minute)
		s.Write(f.inter())
		if all := reads(got); len(all) > 0 {
			t.Errorf("it read %d before the flush, after a minute", all)
		}
		s.Flush()
		if all := reads(got); !same(all, 13) {
			t.Errorf("with the flush it read %d, want 13", all)
		}
		f.gop(s, promptBacklog-1)
		if all := reads(got); !same(all, promptBacklog) {
			t.Errorf("of a batch without end it read %d, want %d", all, promptBacklog)
		}
		s.Write(f.inter())
		s.Unbatched()
		if all := reads(got); !same(all, 1) {
			t.Errorf("when the writer flushes no more it read %d, want 1", all)
		}
		s.Write(f.inter())
		s.Close()
		if all := reads(got); !same(all, 1) {
			t.Errorf("at the end it read %d, want 1", all)
		}
		if _, open := <-got; open {
			t.Error("it reads on")
		}
	})
}

func TestAPromptCursorReadsTenTimesASecondOfAWriterWithoutBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := NewStream("app", "name", Options{}), newFeed()
		c, second := s.Cursor(FromNext, true), s.Cursor(FromNext, true)
		c.Prompt()
		second.Prompt()
		ctx, cancel := context.WithCancel(t.Context())
		got, other := counted(t.Context(), c), counted(ctx, second)
		total, times := 0, 0
		count := func() {
			for _, n := range reads(got) {
				total, times = total+n, times+1
			}
		}
		// Half a millisecond keeps the packets off the instants of the timer: which of the
		// two is first there is for the scheduler to say.
		for range 500 { // 10 s
			time.Sleep(20*time.Millisecond + 500*time.Microsecond)
			s.Write(f.inter())
			count()
		}
		if total < 495 || times < 80 || times > 105 {
			t.Errorf("it read %d of 500 packets in %d times, want all in about 100", total, times)
		}
		time.Sleep(promptTime)
		if count(); total != 500 {
			t.Errorf("100 ms after the last packet it has read %d of 500", total)
		}
		time.Sleep(time.Hour)
		s.Write(f.inter())
		if all := reads(got); !same(all, 1) {
			t.Errorf("a packet after a pause: it read %d at once, want 1", all)
		}
		if n := len(reads(other)); n < 80 {
			t.Errorf("the other cursor read %d times", n)
		}
		s.Write(f.inter()) // while the timer runs, the one goes and the other sleeps on
		cancel()
		time.Sleep(promptTime)
		if all := reads(got); !same(all, 1) {
			t.Errorf("it read %d, want 1", all)
		}
		s.Write(f.inter())
		s.Close()
		if all := reads(got); !same(all, 1) {
			t.Errorf("at the end it read %d, want 1", all)
		}
	})
}

func TestAPromptCursorCostsTheWriterNoAllocation(t *testing.T) {
	s, f := NewStream("app", "name", Options{}), newFeed()
	c := s.Cursor(FromNext, true)
	c.Prompt()
	got := make(chan int, 1)
	go func() {
		buf := make([]*media.Packet, 64)
		for {
			n, _, err := c.Next(context.Background(), buf)
			clear(buf[:n])
			if err != nil {
				close(got)
				return
			}
		}
	}()
	p := f.inter()
	if n := testing.AllocsPerRun(2000, func() {
		s.Write(p)
		s.Write(p)
		s.Flush()
	}); n > 0 {
		t.Errorf("%v allocations for two packets and a flush", n)
	}
	s.Close()
	<-got
}
