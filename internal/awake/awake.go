// Package awake detects gaps in which this process did not run: stopped by a signal,
// frozen with its container, or on a machine that was paused or migrated. A timeout
// that expires in a gap says nothing about the peer, whose data waits in the socket.
// Therefore the timers of this package start anew after a gap.
//
// A Clock ticks twice a second. A tick that is seconds late is a gap. The next tick
// or the next query detects it, whichever comes first. All times are monotonic:
// setting the wall clock makes no gap.
//
// A nil *Clock never has a gap.
package awake

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	tickEvery = 500 * time.Millisecond
	// late is the delay of a tick from which it is a gap. A busy machine delays ticks
	// by less.
	late = 2 * time.Second
)

// A Clock measures time without the gaps in which the process did not run. Its
// methods may be called from any goroutine.
type Clock struct {
	start time.Time
	// Times since start in ns.
	lastTick atomic.Int64 // the last tick; 0: Run does not run
	left     atomic.Int64 // when the last gap began
	woke     atomic.Int64 // when it ended; 0: there was none
	reported atomic.Int64 // the value of woke that Run reported last
}

// New returns a Clock. It detects gaps only while Run runs.
func New() *Clock { return &Clock{start: time.Now().Add(-1)} }

// Run ticks until ctx ends. It calls gap with the length of each gap.
func (c *Clock) Run(ctx context.Context, gap func(time.Duration)) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	defer c.lastTick.Store(0)
	for {
		c.notice()
		if woke := c.woke.Load(); woke != c.reported.Swap(woke) {
			gap(time.Duration(woke - c.left.Load()))
		}
		c.lastTick.Store(c.now())
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// now is never 0.
func (c *Clock) now() int64 { return int64(time.Since(c.start)) }

// notice detects a gap that ends now.
func (c *Clock) notice() {
	last, now := c.lastTick.Load(), c.now()
	if last == 0 || now-last < int64(tickEvery+late) {
		return
	}
	// Stored before lastTick: a goroutine that sees the new tick must see these, too.
	c.left.Store(last)
	c.woke.Store(now)
	c.lastTick.CompareAndSwap(last, now)
}

// Gap returns when the last gap began and ended; zero times: there was none.
func (c *Clock) Gap() (left, woke time.Time) {
	if c == nil {
		return time.Time{}, time.Time{}
	}
	c.notice()
	at := c.woke.Load()
	if at == 0 {
		return time.Time{}, time.Time{}
	}
	return c.start.Add(time.Duration(c.left.Load())), c.start.Add(time.Duration(at))
}

// Quiet returns the time from t, or from the end of the last gap if that is later, to
// now.
func (c *Clock) Quiet(t, now time.Time) time.Duration {
	if _, woke := c.Gap(); woke.After(t) {
		t = woke
	}
	return max(now.Sub(t), 0)
}

// Since is Quiet until the present moment.
func (c *Clock) Since(t time.Time) time.Duration { return c.Quiet(t, time.Now()) }
