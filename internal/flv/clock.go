package flv

import "time"

// maxDTS is where a clock gives up and starts again: 100 years, far from the
// 292 that a Duration holds. Only a liar gets there.
const maxDTS = 100 * 365 * 24 * time.Hour

// clock unwraps RTMP's 32-bit milliseconds into time since the first packet
// plus base. Audio and video share it.
type clock struct {
	base    time.Duration
	started bool
	last    uint32 // the newest timestamp seen
	offset  int64  // ms from the first packet to last; not negative
}

// dts places ts on the clock. A timestamp is behind the last one if it is
// within 2^31 ms (24.8 days) before it modulo 2^32, else ahead: so the wrap
// after 49.7 days is a step forward and audio a little behind video a step
// back. Jumps are passed on as they are, with two exceptions: what would lie
// before base is base, and time counts on from there (an encoder that starts
// again from 0 keeps its pace); so does what lies beyond maxDTS.
func (c *clock) dts(ts uint32) time.Duration {
	if !c.started {
		c.started, c.last = true, ts
	}
	c.offset += int64(int32(ts - c.last))
	c.last = ts
	if c.offset < 0 || c.offset > int64(maxDTS/time.Millisecond) {
		c.offset = 0
	}
	return c.base + time.Duration(c.offset)*time.Millisecond
}

// now is where the newest timestamp put the clock, and that timestamp; before
// the first it is base, and ts.
func (c *clock) now(ts uint32) (time.Duration, uint32) {
	if !c.started {
		return c.base, ts
	}
	return c.base + time.Duration(c.offset)*time.Millisecond, c.last
}
