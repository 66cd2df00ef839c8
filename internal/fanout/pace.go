package fanout

import (
	"sync"
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

// A march is when flushers pass. Those whose passes are full pass together, at
// the multiples of the interval, so that there is one moment by which whatever
// they are to send has to be there: what comes earlier only waits.
type march struct {
	began    time.Time    // the multiples are counted from here
	interval atomic.Int64 // ns; the slowest beat
	quick    atomic.Int32 // flushers with players that are not in step
	full     atomic.Int32 // flushers that are

	turn sync.Mutex // held in a pass while there is time for all in turn
}

func (m *march) every() time.Duration { return time.Duration(m.interval.Load()) }

// next is the moment of the flushers in step that follows t.
func (m *march) next(t time.Time) time.Time {
	interval := m.every()
	return m.began.Add((t.Sub(m.began)/interval + 1) * interval)
}

// inTurn reports whether there is time for the flushers to pass one after the
// other, each at fl's cost. At the same time they fight over the pages that they
// all send: with two flushers that took a fifth more CPU for 500 players, and an
// eighth for 100.
func (fl *flusher) inTurn() bool {
	flushers := fl.march.quick.Load() + fl.march.full.Load()
	limit := quickTurns
	if fl.gait == inStep {
		limit = fl.march.every() / 5
	}
	return fl.cost*time.Duration(flushers) <= limit
}

// InStep reports whether every RTMP player is served at the whole interval, so
// that nothing sends a packet before UntilPass is over.
func (h *Hub) InStep() bool {
	return h.march.full.Load() > 0 && h.march.quick.Load() == 0
}

// UntilPass is how long it is until the flushers in step pass, less lead; more
// than 0.
func (h *Hub) UntilPass(lead time.Duration) time.Duration {
	now := time.Now()
	return h.march.next(now.Add(lead)).Sub(now) - lead
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
		g = still
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

// pause is how long after now the next pass may begin.
func (fl *flusher) pause(now time.Time) time.Duration {
	interval := fl.march.every()
	if fl.gait == inStep {
		return fl.march.next(fl.passed.Add(interval / 2)).Sub(now)
	}
	load := min(float64(fl.cost)/float64(fullPass), 1)
	return time.Duration(load*load*load*float64(interval)) - now.Sub(fl.passed)
}
