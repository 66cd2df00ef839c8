package fanout

import (
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
// multitrack body is in any log; unwritten are packets taken from the cursor of
// everything that are in no log yet.
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
	zero := &wireLog{kind: trackZero, chunkSize: both.chunkSize, players: n, media: both.media, metadata: both.metadata, ended: both.ended}
	if both.cursor != nil {
		zero.cursor = both.cursor.Clone()
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
	for _, p := range unwritten {
		f.write(zero, p)
	}
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
