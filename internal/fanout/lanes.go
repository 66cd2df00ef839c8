package fanout

import (
	"slices"

	"github.com/rtmpd/rtmpd/internal/media"
)

// While a stream has one track of each medium, the bytes of everything and of
// trackZero are the same, and players of both share one log. With the first
// multitrack body they part, and with the next stream they meet again: at the
// end of a segment, so that no player misses or repeats a message.

// lane is the log that players of kind k are in.
func (f *Fan) lane(k kind) kind {
	if k == trackZero && !f.multi {
		return everything
	}
	return k
}

// part gives the players of trackZero a log of their own. It is called before a
// multitrack body is in any log; unwritten are packets that everything has read
// and not written.
func (f *Fan) part(unwritten []*media.Packet) {
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
	case both.players: // nobody for multitrack: it is their log already
		both.kind = trackZero
		f.logs[everything], f.logs[trackZero] = nil, both
		return
	}
	zero := &wireLog{kind: trackZero, chunkSize: both.chunkSize, total: &f.logBytes, players: n, told: both.told, epoch: both.epoch, ended: both.ended}
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

// meet ends the parting when another publisher of the same stream begins: l has
// come to it. It reports whether l is still there.
func (f *Fan) meet(l *wireLog, epoch uint32) bool {
	zero, both := f.logs[trackZero], f.logs[everything]
	if l != zero && l != both && (zero != nil || both != nil) {
		return true // theirs to find
	}
	var rest []*media.Packet // that everything has read, if it is behind l
	switch {
	case zero == nil || both == nil:
	case l == both:
		f.readUpTo(zero, epoch)
	default:
		rest = f.readUpTo(both, epoch)
	}
	f.merge()
	f.news.others = [2][]uint32{}
	f.verdicts.Add(1)
	if l == zero && both != nil {
		f.take(both, rest)
		return false
	}
	return true
}

// readUpTo writes l's packets before those of epoch, and returns what it has
// read beyond.
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

// merge brings the players of trackZero back to the log of everything.
func (f *Fan) merge() {
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
