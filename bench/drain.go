//go:build linux

package main

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"
)

const (
	// Every socket is emptied each drainInterval, a drainSlices-th of them at a
	// time: players are not in step with each other.
	drainInterval = 20 * time.Millisecond
	drainSlices   = 10
	// stallTime without a byte makes a client a stalled one.
	stallTime = 2 * time.Second
)

// A drain empties many sockets in the kernel every drainInterval: players that
// cost next to nothing. One goroutine runs it.
type drain struct {
	mu      sync.Mutex
	sockets []drained
}

// drained is one socket of a drain.
type drained struct {
	fd      int // -1 once its connection ended
	bytes   int64
	last    time.Time // when something came
	stalled bool
	lost    bool
}

// add hands over a descriptor; the drain closes it.
func (d *drain) add(fd int) {
	d.mu.Lock()
	d.sockets = append(d.sockets, drained{fd: fd, last: time.Now()})
	d.mu.Unlock()
}

// begin starts to count afresh.
func (d *drain) begin() {
	d.mu.Lock()
	now := time.Now()
	for i := range d.sockets {
		s := &d.sockets[i]
		s.bytes, s.last, s.stalled, s.lost = 0, now, false, s.fd < 0
	}
	d.mu.Unlock()
}

// visit calls f with every socket's counters.
func (d *drain) visit(f func(bytes int64, stalled, lost bool)) {
	d.mu.Lock()
	for _, s := range d.sockets {
		f(s.bytes, s.stalled, s.lost)
	}
	d.mu.Unlock()
}

// run drains until ctx ends and then closes every socket.
func (d *drain) run(ctx context.Context) {
	tick := time.NewTicker(drainInterval / drainSlices)
	defer tick.Stop()
	for slice := 0; ; slice = (slice + 1) % drainSlices {
		select {
		case <-ctx.Done():
			d.mu.Lock()
			for _, s := range d.sockets {
				if s.fd >= 0 {
					syscall.Close(s.fd)
				}
			}
			d.sockets = nil
			d.mu.Unlock()
			return
		case <-tick.C:
			d.pass(slice)
		}
	}
}

// pass empties every socket of one slice.
func (d *drain) pass(slice int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for i := slice; i < len(d.sockets); i += drainSlices {
		s := &d.sockets[i]
		if s.fd < 0 {
			continue
		}
		n, err := truncate(s.fd, 1<<30)
		switch {
		case n > 0:
			s.bytes += n
			s.last = now
		case errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR):
			s.stalled = s.stalled || now.Sub(s.last) > stallTime
		default: // end of stream or a broken connection
			syscall.Close(s.fd)
			s.fd, s.lost = -1, true
		}
	}
}
