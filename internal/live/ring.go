package live

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A slot holds one packet. The slot of ring.head holds none yet, but may
// already have cursors.
type slot struct {
	packet  *media.Packet
	size    int64         // memory charged for the packet, bytes
	when    time.Duration // on the ring's clock
	cursors int32         // cursors at this slot: they hold it and all after it
}

// A ring maps sequence numbers, which never wrap, to slots. It has no policy: Stream
// decides about keyframes and readers.
type ring struct {
	slots []slot // length a power of two, always more than head-tail
	tail  uint64 // oldest packet held
	head  uint64 // the packet to be written next
	bytes int64  // held, with headers and overhead

	headers media.HeaderLedger

	// clock is media time that never goes back: that of the track clock that
	// is ahead. Audio and video may count from different zeros, so each has one.
	clock  time.Duration
	clocks [2]trackClock // of video and audio

	peak   uint64 // most packets held since reviewed
	writes int    // since reviewed
}

const (
	minSlots = 32
	// reviewEvery is how many writes the slot array must have been far too
	// large for before it shrinks (about a minute): the packets held go from
	// one to a whole GOP and back all the time.
	reviewEvery = 4096
)

func newRing() ring { return ring{slots: make([]slot, minSlots)} }

func (r *ring) at(seq uint64) *slot { return &r.slots[seq&uint64(len(r.slots)-1)] }

// A trackClock is the media time of video or of audio.
type trackClock struct {
	known bool
	dts   time.Duration // of its newest packet
	clock time.Duration // the same on the ring's clock
}

// tick advances the clock to p, by maxStep at most. A step back, and the return from
// it, add no time.
func (r *ring) tick(p *media.Packet) {
	kind := p.Track.Kind
	if kind > media.Audio {
		return
	}
	t := &r.clocks[kind]
	switch step := p.DTS - t.dts; {
	case !t.known:
		*t = trackClock{known: true, dts: p.DTS, clock: r.clock}
	case step < -maxStep: // a new time base
		t.dts, t.clock = p.DTS, r.clock
	case step > maxStep:
		t.dts, t.clock = p.DTS, max(t.clock+maxStep, r.clock)
	case step > 0:
		t.dts, t.clock = p.DTS, t.clock+step
	}
	r.clock = max(r.clock, t.clock)
}

func (r *ring) push(p *media.Packet) (seq uint64) {
	held := r.head - r.tail + 1
	r.peak = max(r.peak, held)
	r.writes++
	switch n := uint64(len(r.slots)); {
	case held >= n: // the slot after the new packet is needed as well
		r.resize(2 * n)
	case r.writes >= reviewEvery:
		if n > minSlots && r.peak*4 <= n {
			r.resize(n / 2)
		}
		r.peak, r.writes = held, 0
	}
	s := r.at(r.head)
	s.packet, s.when, s.size = p, r.clock, p.Held()+r.headers.Charge(p)
	r.bytes += s.size
	r.head++
	return r.head - 1
}

func (r *ring) resize(n uint64) {
	old := *r
	r.slots = make([]slot, n)
	for seq := r.tail; seq <= r.head; seq++ {
		*r.at(seq) = *old.at(seq)
	}
}

// drop frees the oldest packet; there must be one.
func (r *ring) drop() {
	s := r.at(r.tail)
	r.bytes -= s.size
	*s = slot{}
	r.tail++
}
