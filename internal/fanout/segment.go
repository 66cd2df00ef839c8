package fanout

import (
	"sort"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/internal/live"
)

// A segment is a run of whole messages, encoded as every player gets them. Its
// bytes are written once and never change; the log and the players that read it
// hold it, and with the last of them it is given back.
type segment struct {
	mem  []byte // its whole capacity
	fd   int    // memfd behind mem, for sendfile; -1: none
	free func() // gives mem and fd back

	refs    atomic.Int32
	written atomic.Int64 // bytes of whole messages; what a reader may take
	next    atomic.Pointer[segment]
	// zero, if set, is where players of trackZero go on in place of next: their
	// log parted from the other here. It is set before next is.
	zero atomic.Pointer[segment]

	// Owned by the log, under its fan's lock.
	marks   []mark
	news    []notice      // first what a player had been told before the segment
	created time.Duration // when its first message is, by the fan's clock
	held    int64         // of memory, as the log is charged for it
}

// A mark is where a message begins, and when, by the fan's clock.
type mark struct {
	off int64
	dts time.Duration
}

// A told is what a player has been told of a stream besides its frames.
type told struct {
	media    [2]medium
	metadata *live.Metadata
}

// A notice is that who has had the byte before off has been told.
type notice struct {
	off int64
	told
}

// toldAt is what a player has been told that is at off.
func (s *segment) toldAt(off int64) told {
	i := len(s.news) - 1
	for i > 0 && s.news[i].off > off {
		i--
	}
	return s.news[i].told
}

func (s *segment) hold() *segment {
	s.refs.Add(1)
	return s
}

// after is the segment in which a player of k goes on; nil: there is none yet.
func (s *segment) after(k kind) *segment {
	next := s.next.Load()
	if next != nil && k == trackZero {
		if zero := s.zero.Load(); zero != nil {
			return zero
		}
	}
	return next
}

func (s *segment) release() {
	for s != nil && s.refs.Add(-1) == 0 {
		next := s.next.Load() // held by s, as is zero
		s.zero.Load().release()
		s.free()
		s = next
	}
}

// ends reports the first message boundary at or after off.
func (s *segment) ends(off int64) int64 {
	i := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].off >= off })
	if i == len(s.marks) {
		return s.written.Load()
	}
	return s.marks[i].off
}

// dtsAt is the time of the message that off lies in.
func (s *segment) dtsAt(off int64) time.Duration {
	i := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].off > off })
	if i == 0 {
		return s.created
	}
	return s.marks[i-1].dts
}

func newHeapSegment(capacity int) *segment {
	return &segment{mem: make([]byte, capacity), fd: -1, free: func() {}}
}
