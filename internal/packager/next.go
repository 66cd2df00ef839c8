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

// next waits for packets, at most until the open segment is due or a manifest no longer
// valid: n may be 0.
func (p *Packager) next(ctx context.Context, cur Source, buf []*media.Packet) (n int, skipped uint64, err error) {
	if p.out == nil {
		return cur.Next(ctx, buf)
	}
	at, ok := p.seg.Due()
	if stale, some := p.stale(); some && (!ok || stale < at) {
		return p.untilStale(ctx, cur, buf, stale)
	}
	if !ok {
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

// stale is when a manifest is no longer valid, on the clock of elapsed; ok is false if
// that is never so.
func (p *Packager) stale() (at time.Duration, ok bool) {
	refresh := p.out.limits().Refresh
	return p.written + refresh, refresh > 0 && len(p.out.Window.Segments) > 0
}

// A validity is the context that ends when the manifests are no longer valid. It serves
// until they are written again: packets come one by one.
type validity struct {
	ctx  context.Context
	stop context.CancelFunc
	at   time.Duration
}

// until returns the context for a time on the clock of elapsed, which is now.
func (v *validity) until(ctx context.Context, at, now time.Duration) context.Context {
	if v.stop == nil || v.at != at || v.ctx.Err() != nil {
		v.end()
		v.ctx, v.stop = context.WithTimeout(ctx, max(at-now, minWait))
		v.at = at
	}
	return v.ctx
}

func (v *validity) end() {
	if v.stop != nil {
		v.stop()
	}
}

// untilStale is next for manifests that are no longer valid at the given time. They are
// published again then.
func (p *Packager) untilStale(ctx context.Context, cur Source, buf []*media.Packet, at time.Duration) (n int, skipped uint64, err error) {
	n, skipped, err = cur.Next(p.valid.until(ctx, at, p.elapsed(p.dir.now())), buf)
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return n, skipped, err
	}
	if n, skipped, err = cur.TryNext(buf); n > 0 || err != nil {
		return n, skipped, err
	}
	p.written = p.elapsed(p.dir.now())
	if !p.out.unsaved { // else that waits for the disk
		p.out.refresh()
	}
	return 0, skipped, nil
}
