package fanout

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// PlayerOptions are what a player's application says about it.
type PlayerOptions struct {
	Queue     time.Duration // a player further behind is moved to the newest keyframe; 0: never
	Timeout   time.Duration // a player that takes nothing for so long is closed; 0: never
	WaitKey   bool          // begin at a keyframe
	WaitVideo bool          // begin with video, at a keyframe: a stream without is waited with
	GOPCache  bool          // begin at the newest keyframe there is, not at the next one

	// Connect is what the player announced; nil: nothing.
	Connect *rtmp.Connect
	// Refused is told, once, that the player can take nothing of the stream.
	// It is called with locks held: it may neither block nor call the Player.
	// Nil: the player is closed.
	Refused func(why string)
	// Lagged is told when the player is moved on for the first time, as Refused is.
	Lagged func()
}

// A Player is one connection that a fan sends to. From Join to Leave nobody else
// writes to its socket: what its session has to say goes through Control.
type Player struct {
	fan  *Fan
	o    PlayerOptions
	conn net.Conn
	fl   *flusher
	sink sink

	sent   atomic.Uint64 // bytes
	lapped atomic.Uint64
	dead   atomic.Bool
	parted atomic.Bool   // its own goroutine, if it has one, has ended
	reason error         // why, written before gone is closed
	gone   chan struct{} // closed when the fan has given the player up
	once   sync.Once
	seg    atomic.Pointer[segment] // what off is in; read by the log to expel

	mu               sync.Mutex // guards what other goroutines ask for
	ctl              []byte     // whole messages, sent at the next message boundary
	asked            bool       // ctl, paused, noAudio, noVideo or leave have something new
	paused           bool
	noAudio, noVideo bool
	away             bool        // it has left: see Unsent
	leave            chan []byte // where Leave waits for the unsent rest; nil: nobody does
	drain            bool        // it leaves when it has had all there is, not before

	log *wireLog // under the fan's lock, as its count of players is

	// Owned by whoever serves the player: its flusher, or its own goroutine.
	kind   kind   // of log it joined; written under the fan's lock, which the fan reads it by
	judged uint64 // the fan's verdicts that bar is by
	bar    bar
	off    int64
	bound  int64         // the message boundary that off is on its way to
	out    []byte        // sent before more of the log; may be shared: only appended to
	told   told          // headers it was given before it left the log
	toldAs kind          // of log then
	leftAt time.Duration // by the fan's clock: it never begins before that
	left   bool
	since  time.Time // of the last progress
	full   bool      // the socket was full: the poller says when it is not

	// Owned by the flusher.
	known, quit bool
	pollID      int32 // in its poller; 0: never was
	queued      bool  // in its inbox; under the flusher's lock
}

// Reasons of the fan to give a player up.
var (
	ErrSlow    = errors.New("too slow: the player fell behind what is kept for it")
	ErrStuck   = errors.New("too slow: the player took nothing for the whole timeout")
	ErrControl = errors.New("too slow: replies pile up")
	ErrClosed  = errors.New("closed")
)

// maxControl is how much of a session's replies may wait for a boundary.
const maxControl = 16 << 10

// Control hands over whole messages, encoded: they go out at the next message
// boundary, before more of the stream.
func (p *Player) Control(b []byte) error {
	p.mu.Lock()
	if len(p.ctl)+len(b) > maxControl {
		p.mu.Unlock()
		p.fail(ErrControl)
		return ErrControl
	}
	p.ctl = append(p.ctl, b...)
	p.asked = true
	if p.away {
		p.mu.Unlock()
		return nil
	}
	p.mu.Unlock()
	if p.dead.Load() {
		return ErrClosed
	}
	p.fl.poke(p)
	return nil
}

// Pause lets go of the stream at the next message boundary; resuming begins
// anew at a keyframe, never earlier than where it left.
func (p *Player) Pause(paused bool) {
	p.mu.Lock()
	p.paused, p.asked = paused, true
	p.mu.Unlock()
	p.fl.poke(p)
}

// Receive says which media the player wants.
func (p *Player) Receive(audio, video bool) {
	p.mu.Lock()
	p.noAudio, p.noVideo, p.asked = !audio, !video, true
	p.mu.Unlock()
	p.fl.poke(p)
}

// Close takes the player out and closes its connection, whatever it is in the
// middle of.
func (p *Player) Close() { p.fail(ErrClosed) }

// Gone is closed when the fan has given the player up by itself; Err says why.
func (p *Player) Gone() <-chan struct{} { return p.gone }

// Err is why, nil before Gone is closed.
func (p *Player) Err() error {
	select {
	case <-p.gone:
		return p.reason
	default:
		return nil
	}
}

// Sent is how many bytes went to the player.
func (p *Player) Sent() uint64 { return p.sent.Load() }

// Lapped is how often it was moved to the newest keyframe.
func (p *Player) Lapped() uint64 { return p.lapped.Load() }

// fail gives the player up: its connection is closed, its server takes it out.
func (p *Player) fail(reason error) {
	p.once.Do(func() {
		p.reason = reason
		p.dead.Store(true)
		p.fan.hub.metrics.close(reason)
		close(p.gone)
		go func() { // Close waits for whoever uses the descriptor: maybe the caller
			p.conn.Close()
			p.fl.poke(p)
		}()
	})
}

