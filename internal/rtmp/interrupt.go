package rtmp

import (
	"errors"
	"time"
)

// ErrInterrupted is what ReadMessage returns once after Interrupt. Nothing is
// lost by it.
var ErrInterrupted = errors.New("interrupted")

// Interrupt makes ReadMessage return ErrInterrupted, now if it waits for a peer
// that says nothing, else after the chunk that is under way. Any goroutine may
// call it.
func (c *Conn) Interrupt() {
	c.interrupting.Lock()
	defer c.interrupting.Unlock()
	c.interrupted.Store(true)
	_ = c.nc.SetReadDeadline(time.Unix(1, 0)) // a closed connection wakes the reader, too
}

// resume ends an interruption and reports it.
func (c *Conn) resume() error {
	c.interrupting.Lock()
	defer c.interrupting.Unlock()
	c.interrupted.Store(false)
	if err := c.rewind(); err != nil {
		return err
	}
	return ErrInterrupted
}

// readOn reads the rest of a chunk first.
func (c *Conn) readOn() error {
	c.interrupting.Lock()
	defer c.interrupting.Unlock()
	return c.rewind()
}

// rewind sets the watch over a silent peer anew: Interrupt had its deadline.
// interrupting is held.
func (c *Conn) rewind() error {
	if c.o.Ping <= 0 {
		return c.nc.SetReadDeadline(time.Time{})
	}
	c.idle.lastRead = time.Now()
	return c.wake(c.idle.lastRead.Add(c.o.Ping))
}
