package fanout

import (
	"sort"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/internal/live"
)

// A segment is a run of whole messages, encoded as every player gets them. Its
// bytes are written once and never change. The log and the players that read it
// hold a reference; its memory is freed with the last one.
type segment struct {
	mem  []byte // its whole capacity
	fd   int    // memfd behind mem, for sendfile; -1: none
	free func() // gives mem and fd back

	refs    atomic.Int32
	written atomic.Int64 // bytes of whole messages; what a reader may take
	next    atomic.Pointer[segment]
	// zero, if set, is the next segment for players of trackZero: their log was
	// split from the other here. It is set before next.
	zero atomic.Pointer[segment]

	// Owned by the log, under its fan's lock.
	marks   []mark
	headers []headersMark // ascending; the first: what had been sent before the segment
	created time.Duration // time of its first message, by the fan's clock
	held    int64         // bytes of memory that the log accounts for
}

// A mark says at which offset a message begins, and its time by the fan's clock.
type mark struct {
	off int64
	dts time.Duration
}

// sentHeaders says which headers and metadata a player has been sent.
type sentHeaders struct {
	media    [2]medium
	metadata *live.Metadata
}

// A headersMark says which headers a player has been sent that has read up to off.
type headersMark struct {
	off int64
	sentHeaders
}

// headersAt returns which headers a player at off has been sent.
func (s *segment) headersAt(off int64) sentHeaders {
	i := len(s.headers) - 1
	for i > 0 && s.headers[i].off > off {
		i--
	}
	return s.headers[i].sentHeaders
}

func (s *segment) hold() *segment {
	s.refs.Add(1)
	return s
}

// after returns the segment that follows for a player of kind k; nil: none yet.
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

// ends returns the first message boundary at or after off.
func (s *segment) ends(off int64) int64 {
	i := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].off >= off })
	if i == len(s.marks) {
		return s.written.Load()
	}
	return s.marks[i].off
}

// dtsAt returns the time of the message that off lies in.
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
