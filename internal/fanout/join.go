package fanout

import (
	"net"
	"time"
)

// Join makes conn a player of f. What the session has written before is on its
// way already; from now on only the fan writes to conn, until Leave or Gone.
func (f *Fan) Join(conn net.Conn, o PlayerOptions) *Player {
	fl := f.hub.pick()
	p := &Player{fan: f, o: o, conn: conn, fl: fl, gone: make(chan struct{}), since: time.Now()}
	p.sink = newSink(p)
	f.mu.Lock()
	f.players[p] = struct{}{}
	f.mu.Unlock()
	fl.poke(p)
	return p
}

// forget takes a player out for good. Its server calls it, once.
func (f *Fan) forget(p *Player) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.leaveLog()
	delete(f.players, p)
	if len(f.players) == 0 {
		f.active.Store(false)
	}
}

// joinLog counts a player into the log of its kind. The fan's lock is held.
func (f *Fan) joinLog(k kind) *wireLog {
	l := f.logs[k]
	if l == nil {
		l = &wireLog{kind: k, chunkSize: f.chunkSize}
		f.logs[k] = l
	}
	l.players++
	f.rouse()
	return l
}

func (f *Fan) leaveLog(l *wireLog) {
	if l.players--; l.players == 0 {
		l.close()
		if f.logs[l.kind] == l {
			f.logs[l.kind] = nil
		}
	}
}

// place is where a player that is in no segment begins; false: nowhere yet. It
// is never before where the player left, and not too far back.
func (f *Fan) place(l *wireLog, p *Player) (start, bool) {
	now := time.Duration(f.lastDTS.Load())
	waitVideo := p.o.WaitVideo && l.kind != audioOnly
	if !p.o.GOPCache && !p.left {
		if !p.o.WaitKey && !waitVideo {
			return l.here(now, f.lastTime)
		}
		p.left, p.leftAt = true, now // the next keyframe, not the newest
	}
	s := l.start
	switch {
	case waitVideo && s.video == nil: // it would begin with audio
		return start{}, false
	case !l.hasStart, p.left && s.dts <= p.leftAt:
		return start{}, false
	case now-s.dts > joinMaxTime, s.behind > joinMaxBytes:
		return start{}, false
	}
	return s, true
}