// expel is called by the log when it gives up seg. The fan's lock is held.
func (p *Player) expel(seg *segment) {
	if p.seg.Load() == seg {
		go p.fail(ErrSlow)
	}
}

// settle does what others have asked for, at a message boundary. It reports
// false when the player has left.
func (p *Player) settle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked {
		p.asked = false
		p.out = append(p.out, p.ctl...)
		p.ctl = p.ctl[:0]
		if p.leave != nil && !p.drain {
			p.depart()
			return false
		}
	}
	p.fan.review(p, p.paused, p.noAudio, p.noVideo)
	return true
}

// wanted reports whether settle has something to do.
func (p *Player) wanted() bool {
	if p.judged != p.fan.verdicts.Load() {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// begin finds the player its place in the log, and its headers. False: there is
// none yet.
func (p *Player) begin() bool {
	p.mu.Lock()
	paused, noAudio, noVideo := p.paused, p.noAudio, p.noVideo
	p.mu.Unlock()
	if paused {
		p.told = told{} // to resume is to join
		return false
	}
	f := p.fan
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.seat(p, noAudio, noVideo) {
		return len(p.out) > 0 // what judge has to tell
	}
	if len(p.out) > 0 { // goes first: what follows is shared with other players
		return true
	}
	s, ok := f.place(p.log, p)
	if !ok {
		return false
	}
	p.out = f.prefix(p.log, p, &s)
	p.off, p.bound = s.off, s.off
	p.seg.Store(s.seg.hold())
	p.left = false
	return true
}

// maxRest is the most that is copied of a message for a player that is moved on.
// With more of it to come the player stays in the log, which is bounded: each of
// many players could otherwise hold a copy of a publisher's largest message.
const maxRest = 256 << 10

// lag moves a player that is too far behind out of the log: it finishes the
// message it is in from a copy, and begins again at the newest keyframe.
func (p *Player) lag() {
	seg := p.seg.Load()
	if seg == nil || p.o.Queue <= 0 {
		return
	}
	f := p.fan
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Duration(f.now.Load())-seg.dtsAt(p.off) <= p.o.Queue {
		return
	}
	end := seg.ends(p.off)
	if end-p.off > maxRest {
		return
	}
	p.out = append(p.out, seg.mem[p.off:end]...)
	p.leavePlace()
	if p.lapped.Add(1) == 1 && p.o.Lagged != nil {
		p.o.Lagged()
	}
	f.hub.metrics.lagged.Inc()
}

// step sends what there is, until the socket is full or the budget is spent.
// It reports false when the player is done for.
func (p *Player) step() bool {
	budget := int64(stepBudget)
	for budget > 0 {
		if p.dead.Load() {
			return false
		}
		if len(p.out) > 0 {
			n, err := p.sink.send(p.out)
			p.out = p.out[n:]
			budget -= int64(n)
			if done, alive := p.progress(n, len(p.out) == 0, err); done {
				return alive
			}
			if len(p.out) == 0 {
				p.out = nil
			}
			continue
		}
		seg := p.seg.Load()
		var next *segment
		var end int64
		if seg != nil {
			next = seg.after(p.kind) // before written: with a next, written is final
			end = seg.written.Load() // before wanted: no byte goes out without the verdict on it
		}
		wanted := p.wanted()
		if wanted && (seg == nil || p.off == p.bound) {
			if !p.settle() {
				return false
			}
			continue
		}
		if seg == nil {
			if !p.begin() {
				return !p.drained()
			}
			continue
		}
		if p.off == end {
			if next == nil {
				return !p.drained()
			}
			p.seg.Store(next.hold())
			seg.release()
			p.off, p.bound = 0, 0
			continue
		}
		p.bound = end
		if wanted {
			end = p.boundary(seg)
			p.bound = end
		}
		n, err := p.sink.sendLog(seg, p.off, end)
		p.off += int64(n)
		budget -= int64(n)
		if done, alive := p.progress(n, p.off == end, err); done {
			return alive
		}
	}
	p.fl.wake() // there is more: soon again
	return true
}

// stepBudget is how much one player may take in one pass before the others'
// turn.
const stepBudget = 1 << 20

func (p *Player) boundary(seg *segment) int64 {
	p.fan.mu.Lock()
	defer p.fan.mu.Unlock()
	return seg.ends(p.off)
}

// progress accounts for a send. done says that step has to end.
func (p *Player) progress(n int, whole bool, err error) (done, alive bool) {
	if n > 0 {
		p.sent.Add(uint64(n))
		p.fan.BytesOut.Add(uint64(n))
	}
	switch {
	case err == ErrStuck:
		p.fail(ErrStuck)
		return true, false
	case err != nil:
		p.fail(ErrClosed)
		return true, false
	case n == 0 && !whole:
		// Only a socket that took nothing is sure to be announced when it
		// takes more: sendfile may also send less than it was told to a
		// socket that is not full.
		p.full = true
		return true, true
	}
	return false, true
}
