package fanout

import (
	"bytes"
	"fmt"
	"net"
	"testing"
	"time"
)

// newPacedFlusher returns a flusher with one player whose last pass had that cost.
func newPacedFlusher(m *schedule, cost time.Duration) *flusher {
	return &flusher{schedule: m, players: []*Player{{}}, cost: cost, turnTimer: time.NewTimer(time.Hour)}
}

func TestThePauseFollowsTheLoad(t *testing.T) {
	m := newSchedule(100 * time.Millisecond)
	fl := newPacedFlusher(m, 0)
	fl.passed = m.began
	last := time.Duration(-1)
	for _, cost := range []time.Duration{0, fullPass / 4, fullPass / 2, fullPass * 3 / 4, fullPass - 1} {
		fl.cost = cost
		fl.updatePace()
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
	m := newSchedule(100 * time.Millisecond)
	h := &Hub{schedule: m}
	a, b := newPacedFlusher(m, fullPass), newPacedFlusher(m, 2*fullPass)
	if h.InStep() {
		t.Error("in step before the first pass")
	}
	a.updatePace()
	b.updatePace()
	if !h.InStep() {
		t.Fatal("two flushers with full passes are not in step")
	}
	a.passed, b.passed = m.began.Add(130*time.Millisecond), m.began.Add(170*time.Millisecond)
	at := func(fl *flusher) time.Duration { return fl.passed.Add(fl.pause(fl.passed)).Sub(m.began) - m.stepTime() }
	if at(a) != 200*time.Millisecond || at(b) != 200*time.Millisecond {
		t.Errorf("passes of 130 and 170 ms are followed by %v and %v", at(a), at(b))
	}
	a.passed = m.began.Add(200*time.Millisecond + 500*time.Microsecond) // timers are late
	if at(a) != 300*time.Millisecond {
		t.Errorf("a pass of 200.5 ms is followed by %v", at(a))
	}
	if pause := a.pause(a.passed.Add(time.Second)); pause > m.stepTime() {
		t.Errorf("a stream that was silent for a second waits for %v", pause)
	}
	if d := h.UntilStep(); d <= 0 || d > m.every() {
		t.Errorf("the next step is in %v", d)
	}

	b.cost = fullPass - 1
	b.updatePace()
	if h.InStep() {
		t.Error("in step although a flusher has its own beat")
	}
	b.players = nil
	b.updatePace()
	if !h.InStep() {
		t.Error("a flusher without players counts")
	}
	b.players = a.players
	b.updatePace()
	if b.pace != quick {
		t.Error("what the players cost that have gone counts for the next one")
	}
	b.players = nil
	b.updatePace()
	a.players = nil
	a.updatePace()
	if h.InStep() || m.full.Load() != 0 || m.quick.Load() != 0 {
		t.Error("in step without players")
	}
}

// A publisher is not worth gathering for an interval of a few milliseconds.
func TestAShortIntervalHasNobodyInStep(t *testing.T) {
	m := newSchedule(minStep - 1)
	fl := newPacedFlusher(m, 10*fullPass)
	fl.updatePace()
	if (&Hub{schedule: m}).InStep() {
		t.Errorf("in step at %v", m.every())
	}
	if pause := fl.pause(fl.passed); pause != m.every() {
		t.Errorf("a full pass is followed by %v, want the interval", pause)
	}
}

// One after the other only while nobody waits long for it.
func TestFlushersPassInTurnWhileThereIsTime(t *testing.T) {
	m := newSchedule(100 * time.Millisecond)
	var all []*flusher
	for range 5 {
		fl := newPacedFlusher(m, quickTurns/5)
		fl.updatePace()
		all = append(all, fl)
	}
	turn := func(fl *flusher) bool {
		took := fl.takeTurn()
		if took {
			<-m.turn
		}
		return took
	}
	if !turn(all[0]) {
		t.Error("five short passes do not go in turn")
	}
	all[0].cost = quickTurns / 4
	if turn(all[0]) {
		t.Error("passes that take too long together go in turn")
	}
	for _, fl := range all {
		fl.cost = 6 * time.Millisecond
		fl.updatePace()
	}
	if !turn(all[0]) {
		t.Error("full passes that take less than a third of the interval together do not go in turn")
	}
	if !all[0].takeTurn() || all[1].takeTurn() { // as long as a keyframe takes to send
		t.Error("a flusher waits for one that does not end")
	}
	<-m.turn
	all[0].cost = 7 * time.Millisecond
	if turn(all[0]) {
		t.Error("full passes that take more than a third of the interval together go in turn")
	}
}

// A stream that is late does not take the others' players out of step.
func TestOneEmptyPassIsNoNewLoad(t *testing.T) {
	fl := newPacedFlusher(newSchedule(100*time.Millisecond), 3*fullPass)
	fl.updatePace()
	fl.noteCost(0)
	fl.updatePace()
	if fl.pace != inStep {
		t.Error("one empty pass ends the step")
	}
	for range 10 {
		fl.noteCost(0)
		fl.updatePace()
	}
	if fl.pace != quick {
		t.Error("eleven empty passes do not")
	}
}

// heavy is a sink that takes nothing and costs as much as a thousand players.
type heavy struct{ fl *flusher }

func (h heavy) serve() bool                                 { h.fl.sends += 1000; return true }
func (h heavy) send([]byte) (int, error)                    { return 0, nil }
func (h heavy) sendLog(*segment, int64, int64) (int, error) { return 0, nil }

// A player that waits for a long interval gets its frames at Step, and when the
// interval becomes shorter.
func TestAStepAndAShorterIntervalEndAWait(t *testing.T) {
	h := newRig(t)
	h.hub.SetInterval(time.Hour)
	for _, fl := range h.hub.flushers {
		conn, _ := net.Pipe()
		p := &Player{fan: h.fan, fl: fl, conn: conn, gone: make(chan struct{})}
		p.sink = heavy{fl}
		h.fan.mu.Lock()
		h.fan.players[p] = struct{}{}
		h.fan.mu.Unlock()
		fl.poke(p)
	}
	_, c, w := h.join(patient)
	for range 1000 {
		h.write(1, 100)
		if h.hub.InStep() {
			break
		}
		time.Sleep(time.Millisecond)
	}
	h.write(3, 100)
	last := fmt.Appendf(nil, "%08d", h.frame-1)
	if err := c.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := w.next()
		if err != nil {
			break
		}
		if bytes.Contains(m.body, last) {
			t.Fatal("it has its frames before the beat")
		}
	}
	h.hub.Step()
	frames(t, c, w, h.frame-1)
	h.write(3, 100)
	h.hub.SetInterval(time.Millisecond)
	frames(t, c, w, h.frame-1)
}
