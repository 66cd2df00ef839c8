package fanout

import (
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/rtmpd/rtmpd/internal/awake"
)

// A Hub runs the flushers, one for each core, and spreads the players over them.
type Hub struct {
	flushers []*flusher
	schedule *schedule
	metrics  *metrics
	wg       sync.WaitGroup

	mu   sync.Mutex // guards next
	next int
}

// NewHub starts the flushers. interval is the longest pause between two passes.
// clock measures the players' timeout; nil: the time of the system does.
func NewHub(interval time.Duration, clock *awake.Clock) *Hub {
	h := &Hub{metrics: newMetrics(), schedule: newSchedule(interval)}
	for range runtime.GOMAXPROCS(0) {
		h.wg.Go(h.addFlusher(clock).run)
	}
	return h
}

func (h *Hub) addFlusher(clock *awake.Clock) *flusher {
	fl := &flusher{
		schedule:  h.schedule,
		clock:     clock,
		wakeC:     make(chan struct{}, 1),
		urgent:    make(chan struct{}, 1),
		step:      make(chan struct{}, 1),
		stop:      make(chan struct{}),
		fans:      make(map[*Fan]int),
		now:       time.Now(),
		metrics:   h.metrics,
		turnTimer: time.NewTimer(time.Hour),
		poll:      newPoller(),
	}
	h.flushers = append(h.flushers, fl)
	return fl
}

// Close gives every player up and ends the flushers.
func (h *Hub) Close() {
	for _, fl := range h.flushers {
		close(fl.stop)
	}
	h.wg.Wait()
}

// SetInterval changes the longest pause between two passes.
func (h *Hub) SetInterval(d time.Duration) {
	h.schedule.interval.Store(int64(d))
	for _, fl := range h.flushers {
		fl.hurry()
	}
}

// Interval returns the longest pause between two passes.
func (h *Hub) Interval() time.Duration { return h.schedule.every() }

// pick returns the flushers in turn.
func (h *Hub) pick() *flusher {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next++
	return h.flushers[h.next%len(h.flushers)]
}

func (h *Hub) wake(*Fan) {
	for _, fl := range h.flushers {
		fl.wake()
	}
}

// A flusher serves its players. Fields without a lock belong to its goroutine.
type flusher struct {
	wakeC  chan struct{} // some stream has grown
	urgent chan struct{} // the inbox is not empty, or the interval has changed
	step   chan struct{} // see Hub.Step
	stop   chan struct{}

	metrics  *metrics  // the hub's
	schedule *schedule // the hub's
	clock    *awake.Clock

	mu    sync.Mutex // guards inbox
	inbox []*Player  // new players, and players with a request

	conns sync.WaitGroup // of the players that have a goroutine of their own

	// Owned by run.
	players   []*Player
	fans      map[*Fan]int // players of each
	poll      *poller
	now       time.Time     // start of the pass; deadlines count from it
	passed    time.Time     // when the last pass began
	woken     time.Time     // when the first stream grew whose packets the next pass sends
	cost      time.Duration // of the last pass, by costOf
	pace      pace
	turnTimer *time.Timer // of takeTurn
	sends     int         // system calls of the pass
	bytes     int64       // that they moved
}

func (fl *flusher) wake() {
	select {
	case fl.wakeC <- struct{}{}:
	default:
	}
}

// poke makes the flusher serve p at once, between two passes.
func (fl *flusher) poke(p *Player) {
	fl.mu.Lock()
	if !p.queued {
		p.queued = true
		fl.inbox = append(fl.inbox, p)
	}
	fl.mu.Unlock()
	fl.hurry()
}

func (fl *flusher) hurry() {
	select {
	case fl.urgent <- struct{}{}:
	default:
	}
}

// slowTick is how often players with a full socket are checked when their stream
// is silent. Their deadlines are kept to within it.
const slowTick = 250 * time.Millisecond

