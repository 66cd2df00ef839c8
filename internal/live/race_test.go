package live

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Fast, slow and closing readers on a stream that is written as fast as possible.
// Each gets packets in order, learns how many it missed, and continues at a keyframe.
func TestManyReadersAtOnce(t *testing.T) {
	t.Parallel()
	const packets = 20000
	s, f := NewStream("app", "name", Options{MaxBytes: 300 * (packetOverhead + 8)}), newFeed()
	var readers sync.WaitGroup
	for i := range 40 {
		cur := s.Cursor(FromKeyframe, i%3 == 0)
		readers.Go(func() {
			c := cur
			defer func() { c.Close() }()
			buf := make([]*media.Packet, 1+i*3)
			var next uint32
			for turn := 0; ; turn++ {
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if i%4 == 1 { // one that gives up and comes back
					ctx, cancel = context.WithTimeout(ctx, time.Duration(turn%5)*10*time.Microsecond)
				}
				n, skipped, err := c.Next(ctx, buf)
				cancel()
				next += uint32(skipped)
				for j, p := range buf[:n] {
					if p.Timestamp != next {
						t.Errorf("reader %d: packet %d, want %d", i, p.Timestamp, next)
						return
					}
					if j == 0 && skipped > 0 && !p.Keyframe {
						t.Errorf("reader %d goes on at packet %d, which is no keyframe", i, p.Timestamp)
					}
					next++
				}
				switch {
				case err == io.EOF:
					if next != packets {
						t.Errorf("reader %d has seen or been told of %d packets, want %d", i, next, packets)
					}
					return
				case err != nil && !errors.Is(err, context.DeadlineExceeded):
					t.Errorf("reader %d: %v", i, err)
					return
				}
				if i%5 == 2 && turn%8 == 0 { // handed over
					old := c
					c = old.Clone()
					old.Close()
				}
				if i%7 == 3 { // slow
					s.Snapshot()
					s.Tracks()
				}
			}
		})
	}
	for i := range packets {
		p := f.packet(f.video, i%50 == 0, 8)
		p.Timestamp = uint32(i)
		s.Write(p)
		if i%100 == 0 {
			s.SetMetadata([]byte{byte(i)})
		}
	}
	s.Close()
	readers.Wait()
	if n := s.Snapshot(); n.Cursors != 0 || n.Held > 50 {
		t.Errorf("%d cursors, %d packets left behind", n.Cursors, n.Held)
	}
}
