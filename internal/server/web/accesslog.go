package web

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	logFlushAfter = 500 * time.Millisecond // a line is in the file after at most this
	logFlushSize  = 64 << 10               // or once so much is waiting
	logMaxWaiting = 4 << 20                // a disk that stands still costs lines, never requests
)

// accessLog collects lines and writes them behind the requests' backs.
type accessLog struct {
	path   string
	open   func(string) (io.WriteCloser, error)
	format logFormat
	clock  logClock
	log    *zap.Logger

	mu      sync.Mutex
	waiting []byte // guarded by mu, as are the next two
	dropped int
	closed  bool

	wake chan struct{} // holds one token: waiting is no longer empty
	full chan struct{} // holds one token: it is long
	quit chan struct{}
	done chan struct{} // run has returned

	file   sync.Mutex // guards out and failed; never taken with mu held
	out    io.WriteCloser
	failed bool
}

func newAccessLog(path, format string, open func(string) (io.WriteCloser, error), log *zap.Logger, now func() time.Time) (*accessLog, error) {
	f, err := parseLogFormat(format)
	if err != nil {
		return nil, fmt.Errorf("access_log_format: %w", err)
	}
	out, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("access_log: %w", err)
	}
	a := &accessLog{
		path: path, open: open, format: f, out: out, log: log, clock: logClock{now: now},
		wake: make(chan struct{}, 1), full: make(chan struct{}, 1),
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	go a.run()
	return a, nil
}

// add appends the line of an exchange that is over.
func (a *accessLog) add(x *exchange) {
	now := a.clock.at()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	if len(a.waiting) >= logMaxWaiting {
		a.dropped++
		return
	}
	was := len(a.waiting)
	a.waiting = append(a.format(a.waiting, x, now), '\n')
	if was == 0 {
		signal(a.wake)
	}
	if was < logFlushSize && len(a.waiting) >= logFlushSize {
		signal(a.full)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run writes what is waiting; it alone calls flush until it returns.
func (a *accessLog) run() {
	defer close(a.done)
	timer := time.NewTimer(0)
	<-timer.C
	var spare []byte
	for {
		select {
		case <-a.quit:
			a.flush(spare)
			return
		case <-a.wake:
		}
		timer.Reset(logFlushAfter)
		select {
		case <-a.quit:
		case <-a.full:
		case <-timer.C:
		}
		timer.Stop()
		spare = a.flush(spare)
	}
}

// flush swaps the lines that wait for an empty buffer and writes them. It
// returns them, to be the empty buffer of the next call.
func (a *accessLog) flush(spare []byte) []byte {
	a.mu.Lock()
	lines, dropped := a.waiting, a.dropped
	a.waiting, a.dropped = spare[:0], 0
	a.mu.Unlock()
	if len(lines) == 0 {
		return lines
	}
	a.file.Lock()
	defer a.file.Unlock()
	_, err := a.out.Write(lines)
	switch {
	case err != nil && !a.failed:
		a.log.Error("access log not written", zap.String("path", a.path), zap.Error(err))
	case err == nil && a.failed:
		a.log.Info("access log is written again", zap.String("path", a.path))
	}
	a.failed = err != nil
	if dropped > 0 {
		a.log.Warn("access log lines lost: the disk is too slow", zap.String("path", a.path), zap.Int("lines", dropped))
	}
	if cap(lines) > 4*logFlushSize {
		return nil // after a burst
	}
	return lines
}

// reopen goes on in a new file of the old name. If there can't be one the old
// file stays.
func (a *accessLog) reopen() error {
	out, err := a.open(a.path)
	if err != nil {
		return fmt.Errorf("access_log: %w", err)
	}
	a.file.Lock()
	old := a.out
	a.out, a.failed = out, false
	a.file.Unlock()
	if err := old.Close(); err != nil {
		return fmt.Errorf("access_log: close %s: %w", a.path, err)
	}
	return nil
}

// close writes what is left.
func (a *accessLog) close() error {
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return nil
	}
	a.closed = true
	a.mu.Unlock()
	close(a.quit)
	<-a.done
	a.file.Lock()
	defer a.file.Unlock()
	return errors.Join(a.out.Close())
}

// logClock formats the time once a second.
type logClock struct {
	now func() time.Time

	mu    sync.Mutex
	last  logTime // guarded by mu
	valid bool
}

// logTime is a moment and two of its spellings.
type logTime struct {
	time.Time
	common, iso string
}

func (c *logClock) at() logTime {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.valid || now.Unix() != c.last.Unix() {
		c.last = logTime{common: now.Format("02/Jan/2006:15:04:05 -0700"), iso: now.Format(time.RFC3339)}
		c.valid = true
	}
	c.last.Time = now
	return c.last
}
