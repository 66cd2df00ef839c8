package awake

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// away simulates a gap of d, as after a SIGSTOP. Call it between two ticks.
func (c *Clock) away(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
	c.lastTick.Store(c.now() - int64(d))
}

// running runs f in a bubble with a running clock, and returns the reported gaps.
func running(t *testing.T, f func(t *testing.T, c *Clock)) (gaps []time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := New()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.Run(ctx, func(d time.Duration) { gaps = append(gaps, d) })
		}()
		time.Sleep(tickEvery / 2)
		f(t, c)
		time.Sleep(tickEvery)
		cancel()
		<-done
	})
	return gaps
}

func TestTimeInWhichTheProcessDidNotRunDoesNotCount(t *testing.T) {
	t.Parallel()
	gaps := running(t, func(t *testing.T, c *Clock) {
		begin := time.Now()
		time.Sleep(10 * time.Second)
		if got := c.Since(begin); got != 10*time.Second {
			t.Errorf("%v since the beginning, want 10s", got)
		}
		c.away(35 * time.Second)
		if got := c.Since(begin); got != 0 {
			t.Errorf("%v right after a gap, want 0", got)
		}
		left, woke := c.Gap()
		if got := woke.Sub(left); got != 35*time.Second {
			t.Errorf("a gap of %v", got)
		}
		time.Sleep(3 * time.Second)
		if got := c.Since(begin); got != 3*time.Second {
			t.Errorf("%v since the gap, want 3s", got)
		}
		if got := c.Since(time.Now()); got != 0 {
			t.Errorf("%v since now", got)
		}
	})
	if !slices.Equal(gaps, []time.Duration{35 * time.Second}) {
		t.Errorf("told of %v", gaps)
	}
}

func TestABusyMachineIsNoGap(t *testing.T) {
	t.Parallel()
	gaps := running(t, func(t *testing.T, c *Clock) {
		begin := time.Now()
		c.away(2 * time.Second)
		if got := c.Since(begin); got != 2*time.Second {
			t.Errorf("%v, want 2s", got)
		}
	})
	if len(gaps) != 0 {
		t.Errorf("told of %v", gaps)
	}
}

func TestTimersBeginAnewAfterAGap(t *testing.T) {
	t.Parallel()
	running(t, func(t *testing.T, c *Clock) {
		begin := time.Now()
		var fired, stopped atomic.Int64
		c.AfterFunc(30*time.Second, func() { fired.Store(int64(time.Since(begin))) })
		never := c.AfterFunc(30*time.Second, func() { stopped.Store(1) })
		time.Sleep(20 * time.Second)
		// The process stands still past the timer's end; who wakes first is
		// not defined, so neither tick nor timer may take it for a new one.
		c.away(5 * time.Second)
		c.notice()
		time.Sleep(10 * time.Second)
		never.Stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got, want := time.Duration(fired.Load()), 55*time.Second; got != want {
			t.Errorf("it fired after %v, want %v", got, want)
		}
		if stopped.Load() != 0 {
			t.Error("a stopped timer fired")
		}
	})
}

func TestContextsEndAsThoseOfTheLibrary(t *testing.T) {
	t.Parallel()
	running(t, func(t *testing.T, c *Clock) {
		for _, clock := range []*Clock{c, nil} {
			ctx, cancel := clock.WithTimeout(t.Context(), 10*time.Second)
			child, cancelChild := context.WithCancel(ctx)
			time.Sleep(9 * time.Second)
			if ctx.Err() != nil || child.Err() != nil {
				t.Errorf("over before its time: %v", ctx.Err())
			}
			<-child.Done()
			if err := ctx.Err(); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(context.Cause(child), context.DeadlineExceeded) {
				t.Errorf("%v, cause %v", err, context.Cause(child))
			}
			cancelChild()
			cancel()
			ctx, cancel = clock.WithTimeout(t.Context(), 10*time.Second)
			cancel()
			if err := ctx.Err(); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
			parent, stop := context.WithCancel(t.Context())
			ctx, cancel = clock.WithTimeout(parent, 10*time.Second)
			stop()
			if err := ctx.Err(); !errors.Is(err, context.Canceled) {
				t.Errorf("its parent was cancelled: %v", err)
			}
			cancel()
		}
	})
}

func TestNoClockIsNeverAway(t *testing.T) {
	t.Parallel()
	var c *Clock
	if left, woke := c.Gap(); !left.IsZero() || !woke.IsZero() {
		t.Error("a gap")
	}
	now := time.Now()
	if got := c.Quiet(now.Add(-time.Hour), now); got != time.Hour {
		t.Errorf("%v, want 1h", got)
	}
	if got := New().Quiet(now.Add(-time.Hour), now); got != time.Hour { // it does not run
		t.Errorf("%v, want 1h", got)
	}
}
