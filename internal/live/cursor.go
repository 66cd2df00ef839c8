package live

import (
	"context"
	"io"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Cursor reads one stream at its own pace. It belongs to one goroutine at a time;
// another one may take it over at its position. Close it when done, because the
// stream holds the packets that it has not read.
type Cursor struct {
	stream *Stream
	lazy   bool
	prompt bool // see Prompt; guarded by stream.mu

	// wake has room for one token. The goroutine that takes the cursor off
	// stream.waiting sends exactly one, and the cursor takes it before it
	// waits again, so the send never blocks.
	wake chan struct{}

	// Guarded by stream.mu.
	next    uint64 // sequence number of the packet Next will return first
	skipped uint64 // packets passed over since Next last reported
	began   bool   // it has had a position: packets passed over count as lost from then on
	waiting int    // index in stream.waiting, -1 outside
	pending int    // index in stream.pending, -1 outside: then next is where it was
	closed  bool
	woken   time.Duration // when, since the stream was created
	kind    media.Kind    // see WakeAt
	wakeAt  time.Duration // see WakeAt; 0: not set
}

// Cursor subscribes. A lazy cursor, as packagers use it, is not woken for each
// packet: once it has read everything, only a keyframe, a change of track or epoch,
// the end, or a backlog of 32 packets or one second wakes it.
func (s *Stream) Cursor(start Start, lazy bool) *Cursor {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.newCursor(lazy)
	r := &s.ring
	switch {
	case start == FromOldest:
		s.hold(c, r.tail)
	case start == FromNext:
		s.hold(c, r.head)
	case s.keyHeld():
		s.hold(c, s.key)
	case !s.video && r.head > r.tail:
		s.hold(c, r.head-1)
	default:
		c.next = r.head
		s.await(c)
	}
	return c
}

// Clone returns a second cursor at the same position and with the same unreported
// skipped packets. Only the owner of c may call it.
func (c *Cursor) Clone() *Cursor {
	s := c.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.newCursor(c.lazy)
	d.prompt = c.prompt
	d.next, d.skipped, d.began = c.next, c.skipped, c.began
	switch {
	case c.pending >= 0:
		s.await(d)
	case c.next >= s.ring.tail:
		s.hold(d, c.next)
	}
	return d
}

func (s *Stream) newCursor(lazy bool) *Cursor {
	s.cursors++
	return &Cursor{stream: s, lazy: lazy, wake: make(chan struct{}, 1), waiting: -1, pending: -1}
}

// Next fills buf, which must not be empty, with the packets after the last one
// returned and reports how many it wrote; it blocks until there is at least
// one. The packets are shared: read them, never write them. Clear buf afterwards,
// or the garbage collector keeps them.
//
// A cursor that fell further behind than the stream remembers has been lapped:
// Next moves it to the newest keyframe held (without video: to the oldest
// packet held), else waits for the next keyframe, and then reports in skipped
// how many packets it passed over. Those came before the packets in buf.
//
// Errors: io.EOF once the stream is closed and drained (skipped may be set);
// ctx.Err(), with the position unchanged.
func (c *Cursor) Next(ctx context.Context, buf []*media.Packet) (n int, skipped uint64, err error) {
	s := c.stream
	for {
		if err := ctx.Err(); err != nil {
			return 0, 0, err
		}
		s.mu.Lock()
		n, skipped, err = s.take(c, buf)
		if n > 0 || err != nil {
			s.mu.Unlock()
			return n, skipped, err
		}
		c.waiting = len(s.waiting)
		s.waiting = append(s.waiting, c)
		s.mu.Unlock()

		select {
		case <-c.wake:
		case <-ctx.Done():
			s.mu.Lock()
			taken := c.waiting < 0
			if !taken {
				s.stopWaiting(c)
			}
			s.mu.Unlock()
			if taken {
				<-c.wake // on its way
			}
			return 0, 0, ctx.Err()
		}
	}
}

// TryNext is Next without waiting: n is 0 when there is nothing new.
func (c *Cursor) TryNext(buf []*media.Packet) (n int, skipped uint64, err error) {
	s := c.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.take(c, buf)
}

// WakeAt has a lazy cursor woken also by a packet of that kind whose DTS is not before at;
// 0: by none.
func (c *Cursor) WakeAt(kind media.Kind, at time.Duration) {
	c.stream.mu.Lock()
	defer c.stream.mu.Unlock()
	c.kind, c.wakeAt = kind, at
}

// Due is how much media there is before the first packet that WakeAt asked for, of a cursor
// that waits; false: nobody waits for one.
func (s *Stream) Due() (left time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.waiting {
		if c.wakeAt <= 0 || c.kind > media.Audio || !s.ring.clocks[c.kind].known {
			continue
		}
		if d := c.wakeAt - s.ring.clocks[c.kind].dts; !ok || d < left {
			left, ok = d, true
		}
	}
	return left, ok
}

// due says whether WakeAt asked for c to be woken by p.
func (c *Cursor) due(p *media.Packet) bool {
	return c.wakeAt > 0 && p.Track.Kind == c.kind && p.Track.ID == 0 && p.DTS >= c.wakeAt
}

// Lag is how much media time there is that the cursor has not read.
func (c *Cursor) Lag() time.Duration {
	s := c.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.pending >= 0 || c.next >= s.ring.head {
		return 0
	}
	return s.ring.clock - s.ring.at(max(c.next, s.ring.tail)).when
}

// Pass gives up what the cursor has not read, as if it had been lapped: it goes on
// at the newest keyframe, or waits for the next one if it is beyond that already.
// Next then reports how many packets were passed over.
func (c *Cursor) Pass() {
	s := c.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.ring
	if c.closed || c.pending >= 0 || c.next < r.tail || c.next == r.head {
		return
	}
	to := r.head
	switch {
	case s.keyHeld() && s.key > c.next:
		to = s.key
	case !s.video:
		to = max(s.recent, c.next)
	}
	r.at(c.next).cursors--
	if to == r.head && s.video {
		s.await(c)
	} else {
		c.skip(to)
		s.hold(c, to)
	}
	s.release()
}

// Close unsubscribes and frees the packets that only this cursor held.
func (c *Cursor) Close() {
	s := c.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	s.cursors--
	switch {
	case c.pending >= 0:
		s.stopPending(c)
	case c.next >= s.ring.tail:
		s.ring.at(c.next).cursors--
		s.release()
	}
}

// take is Next without waiting: n is 0, without an error, if c has to wait.
func (s *Stream) take(c *Cursor, buf []*media.Packet) (n int, skipped uint64, err error) {
	n = s.read(c, buf)
	if n == 0 {
		if !s.closed && !c.closed {
			return 0, 0, nil
		}
		err = io.EOF
		s.giveUp(c)
	}
	skipped, c.skipped = c.skipped, 0
	return n, skipped, err
}

// read copies unread packets into buf and advances c.
func (s *Stream) read(c *Cursor, buf []*media.Packet) int {
	r := &s.ring
	if c.closed || c.pending >= 0 {
		return 0
	}
	if c.next < r.tail { // lapped
		switch {
		case s.keyHeld():
			c.skip(s.key)
			s.hold(c, c.next)
		case !s.video:
			c.skip(max(r.tail, s.began))
			s.hold(c, c.next)
		default:
			s.await(c)
			return 0
		}
	}
	n := int(min(r.head-c.next, uint64(len(buf))))
	if n == 0 {
		return 0
	}
	for i := range buf[:n] {
		buf[i] = r.at(c.next + uint64(i)).packet
	}
	r.at(c.next).cursors--
	oldest := c.next == r.tail
	s.hold(c, c.next+uint64(n))
	if oldest {
		s.release()
	}
	return n
}

// skip advances c, which holds no position, to seq.
func (c *Cursor) skip(seq uint64) {
	if c.began {
		c.skipped += seq - c.next
		c.stream.count.skipped += seq - c.next
	}
	c.next = seq
}

// giveUp counts the packets that c missed because the stream ended before the next
// keyframe.
func (s *Stream) giveUp(c *Cursor) {
	if c.pending >= 0 {
		s.stopPending(c)
		c.skip(s.ring.head)
		s.hold(c, s.ring.head)
	}
}

// hold puts c at seq, so that the ring keeps everything from there on.
func (s *Stream) hold(c *Cursor, seq uint64) {
	c.next, c.began = seq, true
	s.ring.at(seq).cursors++
}

// await takes c's position until the next keyframe.
func (s *Stream) await(c *Cursor) {
	c.pending = len(s.pending)
	s.pending = append(s.pending, c)
}

func (s *Stream) stopPending(c *Cursor) {
	last := len(s.pending) - 1
	moved := s.pending[last]
	s.pending[c.pending], moved.pending = moved, c.pending
	s.pending[last] = nil
	s.pending = s.pending[:last]
	c.pending = -1
}

func (s *Stream) stopWaiting(c *Cursor) {
	last := len(s.waiting) - 1
	moved := s.waiting[last]
	s.waiting[c.waiting], moved.waiting = moved, c.waiting
	s.waiting[last] = nil
	s.waiting = s.waiting[:last]
	c.waiting = -1
}
