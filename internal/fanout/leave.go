package fanout

import "time"

// Leave removes the player and returns its connection to the caller. rest are the
// bytes that complete the message the player was in: they must be sent before
// anything else. A player whose socket stays full reaches no message boundary: ok
// is false after wait, and the connection can't be used any more. ok is false too if
// the fan has closed the player already.
func (p *Player) Leave(wait time.Duration) (rest []byte, ok bool) { return p.leaveWithin(wait, false) }

// Drain is Leave after the player has been sent the whole log: for the end of a
// stream.
func (p *Player) Drain(wait time.Duration) (rest []byte, ok bool) { return p.leaveWithin(wait, true) }

func (p *Player) leaveWithin(wait time.Duration, drain bool) (rest []byte, ok bool) {
	answer := make(chan []byte, 1)
	p.mu.Lock()
	p.leave, p.drain, p.asked = answer, drain, true
	p.mu.Unlock()
	p.fl.poke(p)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case rest = <-answer:
		p.end() // the connection is the caller's now: Close must not close it
		return rest, true
	case <-p.gone:
		select {
		case rest = <-answer: // it left, and then its flusher removed it
			return rest, true
		default:
		}
	case <-timer.C:
	}
	return nil, false
}

// Unsent returns the messages that Control was given since Leave.
func (p *Player) Unsent() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.ctl
	p.ctl = nil
	return b
}

// end marks a player as gone that left by itself.
func (p *Player) end() {
	p.once.Do(func() {
		p.reason = ErrClosed
		p.dead.Store(true)
		close(p.gone)
	})
}

// handBack answers Leave with the unsent rest of the message. p.mu is held.
func (p *Player) handBack() {
	p.leave <- p.out
	p.leave, p.out, p.away = nil, nil, true
}

// drained completes Drain, if it was called. It reports whether the player has left.
func (p *Player) drained() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leave == nil || p.asked { // asked: settle must run first
		return false
	}
	p.handBack()
	return true
}

// leaveLog removes the player from its log, at a message boundary. The fan's lock is
// held.
func (p *Player) leaveLog() {
	p.leavePlace()
	if p.log != nil {
		p.fan.leaveLog(p.log)
		p.log = nil
	}
}

// leavePlace gives up the player's place in the log, at a message boundary or with
// the rest of the message in p.out. The fan's lock is held.
func (p *Player) leavePlace() {
	if seg := p.seg.Swap(nil); seg != nil {
		p.leftAt, p.left = seg.dtsAt(p.off-1), true
		now := seg.headersAt(p.off)
		for kind, m := range now.media {
			if m == (medium{}) { // none of it in that log
				now.media[kind] = p.headers.media[kind]
			}
		}
		p.headers, p.headersKind = now, p.log.kind
		seg.release()
	}
}
