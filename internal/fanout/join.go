package fanout

import (
	"net"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
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

// seat has p in the log of what it gets, judged by all that is known; false: it
// gets nothing. The fan's lock is held, and p is in no segment.
func (f *Fan) seat(p *Player, noAudio, noVideo bool) bool {
	for {
		f.judge(p)
		k := p.gets(noAudio, noVideo)
		if p.log != nil && p.kind != k {
			p.leaveLog()
		}
		if k == nothing {
			return false
		}
		if p.log == nil {
			f.joinLog(p, k) // this reads the stream, which may tell something new
		}
		if p.judged == f.verdicts.Load() {
			return true
		}
	}
}

// review judges p by what is new, at a message boundary, and takes it out of a
// log that is no longer for it.
func (f *Fan) review(p *Player, paused, noAudio, noVideo bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.judge(p)
	k := p.gets(noAudio, noVideo)
	switch {
	case p.log == nil || p.kind == k && !paused:
	case !paused && k != nothing && f.lane(p.kind) == f.lane(k):
		p.kind = k
	default:
		p.leaveLog()
		if paused {
			p.told = told{} // to resume is to join, however soon it comes
		}
	}
}

// joinLog counts p into the log of kind k.
func (f *Fan) joinLog(p *Player, k kind) {
	at := f.lane(k)
	l := f.logs[at]
	if l == nil {
		l = &wireLog{kind: at, chunkSize: f.chunkSize, total: &f.logBytes}
		f.logs[at] = l
	}
	l.players++
	p.log, p.kind = l, k
	f.rouse()
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
	if f.stream == nil {
		return start{}, false
	}
	now := time.Duration(f.now.Load())
	waitVideo := p.o.WaitVideo && l.kind != audioOnly
	if !p.o.GOPCache && !p.left {
		if !p.o.WaitKey && !waitVideo {
			return l.here(f.clock.last)
		}
		p.left, p.leftAt = true, now // the next keyframe, not the newest
	}
	s := l.start
	switch {
	case !l.hasStart:
		return start{}, false
	case waitVideo && s.told.media[media.Video].track == nil: // it would begin with audio
		return start{}, false
	case p.left && s.at <= p.leftAt && p.leftAt-s.at <= joinMaxTime: // further back the publisher's time has jumped
		return start{}, false
	case now-s.at > joinMaxTime, s.behind > joinMaxBytes:
		return start{}, false
	}
	return s, true
}
