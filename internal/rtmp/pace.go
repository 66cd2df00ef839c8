package rtmp

import (
	"errors"
	"os"
)

// Pace has wait called before each read of the socket: a peer that sends eighty
// small pieces a second is read in fewer, larger ones, at the price of wait's
// delay. wait returns false to have the connection read at once, as it is
// without it. nil ends pacing. Call it from the reading goroutine.
//
// It does nothing for TLS, of which a read takes no more than one record, and
// on systems other than Linux.
func (c *Conn) Pace(wait func() bool) {
	if c.pacer == nil && wait != nil {
		c.pacer = newPacer(c.nc)
	}
	switch {
	case c.pacer == nil:
		return
	case wait == nil:
		c.pacer.rest(false)
	}
	c.pace = wait
}

// paced reads at the beat of pace. done is false when the socket is to be read
// in the common way.
func (c *Conn) paced(p []byte) (n int, done bool, err error) {
	for {
		if c.interrupted.Load() && c.in.between {
			return 0, true, c.resume()
		}
		if c.more {
			c.more = false // the last read was full: there is more to be had now
		} else if !c.pace() {
			c.pacer.rest(false)
			return 0, false, nil
		}
		c.pacer.rest(true)
		n, err = c.pacer.read(p)
		switch {
		case n > 0:
			c.more = n == len(p)
			return n, true, nil
		case err == nil:
			continue
		case c.interrupted.Load() && errors.Is(err, os.ErrDeadlineExceeded):
			if err := c.readOn(); err != nil {
				return 0, true, err
			}
		case c.o.Ping > 0 && errors.Is(err, os.ErrDeadlineExceeded):
			if err := c.silent(err); err != nil {
				return 0, true, err
			}
		default:
			return 0, true, err
		}
	}
}
