package live

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
	"testing"

	"github.com/rtmpd/rtmpd/internal/media"
)

func TestWriteAndNextDoNotAllocate(t *testing.T) {
	s, f := NewStream("app", "name", Options{}), newFeed()
	c := s.Cursor(FromKeyframe, false)
	defer c.Close()
	buf := make([]*media.Packet, 64)
	packets := make([]*media.Packet, 0, 20000)
	for i := range cap(packets) {
		packets = append(packets, f.packet(f.video, i%50 == 0, 10))
	}
	write := func() {
		s.Write(packets[0])
		packets = packets[1:]
	}
	for range 100 {
		write()
	}
	read(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if n := testing.AllocsPerRun(5000, func() {
		write()
		if n, _, err := c.Next(ctx, buf); n != 1 || err != nil {
			t.Fatalf("read %d packets, %v", n, err)
		}
	}); n != 0 {
		t.Errorf("Write and Next: %v allocations a packet", n)
	}

	// And when Next has to wait.
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, _, err := c.Next(ctx, buf); err != nil {
				return
			}
		}
	}()
	waits := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.waiting) == 1
	}
	if n := testing.AllocsPerRun(5000, func() {
		for !waits() { // AllocsPerRun leaves one processor to both
			runtime.Gosched()
		}
		write()
	}); n != 0 {
		t.Errorf("Write to a waiting cursor: %v allocations a packet", n)
	}
	cancel()
	<-done
}

// Both benchmarks write what a publisher of 30 pictures a second sends, every
// reader reads all of it, and the time is per packet until the last has it.
func packets(n int) []*media.Packet {
	f := newFeed()
	out := make([]*media.Packet, n)
	for i := range out {
		out[i] = f.packet(f.video, i%60 == 0, 0)
	}
	return out
}

func BenchmarkCursors(b *testing.B) {
	for _, readers := range []int{1, 100, 1000, 5000} {
		b.Run(fmt.Sprint(readers), func(b *testing.B) {
			s := NewStream("app", "name", Options{})
			all := packets(600)
			var wg, turn sync.WaitGroup
			for range readers {
				c := s.Cursor(FromNext, false)
				wg.Go(func() {
					defer c.Close()
					buf := make([]*media.Packet, 64)
					for {
						n, skipped, err := c.Next(context.Background(), buf)
						if err == io.EOF {
							return
						}
						turn.Add(-n - int(skipped))
					}
				})
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				turn.Add(readers)
				s.Write(all[i%len(all)])
				turn.Wait()
			}
			s.Close()
			wg.Wait()
		})
	}
}

// BenchmarkQueues is the other way to do it: a bounded queue per subscriber,
// which drops when full.
func BenchmarkQueues(b *testing.B) {
	for _, readers := range []int{1, 100, 1000, 5000} {
		b.Run(fmt.Sprint(readers), func(b *testing.B) {
			all := packets(600)
			queues := make([]chan *media.Packet, readers)
			var wg, turn sync.WaitGroup
			for i := range queues {
				q := make(chan *media.Packet, 512)
				queues[i] = q
				wg.Go(func() {
					for range q {
						turn.Done()
					}
				})
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				turn.Add(readers)
				for _, q := range queues {
					select {
					case q <- all[i%len(all)]:
					default:
						turn.Done()
					}
				}
				turn.Wait()
			}
			for _, q := range queues {
				close(q)
			}
			wg.Wait()
		})
	}
}

// BenchmarkWrite is one stream with a packager that reads a GOP at a time.
func BenchmarkWrite(b *testing.B) {
	s := NewStream("app", "name", Options{})
	c := s.Cursor(FromKeyframe, true)
	defer c.Close()
	all := packets(600)
	buf := make([]*media.Packet, 64)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Write(all[i%len(all)])
		if i%60 == 59 {
			if _, _, err := c.Next(context.Background(), buf); err != nil {
				b.Fatal(err)
			}
		}
	}
}
