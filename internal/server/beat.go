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
	pause func(*beat) time.Duration // how long it is until the beat that somebody has begun to wait for

	mu      sync.Mutex
	next    chan struct{} // closed at the next beat
	due     time.Time     // when the last beat was to be
	waiting int           // who let the last beat pass and waits for the next
	waited  int           // who waited for the last one
	took    time.Duration // by when the slowest have read after a beat is due; what is long ago counts less
	idle    bool          // nobody has waited since the last beat: the ticker rests
	kick    chan struct{} // somebody waits again
	over    bool          // there are no more beats
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

	// beatLead is how much sooner than the players' turn their publishers are
	// read, beyond what reading takes.
	beatLead = 2 * time.Millisecond
)

func newBeats(hub *fanout.Hub) *beats {
	return &beats{
		hub: hub,
		unwatched: newBeat(func(b *beat) time.Duration {
			return min(beatShortest+time.Duration(b.waited)*beatPublisher, beatLongest)
		}),
		watched: newBeat(func(b *beat) time.Duration {
			return min(hub.UntilPass(min(beatLead+b.took*5/4, hub.Interval()/2)), beatLongest)
		}),
	}
}

// reader is what paces the reading of st's publisher: it returns at the next
// beat; false, at once, if packets are urgent.
func (b *beats) reader(st *stream) func() bool {
	var due time.Time // of the watched beat that has been read at, and not yet reported
	return func() bool {
		if st.fan.Load() == nil {
			_, ok := b.unwatched.wait(time.Time{})
			return ok
		}
		if !b.hub.InStep() {
			due = time.Time{}
			return false
		}
		var ok bool
		due, ok = b.watched.wait(due)
		return ok
	}
}

// run beats until ctx ends, and from then on holds nobody.
func (b *beats) run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { b.unwatched.run(ctx) })
	both.Go(func() { b.watched.run(ctx) })
	both.Wait()
}

func newBeat(pause func(*beat) time.Duration) *beat {
	return &beat{pause: pause, next: make(chan struct{}), kick: make(chan struct{}, 1), idle: true}
}

// wait returns at the next beat, with when that was to be; read, if not zero, is
// the one that the caller has now done with. It reports false when there are no
// more beats.
func (b *beat) wait(read time.Time) (due time.Time, ok bool) {
	b.mu.Lock()
	if b.over {
		b.mu.Unlock()
		return time.Time{}, false
	}
	if !read.IsZero() {
		b.took = max(b.took, time.Since(read))
	}
	next := b.next
	b.waiting++
	if b.idle {
		b.idle = false
		b.kick <- struct{}{} // has room: idle is set only after it was taken
	}
	b.mu.Unlock()
	<-next
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.due, !b.over
}

func (b *beat) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			b.strike(time.Now(), true)
			return
		case <-b.kick:
		}
		b.mu.Lock()
		pause := b.pause(b)
		b.mu.Unlock()
		due := time.Now().Add(pause)
		time.Sleep(pause)
		b.strike(due, false)
	}
}

// strike lets everybody go who waits.
func (b *beat) strike(due time.Time, last bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.next)
	b.due = due
	b.waited, b.waiting = b.waiting, 0
	b.took -= b.took / 16
	if last {
		b.over = true // next stays closed
		return
	}
	b.next = make(chan struct{})
	b.idle = true
}
