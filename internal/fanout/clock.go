package fanout

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A clock turns packet times into times at the players. It begins with the first
// publisher's timestamps; each later publisher continues one frame after the last
// message, so the clock never restarts. All times in a fan are by this clock. On
// the wire it is cut to 32 bits of ms.
type clock struct {
	shift   time.Duration // added to DTS
	shifted bool          // shift is this stream's
	last    time.Duration // of the newest message written
	step    time.Duration // between the last two video messages
	wrote   bool
}

// time returns p's time at the players.
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

// stamp returns at as it stands on the wire: ms modulo 2^32.
func stamp(at time.Duration) uint32 { return uint32(at.Milliseconds()) }
