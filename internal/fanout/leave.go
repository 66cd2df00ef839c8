package fanout

import "time"

// Leave takes the player out. rest are the bytes that complete the message it
// was in: whoever writes to the connection next must send them first. A player
// whose socket stays full has no boundary to leave at: after wait, ok is false
// and the connection of no more use. It is false as well when the fan has given
// the player up already.
func (p *Player) Leave(wait time.Duration) (rest []byte, ok bool) { return p.goes(wait, false) }

// Drain is Leave once the player has been sent all that the log has: for the
// end of a stream.
func (p *Player) Drain(wait time.Duration) (rest []byte, ok bool) { return p.goes(wait, true) }

func (p *Player) goes(wait time.Duration, drain bool) (rest []byte, ok bool) {
	answer := make(chan []byte, 1)
	p.mu.Lock()
	p.leave, p.drain, p.asked = answer, drain, true
	p.mu.Unlock()
	p.fl.poke(p)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case rest = <-answer:
		p.part() // the connection is the caller's from here on, whatever Close says
		return rest, true
	case <-p.gone:
		select {
		case rest = <-answer: // it left, and then its server forgot it
			return rest, true
		default:
		}
	case <-timer.C:
	}
	return nil, false
}

// Unsent is what Control was given since Leave.
func (p *Player) Unsent() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.ctl
	p.ctl = nil
	return b
}

// part ends a player that left by itself: nobody waits for it any more.
func (p *Player) part() {
	p.once.Do(func() {
		p.reason = ErrClosed
		p.dead.Store(true)
		close(p.gone)
	})
}

// depart answers who waits for the player to leave. p.mu is held.
func (p *Player) depart() {
	p.leave <- p.out
	p.leave, p.out, p.away = nil, nil, true
}

// drained lets a player go that leaves once it has had everything.
func (p *Player) drained() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leave == nil || p.asked { // asked: there is something to settle before
		return false
	}
	p.depart()
	return true
}

// leaveLog lets go of the log, at a message boundary. The fan's lock is held.
func (p *Player) leaveLog() {
	p.leavePlace()
	if p.log != nil {
		p.fan.leaveLog(p.log)
		p.log = nil
	}
}

// leavePlace lets go of the place in the log, at a message boundary or with the
// rest of the message in p.out. The fan's lock is held.
func (p *Player) leavePlace() {
	if seg := p.seg.Swap(nil); seg != nil {
		p.leftAt, p.left = seg.dtsAt(p.off-1), true
		now := seg.toldAt(p.off)
		for kind, m := range now.media {
			if m == (medium{}) { // none of it in that log
				now.media[kind] = p.told.media[kind]
			}
		}
		p.told, p.toldAs = now, p.log.kind
		seg.release()
	}
}
