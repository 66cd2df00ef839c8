// Package awake knows when this process was away: stopped by a signal, frozen
// with its container, on a machine that was paused or moved. Timers that have run
// out meanwhile say nothing about the peers they watch: what those sent lies in
// the sockets. So after such a gap every timer begins anew.
//
// A Clock beats twice a second. A beat that is late by seconds is a gap, noticed
// by the next beat or by whoever asks before it, whichever runs first. All times
// are monotonic: a wall clock that is set is no gap.
//
// A nil *Clock is never away.
package awake

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	beatEvery = 500 * time.Millisecond
	// late is how much later than it should a beat comes after a gap. A busy
	// machine delays it by less.
	late = 2 * time.Second
)

// A Clock tells time in which the process ran from time in which it did not. Its
// methods may be called from any goroutine.
type Clock struct {
	start time.Time
	// Times since start in ns.
	beat     atomic.Int64 // the last beat; 0: Run does not run
	left     atomic.Int64 // when the last gap began
	woke     atomic.Int64 // when it ended; 0: there was none
	reported atomic.Int64 // the woke that Run has told of
}

// New makes a Clock that notices nothing until Run.
func New() *Clock { return &Clock{start: time.Now().Add(-1)} }

// Run beats until ctx ends. It tells gap how long each gap was.
func (c *Clock) Run(ctx context.Context, gap func(time.Duration)) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	defer c.beat.Store(0)
	for {
		c.notice()
		if woke := c.woke.Load(); woke != c.reported.Swap(woke) {
			gap(time.Duration(woke - c.left.Load()))
		}
		c.beat.Store(c.now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// now is never 0.
func (c *Clock) now() int64 { return int64(time.Since(c.start)) }

// notice finds out that the process was away until now.
func (c *Clock) notice() {
	last, now := c.beat.Load(), c.now()
	if last == 0 || now-last < int64(beatEvery+late) {
		return
	}
	// Before the beat: who finds it renewed must find these as well.
	c.left.Store(last)
	c.woke.Store(now)
	c.beat.CompareAndSwap(last, now)
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

// Quiet is how long at now it is since t, or since the last gap ended if that is
// less.
func (c *Clock) Quiet(t, now time.Time) time.Duration {
	if _, woke := c.Gap(); woke.After(t) {
		t = woke
	}
	return max(now.Sub(t), 0)
}

// Since is Quiet for the present moment.
func (c *Clock) Since(t time.Time) time.Duration { return c.Quiet(t, time.Now()) }
