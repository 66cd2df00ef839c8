package server

import (
	"context"
	"sync"
	"time"

	"github.com/rtmpd/rtmpd/internal/fanout"
)

// A beat gathers publishers whose packets have time: each is read once a beat
// instead of at every packet it sends. A wake-up costs more than what it reads.
// Measured with 300 publishers of 2.65 Mb/s: see bench/RESULTS.md.
type beat struct {
	// pause is how long it is until the beat that somebody has begun to wait
	// for; waited is how many waited for the last one.
	pause func(waited int) time.Duration

	mu      sync.Mutex
	next    chan struct{} // closed at the next beat
	waiting int           // who let the last beat pass and waits for the next
	idle    bool          // nobody has waited since the last beat: the ticker rests
	kick    chan struct{} // somebody waits again
}

// beats are those of a server. Publishers that nobody watches over RTMP have one
// that is short while there are few of them and their cost is no matter, and
// slows down with each one more: HLS does not see the difference. Those that are
// watched have one while every player is served at the flush interval: just
// before the players are.
type beats struct {
	hub                *fanout.Hub
	unwatched, watched *beat
}

const (
	beatShortest  = 40 * time.Millisecond
	beatLongest   = 100 * time.Millisecond
	beatPublisher = 600 * time.Microsecond // longer for each publisher

	// What reading takes at most, so that it is done when the players' turn
	// comes: timers are a millisecond late.
	beatLead       = 3 * time.Millisecond
	beatLeadLonger = 10 * time.Microsecond // for each publisher
)

func newBeats(hub *fanout.Hub) *beats {
	return &beats{
		hub: hub,
		unwatched: newBeat(func(waited int) time.Duration {
			return min(beatShortest+time.Duration(waited)*beatPublisher, beatLongest)
		}),
		watched: newBeat(func(waited int) time.Duration {
			lead := min(beatLead+time.Duration(waited)*beatLeadLonger, hub.Interval()/2)
			return min(hub.UntilPass(lead), beatLongest)
		}),
	}
}

// wait returns at the next beat of st's publisher; false, at once, if its
// packets are urgent.
func (b *beats) wait(st *stream) bool {
	switch {
	case st.fan.Load() == nil:
		b.unwatched.wait()
	case b.hub.InStep():
		b.watched.wait()
	default:
		return false
	}
	return true
}

// run beats until ctx ends, and from then on holds nobody.
func (b *beats) run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { b.unwatched.run(ctx) })
	both.Go(func() { b.watched.run(ctx) })
	both.Wait()
}

func newBeat(pause func(waited int) time.Duration) *beat {
	return &beat{pause: pause, next: make(chan struct{}), kick: make(chan struct{}, 1), idle: true}
}

// wait returns at the next beat.
func (b *beat) wait() {
	b.mu.Lock()
	next := b.next
	b.waiting++
	if b.idle {
		b.idle = false
		b.kick <- struct{}{} // has room: idle is set only after it was taken
	}
	b.mu.Unlock()
	<-next
}

func (b *beat) run(ctx context.Context) {
	waited := 0
	for {
		select {
		case <-ctx.Done():
			b.strike(true)
			return
		case <-b.kick:
		}
		time.Sleep(b.pause(waited))
		waited = b.strike(false)
	}
}

// strike lets everybody go who waits, and says how many they were.
func (b *beat) strike(last bool) (waited int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.next)
	waited, b.waiting = b.waiting, 0
	if last {
		return waited // next stays closed
	}
	b.next = make(chan struct{})
	b.idle = true
	return waited
}
