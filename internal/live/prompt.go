package live

import "time"

const (
	// promptTime is within what time a prompt cursor is woken if the writer does not
	// flush.
	promptTime = 100 * time.Millisecond
	// promptBacklog is how many unread packets wake one before the writer flushes.
	promptBacklog = 128
)

// Prompting is when prompt cursors are woken. Stream.mu guards it.
type prompting struct {
	batched bool        // the writer flushes
	timer   *time.Timer // for one that does not; nil: it was not needed yet
	timed   bool        // the timer runs
}

// Prompt has a lazy cursor woken, instead, once for each batch of packets that the
// writer has at a time: see Stream.Flush. What was read from a socket just now is then
// still in the processor's cache. Of a writer that does not flush, it is woken within
// 100 ms of a packet.
func (c *Cursor) Prompt() {
	s := c.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	c.prompt = true
}

// Flush says that the writer has written all that it has for now, and will call Flush
// again after the next packets: prompt cursors read. Any goroutine may call it.
func (s *Stream) Flush() {
	s.mu.Lock()
	s.prompting.batched = true
	s.wakePrompt()
}

// Unbatched says that the writer does not call Flush from now on.
func (s *Stream) Unbatched() {
	s.mu.Lock()
	if !s.prompting.batched {
		s.mu.Unlock()
		return
	}
	s.prompting.batched = false
	s.wakePrompt()
}

// rests reports whether c, which waits, is not to be woken by the newest packet. event:
// lazy cursors are.
func (c *Cursor) rests(event bool, now time.Duration) bool {
	s := c.stream
	if c.pending >= 0 {
		return true
	}
	backlog := s.ring.head - c.next
	switch {
	case !c.lazy:
		return false
	case c.prompt && s.prompting.batched:
		return backlog < promptBacklog
	case c.prompt && now-c.woken >= promptTime:
		return false
	case c.prompt:
		s.wakeIn(promptTime - (now - c.woken))
		return true
	}
	return !event && backlog < lazyBacklog && s.ring.clock-s.ring.at(c.next).when < lazyTime
}

// wakeIn wakes the prompt cursors in d, unless that is about to happen.
func (s *Stream) wakeIn(d time.Duration) {
	p := &s.prompting
	switch {
	case p.timed:
		return
	case p.timer == nil:
		p.timer = time.AfterFunc(d, func() {
			s.mu.Lock()
			p.timed = false
			s.wakePrompt()
		})
	default:
		p.timer.Reset(d)
	}
	p.timed = true
}

func (p *prompting) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}

// wakePrompt wakes the prompt cursors that have something to read. It unlocks mu.
func (s *Stream) wakePrompt() {
	var few [4]*Cursor
	woken := few[:0]
	now := time.Since(s.created)
	for i := 0; i < len(s.waiting); {
		c := s.waiting[i]
		if !c.prompt || c.pending >= 0 || c.next == s.ring.head {
			i++
			continue
		}
		s.stopWaiting(c)
		c.woken = now
		woken = append(woken, c)
	}
	s.mu.Unlock()
	for _, c := range woken {
		c.wake <- struct{}{} // has room: see Cursor.wake
	}
}
