package fanout

import (
	"sync/atomic"
	"time"
)

// What a pass costs is reckoned, not timed: a machine that is busy with other
// things would make a short pass look long, and delay a handful of players as
// if they were thousands. The figures are for one core of 2.5 GHz.
const (
	sendCost   = 5 * time.Microsecond // a system call, both halves of TCP
	perMegByte = 300 * time.Microsecond

	// fullPass is the cost at and above which the beat is the whole interval:
	// below, it shrinks with the cube, so that a hundred players hear at
	// once and thousands in batches.
	fullPass = 1200 * time.Microsecond
)

func costOf(sends int, bytes int64) time.Duration {
	return time.Duration(sends)*sendCost + time.Duration(bytes)*perMegByte/1e6
}

// quickTurns is how long players may wait that are to hear at once, so that
// flushers pass in turn.
const quickTurns = 2 * time.Millisecond

// minStep is the shortest interval at which flushers are in step: below,
// gathering a publisher's packets gains nothing.
const minStep = 20 * time.Millisecond

// A march is when flushers pass. Those whose passes are full pass together, once
// an interval, so that there is one moment by which whatever they are to send has
// to be there: what comes earlier only waits. The interval's multiples are when
// it should be fetched; Step says that it has been, and they pass.
type march struct {
	began    time.Time    // the multiples are counted from here
	interval atomic.Int64 // ns; the slowest beat
	quick    atomic.Int32 // flushers with players that are not in step
	full     atomic.Int32 // flushers that are

	turn chan struct{} // has an item while a flusher passes that others wait for
}

func newMarch(interval time.Duration) *march {
	m := &march{began: time.Now(), turn: make(chan struct{}, 1)}
	m.interval.Store(int64(interval))
	return m
}

func (m *march) every() time.Duration { return time.Duration(m.interval.Load()) }

// next is the moment of the flushers in step that follows t.
func (m *march) next(t time.Time) time.Time {
	interval := m.every()
	return m.began.Add((t.Sub(m.began)/interval + 1) * interval)
}

// takeTurn waits, while there is time for the flushers to pass one after the
// other at fl's cost, until no other passes. At the same time they fight over the
// pages that they all send: with two flushers that took a fifth more CPU for 500
// players, and an eighth for 100. It does not wait longer than the turns should
// take: a pass may be a keyframe's. The caller gives the turn back if it has got
// one.
func (fl *flusher) takeTurn() bool {
	m := fl.march
	limit := quickTurns
	switch fl.gait {
	case still:
		return false
	case inStep:
		limit = m.every() / 3 // reckoned: it takes half as long
	}
	if fl.cost*time.Duration(m.quick.Load()+m.full.Load()) > limit {
		return false
	}
	select {
	case m.turn <- struct{}{}:
		return true
	default:
	}
	fl.patience.Reset(limit)
	defer fl.patience.Stop()
	select {
	case m.turn <- struct{}{}:
		return true
	case <-fl.patience.C:
		return false
	}
}

// InStep reports whether every RTMP player is served at the whole interval, so
// that nothing sends a packet before the next Step.
func (h *Hub) InStep() bool {
	return h.march.full.Load() > 0 && h.march.quick.Load() == 0
}

// UntilStep is how long it is until the moment at which the packets should be
// fetched that the flushers in step are to send; more than 0.
func (h *Hub) UntilStep() time.Duration {
	now := time.Now()
	return h.march.next(now).Sub(now)
}

// StepTime is how long after that moment the flushers in step wait for Step at
// most.
func (h *Hub) StepTime() time.Duration { return h.march.stepTime() }

func (m *march) stepTime() time.Duration { return m.every() / 5 }

// Step has the flushers in step pass: their packets have been fetched.
func (h *Hub) Step() {
	for _, fl := range h.flushers {
		select {
		case fl.step <- struct{}{}:
		default:
		}
	}
}

// gait is how a flusher passes.
type gait uint8

const (
	still  gait = iota // it has no players
	quick              // at its own beat
	inStep             // with the others
)

// walk notes the flusher's gait by its last pass.
func (fl *flusher) walk() {
	g := quick
	switch {
	case len(fl.players) == 0:
		g, fl.cost = still, 0
	case fl.cost >= fullPass && fl.march.every() >= minStep:
		g = inStep
	}
	if g == fl.gait {
		return
	}
	count := [...]int32{quick: 0, inStep: 0}
	count[fl.gait]--
	count[g]++
	fl.gait = g
	fl.march.quick.Add(count[quick])
	fl.march.full.Add(count[inStep])
}

// pause is how long after now the next pass may begin; in step, without Step.
func (fl *flusher) pause(now time.Time) time.Duration {
	interval := fl.march.every()
	if fl.gait == inStep { // the moment of the last pass is over: it may have been early
		return max(fl.march.next(fl.passed.Add(interval/8)).Sub(now), 0) + fl.march.stepTime()
	}
	load := min(float64(fl.cost)/float64(fullPass), 1)
	return time.Duration(load*load*load*float64(interval)) - now.Sub(fl.passed)
}

// reckon notes what a pass cost. In step it is forgotten slowly: a pass may find
// one stream late and have next to nothing to send.
func (fl *flusher) reckon(cost time.Duration) {
	if fl.gait == inStep {
		cost = max(cost, fl.cost*3/4)
	}
	fl.cost = cost
}
