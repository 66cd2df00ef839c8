// Package accesslog writes access logs: lines made of variables, one per request or
// session. Lines are collected, and a goroutine that the Log owns writes them, so that
// no request waits for the disk.
//
// The subject of the lines is of the caller's type, T. Values from clients are escaped as
// nginx does, and secrets in queries are masked.
package accesslog

import (
	"fmt"
	"io"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	flushAfter = 500 * time.Millisecond // a line is in the file after at most this
	flushSize  = 64 << 10               // or once so much is waiting
	maxWaiting = 4 << 20                // a disk that stands still costs lines, never requests
)

// Options are the dependencies of a Log.
type Options struct {
	Open func(path string) (io.WriteCloser, error) // nil: OpenFile
	Now  func() time.Time                          // nil: time.Now
	Log  *zap.Logger                               // hears of what can't be written; nil: nobody does
}

// A Log is one access log. Its methods may be called by any goroutine.
type Log[T any] struct {
	path   string
	open   func(string) (io.WriteCloser, error)
	format Format[T]
	clock  clock
	log    *zap.Logger

	mu      sync.Mutex
	waiting []byte // guarded by mu, as are the next two
	dropped int
	closed  bool

	wake chan struct{} // holds one token: waiting is no longer empty
	full chan struct{} // holds one token: it is long
	quit chan struct{}
	done chan struct{} // run has returned

	file   sync.Mutex     // guards out and failed; never taken with mu held
	out    io.WriteCloser // nil: it can't be opened
	failed bool
}

// Open starts a log. The caller must close it. A file that can't be opened now is tried
// again with each line; the error is for a path that can never be a file.
func Open[T any](path string, format Format[T], o Options) (*Log[T], error) {
	if o.Open == nil {
		o.Open = OpenFile
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	out, err := o.Open(path)
	if err != nil && Mistyped(err) {
		return nil, fmt.Errorf("access_log: %w", err)
	}
	l := &Log[T]{
		path: path, open: o.Open, format: format, out: out, log: o.Log, clock: clock{now: o.Now},
		wake: make(chan struct{}, 1), full: make(chan struct{}, 1),
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	if err != nil {
		l.fail(err)
	}
	go l.run()
	return l, nil
}

// Add appends the line about x. It returns false if the log is closed. Lines are lost only
// if the disk does not keep up.
func (l *Log[T]) Add(x T) bool {
	now := l.clock.at()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if len(l.waiting) >= maxWaiting {
		l.dropped++
		return true
	}
	was := len(l.waiting)
	l.waiting = append(l.format(l.waiting, x, now), '\n')
	if was == 0 {
		signal(l.wake)
	}
	if was < flushSize && len(l.waiting) >= flushSize {
		signal(l.full)
	}
	return true
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run writes the waiting lines. Until it returns no other goroutine calls flush.
func (l *Log[T]) run() {
	defer close(l.done)
	timer := time.NewTimer(0)
	<-timer.C
	var spare []byte
	for {
		select {
		case <-l.quit:
			l.flush(spare)
			return
		case <-l.wake:
		}
		timer.Reset(flushAfter)
		select {
		case <-l.quit:
		case <-l.full:
		case <-timer.C:
		}
		timer.Stop()
		spare = l.flush(spare)
	}
}

// flush takes the waiting lines, leaves spare as the empty buffer, and writes them. It
// returns their buffer for the next call.
func (l *Log[T]) flush(spare []byte) []byte {
	l.mu.Lock()
	lines, dropped := l.waiting, l.dropped
	l.waiting, l.dropped = spare[:0], 0
	l.mu.Unlock()
	if len(lines) == 0 {
		return lines
	}
	l.file.Lock()
	defer l.file.Unlock()
	if err := l.write(lines); err != nil {
		l.fail(err)
	} else if l.failed {
		l.log.Info("access log is written again", zap.String("path", l.path))
		l.failed = false
	}
	if dropped > 0 {
		l.log.Warn("access log lines lost: the disk is too slow", zap.String("path", l.path), zap.Int("lines", dropped))
	}
	if cap(lines) > 4*flushSize {
		return nil // after a burst
	}
	return lines
}

// write writes lines and opens the file if it is not open. file is held.
func (l *Log[T]) write(lines []byte) (err error) {
	if l.out == nil {
		if l.out, err = l.open(l.path); err != nil {
			l.out = nil
			return err
		}
	}
	_, err = l.out.Write(lines)
	return err
}

// fail logs the first of several errors. file is held, or no other goroutine runs.
func (l *Log[T]) fail(err error) {
	if !l.failed {
		l.log.Error("access log not written", zap.String("path", l.path), zap.Error(err))
	}
	l.failed = true
}

// Reopen opens the file of that name again. After an error the old file stays open.
func (l *Log[T]) Reopen() error {
	out, err := l.open(l.path)
	if err != nil {
		return fmt.Errorf("access_log: %w", err)
	}
	l.file.Lock()
	old := l.out
	l.out, l.failed = out, false
	l.file.Unlock()
	if old == nil {
		return nil
	}
	if err := old.Close(); err != nil {
		return fmt.Errorf("access_log: close %s: %w", l.path, err)
	}
	return nil
}

// Close writes the remaining lines and closes the file.
func (l *Log[T]) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	close(l.quit)
	<-l.done
	l.file.Lock()
	defer l.file.Unlock()
	if l.out == nil {
		return nil
	}
	return l.out.Close()
}

// A Time is a time with two of its text forms.
type Time struct {
	time.Time
	Common string // as nginx's $time_local: 02/Jan/2006:15:04:05 -0700
	ISO    string // as nginx's $time_iso8601
}

// A clock formats the time once a second.
type clock struct {
	now func() time.Time

	mu    sync.Mutex
	last  Time // guarded by mu
	valid bool
}

func (c *clock) at() Time {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.valid || now.Unix() != c.last.Unix() {
		c.last = Time{Common: now.Format("02/Jan/2006:15:04:05 -0700"), ISO: now.Format(time.RFC3339)}
		c.valid = true
	}
	c.last.Time = now
	return c.last
}
