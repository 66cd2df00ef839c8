package fanout

import (
	"slices"

	"github.com/rtmpd/rtmpd/internal/media"
)

// While a stream has one track of each medium, the bytes of everything and of
// trackZero are the same, and players of both kinds share one log. The first
// multitrack body splits the log; the next stream joins both again. Both happen at
// the end of a segment, so that no player misses or repeats a message.

// logKind returns the kind of the log that players of kind k read.
func (f *Fan) logKind(k kind) kind {
	if k == trackZero && !f.multi {
		return everything
	}
	return k
}

// splitTrackZero gives the players of trackZero a log of their own. It is called
// before a multitrack body is in any log. unwritten are the packets that the log of
// everything has read and not written.
func (f *Fan) splitTrackZero(unwritten []*media.Packet) {
	f.multi = true
	both := f.logs[everything]
	if both == nil {
		return
	}
	n := 0
	for p := range f.players {
		if p.log == both && p.kind == trackZero {
			n++
		}
	}
	switch n {
	case 0:
		return
	case both.players: // no player wants multitrack: they keep the log
		both.kind = trackZero
		f.logs[everything], f.logs[trackZero] = nil, both
		return
	}
	zero := &wireLog{kind: trackZero, chunkSize: both.chunkSize, total: &f.logBytes, players: n, headers: both.headers, epoch: both.epoch, ended: both.ended}
	if both.cursor != nil {
		zero.cursor = both.cursor.Clone()
		zero.backlog = slices.Concat(unwritten, both.backlog)
	}
	both.players -= n
	f.logs[trackZero] = zero
	for p := range f.players {
		if p.log == both && p.kind == trackZero {
			p.log = zero
		}
	}
	if old := both.tail(); old != nil {
		first, _ := zero.addSegment(segmentSize, f.clock.last)
		old.zero.Store(first.hold())
		_, dropped := both.addSegment(segmentSize, f.clock.last)
		f.expel(dropped)
	}
}

// rejoinTrackZero joins the two logs when l has reached the first packet of another
// publisher of the same stream. It reports whether l still exists.
func (f *Fan) rejoinTrackZero(l *wireLog, epoch uint32) bool {
	zero, both := f.logs[trackZero], f.logs[everything]
	if l != zero && l != both && (zero != nil || both != nil) {
		return true // those logs will reach it too
	}
	var rest []*media.Packet // that everything has read, if it is behind l
	switch {
	case zero == nil || both == nil:
	case l == both:
		f.readUpTo(zero, epoch)
	default:
		rest = f.readUpTo(both, epoch)
	}
	f.mergeTrackZero()
	f.state.others = [2][]uint32{}
	f.stateVersion.Add(1)
	if l == zero && both != nil {
		f.take(both, rest)
		return false
	}
	return true
}

// readUpTo writes l's packets that precede epoch and returns the packets it has
// read beyond them.
func (f *Fan) readUpTo(l *wireLog, epoch uint32) (rest []*media.Packet) {
	var buf [64]*media.Packet
	for l.cursor != nil {
		n, _ := l.next(buf[:])
		if n == 0 {
			return nil
		}
		end := slices.IndexFunc(buf[:n], func(p *media.Packet) bool { return p.Epoch == epoch })
		if end < 0 {
			end = n
		}
		for _, p := range buf[:end] {
			f.write(l, p)
		}
		if end < n {
			return slices.Clone(buf[end:n])
		}
	}
	return nil
}

// mergeTrackZero moves the players of trackZero back to the log of everything.
func (f *Fan) mergeTrackZero() {
	f.multi = false
	zero, both := f.logs[trackZero], f.logs[everything]
	if zero == nil {
		return
	}
	f.logs[trackZero] = nil
	if both == nil {
		zero.kind = everything
		f.logs[everything] = zero
		return
	}
	next, dropped := both.addSegment(segmentSize, f.clock.last)
	f.expel(dropped)
	if old := zero.tail(); old != nil {
		old.next.Store(next.hold())
	}
	for p := range f.players {
		if p.log == zero {
			p.log = both
		}
	}
	both.players += zero.players
	zero.close()
}
