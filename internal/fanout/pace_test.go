package fanout

import (
	"testing"
	"time"
)

// walker is a flusher with one player whose last pass cost so much.
func walker(m *march, cost time.Duration) *flusher {
	return &flusher{march: m, players: []*Player{{}}, cost: cost}
}

func TestTheBeatFollowsTheLoad(t *testing.T) {
	m := &march{began: time.Now()}
	m.interval.Store(int64(100 * time.Millisecond))
	fl := walker(m, 0)
	fl.passed = m.began
	last := time.Duration(-1)
	for _, cost := range []time.Duration{0, fullPass / 4, fullPass / 2, fullPass * 3 / 4, fullPass - 1} {
		fl.cost = cost
		fl.walk()
		pause := fl.pause(fl.passed)
		if pause <= last && cost > 0 || pause > m.every() {
			t.Errorf("a pass of %v is followed by a pause of %v, a cheaper one by %v", cost, pause, last)
		}
		last = pause
	}
	fl.cost = fullPass / 4
	if pause := fl.pause(fl.passed); pause > 2*time.Millisecond {
		t.Errorf("a quarter of a full pass is followed by %v", pause)
	}
}

// Flushers whose passes are full pass at the same moments, whenever they began.
func TestFlushersWithFullPassesAreInStep(t *testing.T) {
	m := &march{began: time.Now()}
	m.interval.Store(int64(100 * time.Millisecond))
	h := &Hub{march: m}
	a, b := walker(m, fullPass), walker(m, 2*fullPass)
	if h.InStep() {
		t.Error("in step before the first pass")
	}
	a.walk()
	b.walk()
	if !h.InStep() {
		t.Fatal("two flushers with full passes are not in step")
	}
	a.passed, b.passed = m.began.Add(130*time.Millisecond), m.began.Add(170*time.Millisecond)
	at := func(fl *flusher) time.Duration { return fl.passed.Add(fl.pause(fl.passed)).Sub(m.began) }
	if at(a) != 200*time.Millisecond || at(b) != 300*time.Millisecond {
		t.Errorf("passes of 130 and 170 ms are followed by %v and %v, want the next multiple of the interval that is half of one away", at(a), at(b))
	}
	a.passed = m.began.Add(200*time.Millisecond + 500*time.Microsecond) // timers are late
	if at(a) != at(b) {
		t.Errorf("the next passes are at %v and %v", at(a), at(b))
	}
	if pause := a.pause(a.passed.Add(time.Second)); pause > 0 {
		t.Errorf("a stream that was silent for a second waits for %v", pause)
	}
	for lead := range 5 {
		lead := time.Duration(lead) * 10 * time.Millisecond
		if d := h.UntilPass(lead); d <= 0 || d > m.every() {
			t.Errorf("%v before the next pass is in %v", lead, d)
		}
	}

	b.cost = fullPass - 1
	b.walk()
	if h.InStep() {
		t.Error("in step although a flusher has its own beat")
	}
	b.players = nil
	b.walk()
	if !h.InStep() {
		t.Error("a flusher without players counts")
	}
	a.players = nil
	a.walk()
	if h.InStep() || m.full.Load() != 0 || m.quick.Load() != 0 {
		t.Error("in step without players")
	}
}

// A publisher is not worth gathering for an interval of a few milliseconds.
func TestAShortIntervalHasNobodyInStep(t *testing.T) {
	m := &march{began: time.Now()}
	m.interval.Store(int64(minStep - 1))
	fl := walker(m, 10*fullPass)
	fl.walk()
	if (&Hub{march: m}).InStep() {
		t.Errorf("in step at %v", m.every())
	}
	if pause := fl.pause(fl.passed); pause != m.every() {
		t.Errorf("a full pass is followed by %v, want the interval", pause)
	}
}

// One after the other only while nobody waits long for it.
func TestFlushersPassInTurnWhileThereIsTime(t *testing.T) {
	m := &march{began: time.Now()}
	m.interval.Store(int64(100 * time.Millisecond))
	var all []*flusher
	add := func(n int, cost time.Duration) {
		for range n {
			fl := walker(m, cost)
			fl.walk()
			all = append(all, fl)
		}
	}
	add(4, quickTurns/4)
	if !all[0].inTurn() {
		t.Error("four short passes do not go in turn")
	}
	add(1, quickTurns/4)
	if all[0].inTurn() {
		t.Errorf("five passes of %v go in turn", quickTurns/4)
	}
	for _, fl := range all {
		fl.cost = 4 * time.Millisecond
		fl.walk()
	}
	if !all[0].inTurn() {
		t.Error("full passes that take a fifth of the interval together do not go in turn")
	}
	all[0].cost = 5 * time.Millisecond
	if all[0].inTurn() {
		t.Error("full passes that take a quarter of the interval go in turn")
	}
}
