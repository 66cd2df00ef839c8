package rtmp

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// idle is the reading goroutine's watch over a silent peer.
//
// The read deadline is not moved at every read but only when it strikes: it
// then finds out how long the silence has really been.
type idle struct {
	lastRead time.Time
	deadline time.Time // as set on the connection; zero: none of ours
	waiting  bool      // a ping went out and nothing has come since
	asked    time.Time // when it went out
	last     bool      // its time is over; what lies in the socket is still looked at
	pinged   time.Time // when the unanswered ping went out; zero: none
}

// wire is a Conn as its chunk reader sees it: each Read settles what the peer
// is owed, keeps watch over its silence and counts.
type wire struct{ c *Conn }

// settle sends what the peer is owed, and begins the watch over its silence.
func (w wire) settle() error {
	c := w.c
	if c.replies {
		c.replies = false
		if err := c.Flush(); err != nil {
			return err
		}
	}
	if c.o.Ping > 0 && c.idle.deadline.IsZero() {
		c.idle.lastRead = time.Now()
		return c.wake(c.idle.lastRead.Add(c.o.Ping))
	}
	return nil
}

func (w wire) Read(p []byte) (int, error) {
	c := w.c
	if err := w.settle(); err != nil {
		return 0, err
	}
	if c.pace != nil {
		if n, done, err := c.paced(p); done {
			if n > 0 {
				c.received(n)
			}
			return n, err
		}
	}
	for {
		if c.interrupted.Load() && c.in.between {
			return 0, c.resume()
		}
		n, err := c.nc.Read(p)
		if n > 0 {
			c.received(n)
			return n, nil
		}
		if c.interrupted.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
			if err := c.readOn(); err != nil {
				return 0, err
			}
			continue
		}
		if err == nil || c.o.Ping <= 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, err
		}
		if err := c.silent(err); err != nil {
			return 0, err
		}
	}
}

func (c *Conn) received(n int) {
	if c.o.Ping > 0 {
		c.idle.lastRead = time.Now()
		c.idle.waiting, c.idle.last = false, false
	}
	total := c.bytesIn.Add(uint64(n))
	if total-c.acked < uint64(c.ackWindow) {
		return
	}
	// RTMP 1.0 §5.4.3. The sequence number has 32 bits and wraps.
	c.acked = total
	c.out.mu.Lock()
	c.out.appendControl(TypeAcknowledgement, uint32(total))
	c.out.mu.Unlock()
	c.replies = true
}

// lastLook is the end of PingTimeout, in which a peer is read from once more.
const lastLook = 100 * time.Millisecond

// wake makes a waiting Read return at t.
func (c *Conn) wake(t time.Time) error {
	c.idle.deadline = t
	return c.nc.SetReadDeadline(t)
}

// silent decides what a read deadline means. A nil error goes on reading.
func (c *Conn) silent(err error) error {
	now := time.Now()
	if now.Before(c.idle.deadline) {
		return err // somebody else's deadline: they want ReadMessage to end
	}
	if c.idle.waiting {
		look := min(lastLook, c.o.PingTimeout/2)
		left := c.o.PingTimeout - c.o.Awake.Quiet(c.idle.asked, now)
		switch {
		case left > look:
			c.idle.last = false
			return c.wake(now.Add(left - look))
		case !c.idle.last: // a read whose deadline is over takes nothing, whatever there is
			c.idle.last = true
			return c.wake(now.Add(look))
		}
		return fmt.Errorf("%w: nothing came for %s, nor for %s after a ping", ErrPingTimeout, c.o.Ping, c.o.PingTimeout)
	}
	if due := c.idle.lastRead.Add(c.o.Ping); now.Before(due) {
		return c.wake(due)
	}
	c.idle.waiting, c.idle.asked, c.idle.pinged = true, now, now
	c.out.mu.Lock()
	c.out.appendUserControl(PingRequest, uint32(now.UnixMilli()))
	c.out.mu.Unlock()
	if err := c.Flush(); err != nil {
		return err
	}
	return c.wake(now.Add(c.o.PingTimeout - min(lastLook, c.o.PingTimeout/2)))
}
