package fanout

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// PlayerOptions are the settings of a player's application.
type PlayerOptions struct {
	Queue     time.Duration // a player further behind is moved to the newest keyframe; 0: never
	Timeout   time.Duration // a player that takes nothing for so long is closed; 0: never
	WaitKey   bool          // begin at a keyframe
	WaitVideo bool          // begin with video, at a keyframe; wait while the stream has none
	GOPCache  bool          // begin at the newest keyframe there is, not at the next one

	// Connect is what the player announced; nil: nothing.
	Connect *rtmp.Connect
	// Refused is called once if the player can take nothing of the stream. Locks
	// are held: it may neither block nor call the Player. nil: the player is
	// closed.
	Refused func(why string)
	// Lagged is called, as Refused is, when the player is moved to the newest
	// keyframe for the first time.
	Lagged func()
}

// A Player is one connection that a fan sends to. From Join to Leave only the fan
// writes to its socket: the session sends its messages through Control.
type Player struct {
	fan  *Fan
	o    PlayerOptions
	conn net.Conn
	fl   *flusher
	sink sink

	sent   atomic.Uint64 // bytes
	lapped atomic.Uint64
	dead   atomic.Bool
	ended  atomic.Bool   // the goroutine of its connSink has ended
	reason error         // why it is closed; written before gone is closed
	gone   chan struct{} // closed when the fan has closed the player
	once   sync.Once
	seg    atomic.Pointer[segment] // the segment that off is in; expel reads it

	mu               sync.Mutex // guards the requests of other goroutines
	ctl              []byte     // whole messages, sent at the next message boundary
	asked            bool       // ctl, paused, noAudio, noVideo or leave has changed
	paused           bool
	noAudio, noVideo bool
	away             bool        // it has left; see Unsent
	leave            chan []byte // Leave waits here for the unsent rest; nil: it was not called
	drain            bool        // it leaves once it has been sent the whole log

	log *wireLog // guarded by the fan's lock, as the log's count of players is

	// Owned by the goroutine that serves the player: its flusher's or its own.
	kind         kind   // of the log it joined; written under the fan's lock
	stateVersion uint64 // the fan's stateVersion that excluded was made from
	excluded     excluded
	off          int64
	bound        int64         // the message boundary up to which off is being sent
	out          []byte        // sent before more of the log; may be shared: only append to it
	headers      sentHeaders   // what it had been sent when it left the log
	headersKind  kind          // of that log
	leftAt       time.Duration // by the fan's clock; it never begins before that
	left         bool
	since        time.Time // of the last progress
	full         bool      // the socket is full; the poller reports when it is not

	// Owned by the flusher.
	known, quit bool
	pollID      int32 // in its poller; 0: it was never watched
	queued      bool  // in its inbox; guarded by the flusher's lock
}

// Reasons why the fan closes a player.
var (
	ErrSlow    = errors.New("too slow: the player fell behind what is kept for it")
	ErrStuck   = errors.New("too slow: the player took nothing for the whole timeout")
	ErrControl = errors.New("too slow: replies pile up")
	ErrClosed  = errors.New("closed")
)

// maxControl is how many bytes of a session's replies may wait for a message
// boundary.
const maxControl = 16 << 10

// Control sends whole encoded messages at the next message boundary, before more of
// the stream.
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

// Pause stops the stream at the next message boundary. Resuming begins at a
// keyframe, never before the place where the player stopped.
func (p *Player) Pause(paused bool) {
	p.mu.Lock()
	p.paused, p.asked = paused, true
	p.mu.Unlock()
	p.fl.poke(p)
}

// Receive sets which media the player gets.
func (p *Player) Receive(audio, video bool) {
	p.mu.Lock()
	p.noAudio, p.noVideo, p.asked = !audio, !video, true
	p.mu.Unlock()
	p.fl.poke(p)
}

// Close removes the player and closes its connection at once.
func (p *Player) Close() { p.fail(ErrClosed) }

// Gone is closed when the fan has closed the player; Err says why.
func (p *Player) Gone() <-chan struct{} { return p.gone }

// Err returns why the player was closed; nil before Gone is closed.
func (p *Player) Err() error {
	select {
	case <-p.gone:
		return p.reason
	default:
		return nil
	}
}

// Sent returns how many bytes were sent to the player.
func (p *Player) Sent() uint64 { return p.sent.Load() }

// Lapped returns how often the player was moved to the newest keyframe.
func (p *Player) Lapped() uint64 { return p.lapped.Load() }

// fail closes the player's connection; its flusher then removes it.
func (p *Player) fail(reason error) {
	p.once.Do(func() {
		p.reason = reason
		p.dead.Store(true)
		p.fan.hub.metrics.close(reason)
		close(p.gone)
		go func() { // Close waits for users of the descriptor: the caller may be one
			p.conn.Close()
			p.fl.poke(p)
		}()
	})
}

// expel closes the player if it is in seg, which its log has dropped. The fan's lock
// is held.
func (p *Player) expel(seg *segment) {
	if p.seg.Load() == seg {
		go p.fail(ErrSlow)
	}
}

// settle carries out what other goroutines have requested, at a message boundary. It
// returns false when the player has left.
func (p *Player) settle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked {
		p.asked = false
		p.out = append(p.out, p.ctl...)
		p.ctl = p.ctl[:0]
		if p.leave != nil && !p.drain {
			p.handBack()
			return false
		}
	}
	p.fan.checkLog(p, p.paused, p.noAudio, p.noVideo)
	return true
}

// wanted reports whether settle has something to do.
func (p *Player) wanted() bool {
	if p.stateVersion != p.fan.stateVersion.Load() {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// begin finds the player's place in the log and its headers. It returns false if
// there is none yet.
func (p *Player) begin() bool {
	p.mu.Lock()
	paused, noAudio, noVideo := p.paused, p.noAudio, p.noVideo
	p.mu.Unlock()
	if paused {
		p.headers = sentHeaders{} // resuming begins like joining
		return false
	}
	f := p.fan
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.joinWantedLog(p, noAudio, noVideo) {
		return len(p.out) > 0 // the status of a track that is left out
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

// maxRest is how many bytes of a message are copied, at most, for a player that is
// moved to the newest keyframe. If more are missing the player stays in the log,
// which is bounded: otherwise each of many players could hold a copy of a
// publisher's largest message.
const maxRest = 256 << 10

// lag moves a player that is too far behind to the newest keyframe. The player first
// finishes the message it is in from a copy.
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

// step sends until the socket is full, the budget is spent or there is nothing left.
// It returns false when the player is closed or has left.
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
			end = seg.written.Load() // before wanted: no byte is sent that excluded does not cover yet
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

// stepBudget is how many bytes one player may be sent in one pass.
const stepBudget = 1 << 20

func (p *Player) boundary(seg *segment) int64 {
	p.fan.mu.Lock()
	defer p.fan.mu.Unlock()
	return seg.ends(p.off)
}

// progress counts what a send moved. done says that step must end.
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
