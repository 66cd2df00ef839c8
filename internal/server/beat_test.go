package server

import (
	"runtime"
	"testing"
	"time"
)

// So many players that they are served at the flush interval have their
// publisher read once an interval, too, and get every frame of it; when few are
// left, they have it as it comes. It does not run beside other tests: the number
// of flushers is the process's.
func TestAPublisherIsReadAtTheBeatOfItsPlayers(t *testing.T) {
	cores := runtime.GOMAXPROCS(1) // one flusher, which all the players are on
	r := newRig(t)
	runtime.GOMAXPROCS(cores)
	r.cfg = r.load(liveWith(""))
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	p := r.publish("live", "cam")
	p.seconds(1.2)
	crowd := make([]*spectator, 260)
	for i := range crowd {
		crowd[i] = r.spectate("live", "cam", dialling{})
	}
	fan := r.fanOf("live", "cam", len(crowd))
	gathered := r.srv.beats.reader(r.stream("live", "cam"))
	begin := p.frames - 1 // the keyframe that they all begin at
	for !isKeyframe(card().frames[begin]) {
		begin--
	}
	all := func() {
		t.Helper()
		for i, s := range crowd {
			r.eventually("everyone has the last frame", func() bool { return len(s.frames()) >= p.frames-begin })
			if n := len(s.frames()); n != p.frames-begin {
				t.Fatalf("player %d has %d frames, %d were sent", i, n, p.frames-begin)
			}
		}
	}
	all()
	r.eventually("the players are served at the flush interval", func() bool {
		p.seconds(0.2)
		return gathered()
	})
	p.seconds(2)
	all()

	for _, s := range crowd[20:] {
		s.Close()
	}
	crowd = crowd[:20]
	r.eventually("most have gone", func() bool { return fan.Players() == len(crowd) })
	r.eventually("the few are served as it comes", func() bool {
		p.seconds(0.1)
		return !gathered()
	})
	all()
}

// A beat learns how long reading takes, and forgets it slowly.
func TestABeatLeavesTimeForReading(t *testing.T) {
	t.Parallel()
	b := newBeat(func(*beat) time.Duration { return time.Hour })
	let := func(read time.Time) time.Time { // one publisher, one beat
		t.Helper()
		got := make(chan time.Time)
		go func() {
			due, ok := b.wait(read)
			if !ok {
				t.Error("there are no more beats")
			}
			got <- due
		}()
		<-b.kick
		b.strike(time.Now(), false)
		return <-got
	}
	due := let(time.Time{})
	if b.took != 0 {
		t.Errorf("reading took %v before anybody read", b.took)
	}
	let(due.Add(-32 * time.Millisecond))
	if b.took < 30*time.Millisecond {
		t.Errorf("reading took 32 ms and counts as %v", b.took)
	}
	slow := b.took
	for range 40 {
		due = let(time.Time{})
	}
	if b.took > slow/8 {
		t.Errorf("%v after 40 beats that nobody was slow at", b.took)
	}
	b.strike(time.Now(), true)
	if _, ok := b.wait(due); ok {
		t.Error("there are beats after the last")
	}
}
