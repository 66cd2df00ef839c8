package awake

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A Timer calls a function after a time without activity. After a gap the time starts
// anew.
type Timer struct {
	clock *Clock
	limit time.Duration
	since func() time.Time
	f     func()

	mu    sync.Mutex
	timer *time.Timer
	over  bool // stopped, or f was called
}

// AfterFunc calls f in its own goroutine once the process has run for d.
func (c *Clock) AfterFunc(d time.Duration, f func()) *Timer {
	now := time.Now()
	return c.Watch(d, func() time.Time { return now }, f)
}

// Watch calls f once, in its own goroutine, when last() is d ago and the process has
// run for d since.
func (c *Clock) Watch(d time.Duration, last func() time.Time, f func()) *Timer {
	t := &Timer{clock: c, limit: d, since: last, f: f}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = time.AfterFunc(d, t.fire)
	return t
}

func (t *Timer) fire() {
	t.mu.Lock()
	if left := t.limit - t.clock.Since(t.since()); left > 0 && !t.over {
		t.timer.Reset(left)
		t.mu.Unlock()
		return
	}
	over := t.over
	t.over = true
	t.mu.Unlock()
	if !over {
		t.f()
	}
}

// Stop prevents the call of f, unless it has begun.
func (t *Timer) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	t.timer.Stop()
}

// WithTimeout is context.WithTimeout, except that a gap starts the timeout anew.
func (c *Clock) WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if c == nil {
		return context.WithTimeout(parent, d)
	}
	ctx, cancel := context.WithCancelCause(parent)
	t := c.AfterFunc(d, func() { cancel(context.DeadlineExceeded) })
	return limited{ctx}, func() {
		t.Stop()
		cancel(context.Canceled)
	}
}

// limited is a context that its Timer cancels with DeadlineExceeded.
type limited struct{ context.Context }

// Err implements context.Context.
func (l limited) Err() error {
	err := l.Context.Err()
	if err != nil && errors.Is(context.Cause(l.Context), context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return err
}