func (fl *flusher) run() {
	defer fl.end()
	tick := time.NewTicker(slowTick)
	defer tick.Stop()
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	pending := false
	every := fl.schedule.every()
	for {
		wake := fl.wakeC
		if pending {
			wake = nil
		}
		select {
		case <-fl.stop:
			return
		case <-fl.urgent:
			fl.now = time.Now()
			if last := every; pending && last != fl.schedule.every() {
				timer.Reset(fl.pause(fl.now))
			}
			every = fl.schedule.every()
			fl.serveInbox()
		case <-wake:
			fl.woken = time.Now()
			if wait := fl.pause(fl.woken); wait > 0 {
				pending = true
				timer.Reset(wait)
				continue
			}
			fl.pass()
		case <-fl.step:
			if fl.pace != inStep {
				continue
			}
			select {
			case <-fl.wakeC:
				fl.woken, pending = time.Now(), true
			default:
			}
			if pending {
				pending = false
				timer.Stop()
				fl.pass()
			}
		case <-timer.C:
			pending = false
			fl.pass()
		case <-tick.C:
			fl.now = time.Now()
			fl.drain()
			fl.overdue()
		}
	}
}

// pass moves new packets of the streams into the logs and sends them to every player.
func (fl *flusher) pass() {
	if fl.takeTurn() {
		defer func() { <-fl.schedule.turn }()
	}
	last := fl.passed
	fl.now = time.Now()
	fl.passed = fl.now
	fl.sends, fl.bytes = 0, 0
	for f := range fl.fans {
		f.pull()
	}
	fl.drain()
	for _, p := range fl.players {
		if !p.full && !p.sink.serve() {
			p.quit = true
		}
	}
	if len(fl.players) > 0 {
		waited := time.Since(fl.woken)
		if fl.pace == inStep { // the packet may have been in the publisher's socket since the last pass
			waited = min(waited+fl.schedule.every(), time.Since(last))
		}
		fl.metrics.flush.Observe(waited.Seconds())
	}
	fl.noteCost(costOf(fl.sends, fl.bytes))
	fl.sweep()
}

// drain serves the players whose sockets have room again.
func (fl *flusher) drain() {
	fl.poll.ready(func(p *Player) {
		p.full = false
		if !p.sink.serve() {
			p.quit = true
		}
	})
}

func (fl *flusher) serveInbox() {
	fl.mu.Lock()
	inbox := fl.inbox
	fl.inbox = nil
	for _, p := range inbox {
		p.queued = false
	}
	fl.mu.Unlock()
	for _, p := range inbox {
		if p.quit {
			continue
		}
		if !p.known {
			p.known = true
			fl.players = append(fl.players, p)
			fl.fans[p.fan]++
		}
		if (!p.full || p.dead.Load()) && !p.sink.serve() {
			p.quit = true
		}
	}
	fl.sweep()
}

// overdue closes players that took nothing for their timeout, and moves lagging
// players to the newest keyframe.
func (fl *flusher) overdue() {
	for _, p := range fl.players {
		if !p.full {
			continue
		}
		if p.o.Timeout > 0 && fl.clock.Quiet(p.since, fl.now) > p.o.Timeout {
			p.fail(ErrStuck)
		} else {
			p.lag()
		}
	}
}

// sweep removes the players that have quit.
func (fl *flusher) sweep() {
	fl.players = slices.DeleteFunc(fl.players, func(p *Player) bool {
		if p.quit {
			fl.poll.remove(p)
			p.fan.forget(p)
			p.end()
			if fl.fans[p.fan]--; fl.fans[p.fan] == 0 {
				delete(fl.fans, p.fan)
			}
		}
		return p.quit
	})
	fl.updatePace()
}

func (fl *flusher) end() {
	fl.serveInbox()
	for _, p := range fl.players {
		p.fail(ErrClosed)
		p.quit = true
	}
	fl.conns.Wait()
	fl.sweep()
	fl.poll.close()
}
