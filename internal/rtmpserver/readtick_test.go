package rtmpserver

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// The players are served when every publisher that was let go has been read.
func TestATickKnowsWhenAllHaveRead(t *testing.T) {
	t.Parallel()
	b := newReadTick()
	numbers := make(chan uint64)
	wait := func(read uint64) {
		go func() { numbers <- b.wait(read) }()
	}
	waiting := func(n int) {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); ; {
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
			t.Errorf("the end is tick %d", n)
		}
	}
	if n := b.wait(1); n != 0 {
		t.Errorf("tick %d after the end", n)
	}
}

// A publisher of parts is left alone until the packet is about to come that completes one.
func TestAPublisherOfPartsIsReadWhenOneIsComplete(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, c := range []struct{ left, tick, want time.Duration }{
		{200 * ms, 0, 40 * ms},
		{200 * ms, 40 * ms, 40 * ms},
		{200 * ms, 200 * ms, 160 * ms}, // as many publishers as may be
		{60 * ms, 40 * ms, 20 * ms},
		{33 * ms, 40 * ms, 0},
		{-5 * ms, 200 * ms, 0},
		{time.Hour, 100 * ms, 100 * ms}, // its timestamps have jumped
	} {
		if got := untilDue(c.left, c.tick); got != c.want {
			t.Errorf("%v before the part is complete, with a tick of %v: %v, want %v", c.left, c.tick, got, c.want)
		}
	}
}

// While what makes parts is at work a publisher stays one of parts; when there is nothing that
// makes them any more, it does not.
func TestAPublisherOfPartsIsOneForASecond(t *testing.T) {
	t.Parallel()
	var all atomic.Int64
	p := partsPace{among: &all}
	if _, due := p.due(0, false); due {
		t.Error("it is one of parts before any was asked for")
	}
	for range 2 {
		if left, due := p.due(time.Minute, true); !due || left != time.Minute {
			t.Errorf("said to be due in a minute: %v, %v", left, due)
		}
		for i := range partsAgain {
			if left, due := p.due(0, false); !due || left != 2*tickShortest || all.Load() != 1 {
				t.Fatalf("not said for the %d. time: %v, %v", i+1, left, due)
			}
		}
		if _, due := p.due(0, false); due {
			t.Error("nobody has asked for a part for a second")
		}
		if n := all.Load(); n != 0 {
			t.Errorf("%d are of parts", n)
		}
	}
	p.due(time.Minute, true)
	all.Add(partsAtOnce - 1)
	if _, due := p.due(time.Minute, true); !due {
		t.Error("with so many it is not read when a part is due")
	}
	all.Add(1)
	if _, due := p.due(time.Minute, true); due {
		t.Error("with one more it is read when a part is due")
	}
	if _, due := p.due(0, false); due {
		t.Error("with one more it is read often")
	}
	all.Store(1)
	p.end()
	p.end()
	if n := all.Load(); n != 0 {
		t.Errorf("after its end %d are of parts", n)
	}
}
