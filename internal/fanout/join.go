package fanout

import (
	"net"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Join makes conn a player of f. The session has sent all it wrote before; from now
// on only the fan writes to conn, until Leave or Gone.
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

// forget removes a player. Its flusher calls it, once.
func (f *Fan) forget(p *Player) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.leaveLog()
	delete(f.players, p)
	if len(f.players) == 0 {
		f.active.Store(false)
	}
}

// joinWantedLog moves p to the log of what it gets, by the newest state. It returns
// false if p gets nothing. The fan's lock is held, and p is in no segment.
func (f *Fan) joinWantedLog(p *Player, noAudio, noVideo bool) bool {
	for {
		f.updateExcluded(p)
		k := p.wantedKind(noAudio, noVideo)
		if p.log != nil && p.kind != k {
			p.leaveLog()
		}
		if k == nothing {
			return false
		}
		if p.log == nil {
			f.joinLog(p, k) // reads the stream, which may change the state
		}
		if p.stateVersion == f.stateVersion.Load() {
			return true
		}
	}
}

// checkLog updates what p can take, at a message boundary, and removes p from a log
// that is no longer the one for it.
func (f *Fan) checkLog(p *Player, paused, noAudio, noVideo bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.updateExcluded(p)
	k := p.wantedKind(noAudio, noVideo)
	switch {
	case p.log == nil || p.kind == k && !paused:
	case !paused && k != nothing && f.logKind(p.kind) == f.logKind(k):
		p.kind = k
	default:
		p.leaveLog()
		if paused {
			p.headers = sentHeaders{} // resuming begins like joining, however soon it comes
		}
	}
}

// joinLog adds p to the log of kind k.
func (f *Fan) joinLog(p *Player, k kind) {
	at := f.logKind(k)
	l := f.logs[at]
	if l == nil {
		l = &wireLog{kind: at, chunkSize: f.chunkSize, total: &f.logBytes}
		f.logs[at] = l
	}
	l.players++
	p.log, p.kind = l, k
	f.startReading()
}

func (f *Fan) leaveLog(l *wireLog) {
	if l.players--; l.players == 0 {
		l.close()
		if f.logs[l.kind] == l {
			f.logs[l.kind] = nil
		}
	}
}

// place returns where a player that is in no segment begins; false if there is no
// place yet. It is never before the place where the player left, nor too far back.
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
	case waitVideo && s.headers.media[media.Video].track == nil: // it would begin with audio
		return start{}, false
	case p.left && s.at <= p.leftAt && p.leftAt-s.at <= joinMaxTime: // further back the publisher's time has jumped
		return start{}, false
	case now-s.at > joinMaxTime, s.behind > joinMaxBytes:
		return start{}, false
	}
	return s, true
}
