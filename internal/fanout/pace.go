package fanout

import (
	"sync/atomic"
	"time"
)

// The cost of a pass is computed, not timed: on a machine that is busy with other
// work a short pass would take long, and a handful of players would be delayed as
// if they were thousands. The figures are for one core of 2.5 GHz.
const (
	sendCost   = 5 * time.Microsecond // a system call, both halves of TCP
	perMegByte = 300 * time.Microsecond

	// fullPass is the cost from which on a flusher passes once per interval.
	// Below it the pause shrinks with the cube of the cost: a hundred players
	// are served at once, thousands in batches.
	fullPass = 1200 * time.Microsecond
)

func costOf(sends int, bytes int64) time.Duration {
	return time.Duration(sends)*sendCost + time.Duration(bytes)*perMegByte/1e6
}

// quickTurns is how long players that are served at once may wait so that
// flushers pass one after the other.
const quickTurns = 2 * time.Millisecond

// minStep is the shortest interval at which flushers are in step: below,
// gathering a publisher's packets gains nothing.
const minStep = 20 * time.Millisecond

// A schedule says when flushers pass. Those with full passes pass together, once
// per interval, so that there is one moment by which the packets have to be there;
// packets that come earlier only wait. The packets should be fetched at multiples
// of the interval; Step says that they have been, and the flushers pass.
type schedule struct {
	began    time.Time    // the multiples are counted from here
	interval atomic.Int64 // ns; the longest pause between passes
	quick    atomic.Int32 // flushers with players that are not in step
	full     atomic.Int32 // flushers that are

	turn chan struct{} // has an item while a flusher passes that others wait for
}

func newSchedule(interval time.Duration) *schedule {
	s := &schedule{began: time.Now(), turn: make(chan struct{}, 1)}
	s.interval.Store(int64(interval))
	return s
}

func (s *schedule) every() time.Duration { return time.Duration(s.interval.Load()) }

// next returns the first multiple of the interval after t.
func (s *schedule) next(t time.Time) time.Time {
	interval := s.every()
	return s.began.Add((t.Sub(s.began)/interval + 1) * interval)
}

// takeTurn waits until no other flusher passes, if there is time for all flushers
// to pass one after the other at fl's cost. Flushers that pass at the same time
// contend for the pages that they all send: with two flushers that took a fifth
// more CPU for 500 players, and an eighth for 100. It waits no longer than the
// turns should take: a pass may send a keyframe. takeTurn reports whether the
// caller has the turn and must give it back.
func (fl *flusher) takeTurn() bool {
	s := fl.schedule
	limit := quickTurns
	switch fl.pace {
	case idle:
		return false
	case inStep:
		limit = s.every() / 3 // by computed cost: it takes half as long
	}
	if fl.cost*time.Duration(s.quick.Load()+s.full.Load()) > limit {
		return false
	}
	select {
	case s.turn <- struct{}{}:
		return true
	default:
	}
	fl.turnTimer.Reset(limit)
	defer fl.turnTimer.Stop()
	select {
	case s.turn <- struct{}{}:
		return true
	case <-fl.turnTimer.C:
		return false
	}
}

// InStep reports whether every RTMP player is served at the whole interval, so
// that nothing sends a packet before the next Step.
func (h *Hub) InStep() bool {
	return h.schedule.full.Load() > 0 && h.schedule.quick.Load() == 0
}

// UntilStep returns how long it is until the packets for the next pass in step
// should be fetched; more than 0.
func (h *Hub) UntilStep() time.Duration {
	now := time.Now()
	return h.schedule.next(now).Sub(now)
}

// StepTime returns how long after that moment the flushers in step wait for Step.
func (h *Hub) StepTime() time.Duration { return h.schedule.stepTime() }

func (s *schedule) stepTime() time.Duration { return s.every() / 5 }

// Step makes the flushers in step pass: their packets have been fetched.
func (h *Hub) Step() {
	for _, fl := range h.flushers {
		select {
		case fl.step <- struct{}{}:
		default:
		}
	}
}

// pace says when a flusher passes.
type pace uint8

const (
	idle   pace = iota // it has no players
	quick              // after its own pause
	inStep             // with the others
)

// updatePace sets the flusher's pace from the cost of its last pass.
func (fl *flusher) updatePace() {
	g := quick
	switch {
	case len(fl.players) == 0:
		g, fl.cost = idle, 0
	case fl.cost >= fullPass && fl.schedule.every() >= minStep:
		g = inStep
	}
	if g == fl.pace {
		return
	}
	count := [...]int32{quick: 0, inStep: 0}
	count[fl.pace]--
	count[g]++
	fl.pace = g
	fl.schedule.quick.Add(count[quick])
	fl.schedule.full.Add(count[inStep])
}

// pause returns how long after now the next pass may begin; in step, if Step is not
// called.
func (fl *flusher) pause(now time.Time) time.Duration {
	interval := fl.schedule.every()
	if fl.pace == inStep { // the moment of the last pass is over: it may have been early
		return max(fl.schedule.next(fl.passed.Add(interval/8)).Sub(now), 0) + fl.schedule.stepTime()
	}
	load := min(float64(fl.cost)/float64(fullPass), 1)
	return time.Duration(load*load*load*float64(interval)) - now.Sub(fl.passed)
}

// noteCost keeps the cost of a pass. In step the cost decays slowly: a pass may
// find a stream late and have next to nothing to send.
func (fl *flusher) noteCost(cost time.Duration) {
	if fl.pace == inStep {
		cost = max(cost, fl.cost*3/4)
	}
	fl.cost = cost
}
