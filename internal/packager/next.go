package packager

import (
	"context"
	"errors"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	// minWait is the shortest wait for packets.
	minWait = 100 * time.Millisecond
	// maxOverslept is how late a wait may end on a busy machine. If it ends later, the
	// process or the machine was suspended, and the packets are still in the socket.
	maxOverslept = time.Second
)

// next waits for packets, at most until the open segment is due: n may be 0.
func (p *Packager) next(ctx context.Context, cur Source, buf []*media.Packet) (n int, skipped uint64, err error) {
	at, ok := p.seg.Due()
	if !ok || p.out == nil {
		return cur.Next(ctx, buf)
	}
	wait, began := max(at-p.elapsed(p.dir.now()), minWait), time.Now()
	short, stop := context.WithTimeout(ctx, wait)
	defer stop()
	n, skipped, err = cur.Next(short, buf)
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return n, skipped, err
	}
	if n, skipped, err = cur.TryNext(buf); n > 0 || err != nil {
		return n, skipped, err
	}
	if slept := time.Since(began); slept > wait+maxOverslept {
		p.seg.Overslept(slept)
	}
	p.seg.Tick(p.elapsed(p.dir.now()))
	return 0, skipped, nil
}
