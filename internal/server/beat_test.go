package server

import (
	"context"
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

// The players are served when every publisher that was let go has been read.
func TestABeatKnowsWhenAllHaveRead(t *testing.T) {
	t.Parallel()
	b := newBeat()
	numbers := make(chan uint64)
	wait := func(read uint64) {
		go func() { numbers <- b.wait(read) }()
	}
	waiting := func(n int) {
		t.Helper()
		for end := time.Now().Add(patience); ; {
			b.mu.Lock()
			is := b.waiting
			b.mu.Unlock()
			if is == n {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%d wait, want %d", is, n)
			}
			time.Sleep(time.Millisecond)
		}
	}
	wait(0)
	wait(0)
	waiting(2)
	<-b.kick
	waited, read := b.strike()
	first, second := <-numbers, <-numbers
	if waited != 2 || first != 1 || second != 1 {
		t.Fatalf("%d waited, and were let go by %d and %d", waited, first, second)
	}
	is := func() bool {
		select {
		case <-read:
			return true
		default:
			return false
		}
	}
	wait(0) // a newcomer
	wait(first)
	waiting(2)
	if is() {
		t.Error("one of two is back, and all have read")
	}
	wait(second)
	waiting(3)
	if !is() {
		t.Error("all are back, and not all have read")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for b.wanted(ctx) { // the kick of those three may come first
	}
	for range 3 {
		if n := <-numbers; n != 0 {
			t.Errorf("the end is beat %d", n)
		}
	}
	if n := b.wait(1); n != 0 {
		t.Errorf("beat %d after the end", n)
	}
}
