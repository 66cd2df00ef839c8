package packager

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A waker is a Source that can be asked to wake its reader with a packet of that kind
// that is not before at: *live.Cursor.
type waker interface {
	WakeAt(kind media.Kind, at time.Duration)
}

// grow shows what has come to the open segment, if parts are wanted.
func (p *Packager) grow(cur Source) {
	x, ok := p.box.(parter)
	if !ok || p.set.Part == 0 || p.out == nil || p.fault.why != "" {
		return
	}
	g := p.seg.Growing()
	if g == nil {
		return
	}
	if p.out.open == nil {
		if p.Ladder != nil && (len(p.out.Window.Segments) == 0 || g.Lasts() < tinyDuration) {
			return // it may get no number: the first one's is found by its end, a short one may be left out
		}
		if p.fault.gap {
			g.Discontinuity = true
		}
		now := p.dir.now()
		date := p.clock.date(g, p.rules.Fragment, time.Duration(now.UnixNano())-p.elapsed(now))
		if err := p.out.begin(g, date, x); err != nil {
			p.failed(err)
			return
		}
	}
	if p.out.open == nil {
		return
	}
	grown, err := p.out.grow(g, x)
	if err != nil {
		p.failed(err)
		return
	}
	if grown {
		p.out.publishParts(x)
	}
	if w, ok := cur.(waker); ok {
		w.WakeAt(x.Due(g))
	}
}

// short says whether a keyframe at t on the timeline would end a part too early.
func (p *Packager) short(t time.Duration) bool {
	x, ok := p.box.(parter)
	if !ok || p.out == nil || !p.out.shown() {
		return false
	}
	x.Advance(&p.out.open.bufs, p.seg.Growing())
	return x.Short(t)
}

// showParts shows what the manifests have that are just written, with the parts that come
// next.
func (p *Packager) showParts() {
	if x, ok := p.box.(parter); ok && p.set.Part > 0 {
		p.out.publishParts(x)
	}
}
