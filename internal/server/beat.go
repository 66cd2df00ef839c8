package server

import (
	"context"
	"sync"
	"time"
)

// A beat gathers the publishers that nobody watches over RTMP: each is read
// once a beat instead of at every packet it sends. A wake-up costs more than
// what it reads, and HLS does not see the difference. Measured with 300
// publishers of 2.65 Mb/s: see bench/RESULTS.md.
type beat struct {
	mu      sync.Mutex
	next    chan struct{} // closed at the next beat
	waiting int           // who let the last beat pass and waits for the next
	idle    bool          // nobody has waited since the last beat: the ticker rests
	kick    chan struct{} // somebody waits again
}

// The beat is short while there are few publishers and their cost is no matter,
// and slows down with each one more.
const (
	beatShortest  = 40 * time.Millisecond
	beatLongest   = 100 * time.Millisecond
	beatPublisher = 600 * time.Microsecond // longer for each publisher
)

func newBeat() *beat {
	return &beat{next: make(chan struct{}), kick: make(chan struct{}, 1), idle: true}
}

// wait returns at the next beat; false, at once, if st has RTMP players.
func (b *beat) wait(st *stream) bool {
	if st.fan.Load() != nil {
		return false
	}
	b.mu.Lock()
	next := b.next
	b.waiting++
	if b.idle {
		b.idle = false
		b.kick <- struct{}{} // has room: idle is set only after it was taken
	}
	b.mu.Unlock()
	<-next
	return true
}

// run beats until ctx ends, and from then on holds nobody.
func (b *beat) run(ctx context.Context) {
	interval := beatShortest
	for {
		select {
		case <-ctx.Done():
			b.strike(true)
			return
		case <-b.kick:
		}
		time.Sleep(interval)
		interval = min(beatShortest+time.Duration(b.strike(false))*beatPublisher, beatLongest)
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
