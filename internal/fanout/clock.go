package fanout

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A clock is time at the players. It is the first publisher's; whoever comes
// later goes on one frame after the last message, so it never starts anew, and
// all that a fan remembers is by it. On the wire it is cut to 32 bits of ms.
type clock struct {
	shift   time.Duration // added to DTS
	shifted bool          // shift is this stream's
	last    time.Duration // of the newest message written
	step    time.Duration // between the last two video messages
	wrote   bool
}

// time is when p is at the players.
func (c *clock) time(p *media.Packet) time.Duration {
	dts := p.DTS.Truncate(time.Millisecond)
	if !c.shifted {
		switch {
		case p.Track.Kind == media.Data: // its timestamp may be anything
			return c.last
		case c.wrote:
			c.shift = c.last + max(c.step, time.Millisecond) - dts
		default:
			c.shift = time.Duration(p.Timestamp)*time.Millisecond - dts
		}
		c.shifted = true
	}
	at := dts + c.shift
	d := at - c.last
	if c.wrote && d > 0 && d < time.Second && p.Track.Kind == media.Video {
		c.step = d
	}
	if !c.wrote || d > 0 {
		c.last = at
	}
	c.wrote = true
	return at
}

// stamp is at on the wire: ms modulo 2^32.
func stamp(at time.Duration) uint32 { return uint32(at.Milliseconds()) }
