package rtmp

import (
	"errors"
	"os"
	"sync"
)

// Buffers are read buffers that paced connections take for the moment in which they
// read: a few, which stay in the processor's cache. The zero value is ready for use.
type Buffers struct{ pool sync.Pool }

// A sharedBuffer holds what a stream of 5 Mb/s sends in 200 ms.
type sharedBuffer [128 << 10]byte

func (b *Buffers) get() *sharedBuffer {
	if p, ok := b.pool.Get().(*sharedBuffer); ok {
		return p
	}
	return new(sharedBuffer)
}

// Pace has wait called before each read of the socket: a peer that sends eighty
// small pieces a second is read in fewer, larger ones, at the price of wait's
// delay. wait returns false to have the connection read at once, as it is
// without it. nil ends pacing. buffers are what is read into; nil: a buffer of the
// connection. Call it from the reading goroutine.
//
// It does nothing for TLS, of which a read takes no more than one record, and
// on systems other than Linux.
func (c *Conn) Pace(wait func() bool, buffers *Buffers) {
	if c.pacer == nil && wait != nil {
		c.pacer = newPacer(c.nc)
	}
	switch {
	case c.pacer == nil:
		return
	case wait == nil:
		c.pacer.rest(false)
	}
	c.pace, c.in.buffers = wait, buffers
}

// A turn is what await has found out for the read that follows.
type turn uint8

const (
	unknown turn = iota
	atTick       // the socket is to be read, without waiting for it
	atOnce       // and waiting for it
)

// await returns when the connection is to be read, which has nothing in its buffer.
// brief: the read will not wait for the socket.
func (w wire) await() (brief bool, err error) {
	c := w.c
	if err := w.settle(); err != nil || c.pace == nil {
		return false, err
	}
	if c.interrupted.Load() && c.in.between {
		return false, c.resume()
	}
	c.turn = atTick
	if !c.more && !c.pace() {
		c.turn = atOnce
	}
	return c.turn == atTick, nil
}

// errNothing says that a brief read has found nothing.
var errNothing = errors.New("nothing to read")

// paced reads at the beat of pace. done is false when the socket is to be read
// in the common way.
func (c *Conn) paced(p []byte) (n int, done bool, err error) {
	for {
		if c.interrupted.Load() && c.in.between {
			return 0, true, c.resume()
		}
		turn := c.turn
		c.turn = unknown
		switch {
		case turn == atOnce, turn == unknown && !c.more && !c.pace():
			c.pacer.rest(false)
			return 0, false, nil
		}
		c.more = false // if the last read was full, there was more to be had
		c.pacer.rest(true)
		n, err = c.pacer.read(p)
		switch {
		case n > 0:
			c.more = n == len(p)
			return n, true, nil
		case err == nil && turn == atTick:
			return 0, true, errNothing
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
