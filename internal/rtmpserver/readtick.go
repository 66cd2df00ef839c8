package rtmpserver

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/internal/fanout"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A readTick gathers publishers whose packets have time: each is read once a tick
// instead of at every packet it sends. A wake-up costs more than what it reads.
// Measured with 300 publishers of 2.65 Mb/s: see docs/performance.md.
type readTick struct {
	mu      sync.Mutex
	next    chan struct{} // closed at the next tick
	number  uint64        // of the last one, from 1
	waiting int           // who let the last tick pass and waits for the next
	reading int           // who was let go by the last one and has not come back
	done    chan struct{} // closed when all have
	idle    bool          // nobody has waited since the last tick: the timer rests
	kick    chan struct{} // somebody waits again
	over    bool          // there are no more ticks
}

// readTicks are those of a server. Publishers that nobody watches over RTMP have one
// that is short while there are few of them and their cost is no matter, and
// slows down with each one more, up to a fifth of a second: HLS does not see the
// difference, nor does a recording. What is read at a tick is written to recordings and
// pushes at once, while it is in the processor's cache. Those that are
// watched have one while every player is served at the flush interval: then the
// players are served when the publishers have been read. Those whose stream has parts, of
// low latency, are read at once when the packet is about to come that completes a part, while
// they are few: with 300 of them that would be two thirds more CPU.
type readTicks struct {
	hub                *fanout.Hub
	length             atomic.Int64 // of the last tick of unwatched, in ns
	ofParts            atomic.Int64 // publishers of parts
	buffers            rtmp.Buffers // of those that are read now
	unwatched, watched *readTick
}

const (
	tickShortest  = 40 * time.Millisecond
	tickLongest   = 200 * time.Millisecond
	tickPublisher = 600 * time.Microsecond // longer for each publisher
	partsAgain    = 25                     // a second of the shortest
	partsAtOnce   = 32                     // publishers of parts that are read when one is due
)

func newReadTicks(hub *fanout.Hub) *readTicks {
	return &readTicks{hub: hub, unwatched: newReadTick(), watched: newReadTick()}
}

// reader is what paces the reading of st's publisher: wait returns at the next
// tick; false, at once, if packets are urgent. done is to be called when it is read no more.
func (b *readTicks) reader(st *origin.Stream) (wait func() bool, done func()) {
	var last uint64 // the watched tick that has been read at
	parts := partsPace{among: &b.ofParts}
	return func() bool {
		watched := st.Fan() != nil
		if watched && !b.hub.InStep() {
			st.Live().Unbatched()
			return false
		}
		st.Live().Flush() // all that was read has been written
		if left, due := parts.due(st.Live().Due()); due && !watched {
			sleep := untilDue(left, time.Duration(b.length.Load()))
			time.Sleep(sleep)
			return sleep > 0
		}
		if !watched {
			return b.unwatched.wait(0) > 0
		}
		last = b.watched.wait(last)
		return last > 0
	}, parts.end
}

// A partsPace knows whether a publisher is one of parts: what makes them does not say when the
// next one is due while it is at work.
type partsPace struct {
	among *atomic.Int64 // how many there are
	again int           // how often it is to be read as one without that being said
}

// due is how much media there is before a packet at which the publisher is to be read; false:
// it is read once a tick.
func (p *partsPace) due(left time.Duration, said bool) (time.Duration, bool) {
	few := p.among.Load() <= partsAtOnce
	switch {
	case said:
		if p.again == 0 {
			p.among.Add(1)
		}
		p.again = partsAgain + 1
	case p.again > 1:
		p.again--
		return 2 * tickShortest, few
	default:
		p.end()
	}
	return left, said && few
}

// end has it be none any more.
func (p *partsPace) end() {
	if p.again > 0 {
		p.among.Add(-1)
	}
	p.again = 0
}

// untilDue is how long a publisher can be left alone whose packet that completes a part has
// so much media before it; 0: it is to be read at once. It is read as often as others at
// least.
func untilDue(left, tick time.Duration) time.Duration {
	return min(max(left-tickShortest, 0), max(tick, tickShortest))
}

// run ticks until ctx ends, and from then on holds nobody.
func (b *readTicks) run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() {
		waited := 0
		for b.unwatched.wanted(ctx) {
			length := min(tickShortest+time.Duration(waited)*tickPublisher, tickLongest)
			b.length.Store(int64(length))
			time.Sleep(length)
			waited, _ = b.unwatched.strike()
		}
	})
	both.Go(func() {
		for b.watched.wanted(ctx) {
			wait := b.hub.UntilStep()
			time.Sleep(min(wait, tickLongest))
			_, read := b.watched.strike()
			if wait > tickLongest { // read more often than players are served
				continue
			}
			timeout := time.NewTimer(b.hub.StepTime())
			select {
			case <-read:
			case <-timeout.C:
			}
			timeout.Stop()
			b.hub.Step()
		}
	})
	both.Wait()
}

func newReadTick() *readTick {
	return &readTick{next: make(chan struct{}), kick: make(chan struct{}, 1), idle: true}
}

// wait returns at the next tick, with its number; read, if not 0, is the one
// that the caller has now done with. 0: there are no more ticks.
func (b *readTick) wait(read uint64) (number uint64) {
	b.mu.Lock()
	if b.over {
		b.mu.Unlock()
		return 0
	}
	if read == b.number && b.reading > 0 {
		if b.reading--; b.reading == 0 {
			close(b.done)
		}
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
	if b.over {
		return 0
	}
	return b.number
}

// wanted returns when somebody waits; false: ctx has ended, and the ticks with
// it.
func (b *readTick) wanted(ctx context.Context) bool {
	select {
	case <-b.kick:
		return true
	case <-ctx.Done():
	}
	b.mu.Lock()
	b.over = true
	b.mu.Unlock()
	b.strike()
	return false
}

// strike lets everybody go who waits, and says how many they were; read is
// closed when all of them wait again.
func (b *readTick) strike() (waited int, read <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.number++
	b.reading, b.waiting = b.waiting, 0
	b.done = make(chan struct{})
	close(b.next)
	b.next = make(chan struct{})
	b.idle = true
	return b.reading, b.done
}
