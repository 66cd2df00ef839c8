package mpegts

import "time"

const (
	ticksPerSecond = 90000

	// A frame with DTS 0 gets the program clock reference clockStart, so that
	// the clock is never negative even if a stream begins a little before 0,
	// and is due for decoding decodeDelay later: what a decoder may buffer
	// (nginx-rtmp has the same 0.7 s). Audio that comes late by less than
	// that is still not late.
	clockStart  = 1 * ticksPerSecond
	decodeDelay = 7 * ticksPerSecond / 10

	// ISO 13818-1 §2.7.2 wants a clock reference every 100 ms.
	maxClockGap  = ticksPerSecond / 10
	clockStep    = 9 * ticksPerSecond / 100 // of those put in between
	clockInFrame = 4 * ticksPerSecond / 100 // between those inside of one PES packet

	// maxFill is the longest gap that is filled with clock references: one
	// longer, or a step back by more than decodeDelay, is another time base
	// (§2.4.3.5, discontinuity_indicator).
	maxFill = 10 * ticksPerSecond
)

// StartOffset is added to DTS and PTS: a packet with DTS 0 has this presentation time
// in the transport stream.
const StartOffset = (clockStart + decodeDelay) * time.Second / ticksPerSecond

// ticks converts to the 90 kHz clock.
func ticks(d time.Duration) int64 {
	return int64(d/100000)*9 + int64(d%100000)*9/100000
}

// clock remembers the last program clock reference, in ticks of the packets'
// own time (clockStart is added only in appendPCR).
type clock struct {
	last    int64
	running bool
}

// to sets the clock to now and returns the reference to write. The clock does not go
// back for a frame that is only slightly late.
func (c *clock) to(now int64) (reference int64, discontinuity bool) {
	step := now - c.last
	switch {
	case !c.running:
	case step < -decodeDelay || step > maxFill:
		discontinuity = true
	case step < 0:
		now = c.last
	}
	c.last, c.running = now, true
	return now, discontinuity
}

// fill appends packets with nothing but a clock reference, so that the references up
// to the one for now are close enough. count is the PID's next continuity counter:
// packets without payload repeat the one before (§2.4.3.3).
func (c *clock) fill(dst []byte, pid uint16, count uint8, now int64) []byte {
	if !c.running || now-c.last > maxFill {
		return dst
	}
	for now-c.last > maxClockGap {
		c.last += clockStep
		dst = append(dst, 0x47, byte(pid>>8), byte(pid), 0x20|(count-1)&0xf, payloadSize-1, flagPCR)
		dst = appendPCR(dst, c.last)
		dst = appendStuffing(dst, payloadSize-8)
	}
	return dst
}

// Flags of the adaptation field (§2.4.3.4).
const (
	flagDiscontinuity = 0x80
	flagRandomAccess  = 0x40
	flagPCR           = 0x10
)

// appendPCR appends base(33) reserved(6) extension(9), the extension being 0.
func appendPCR(dst []byte, t int64) []byte {
	t += clockStart
	return append(dst, byte(t>>25), byte(t>>17), byte(t>>9), byte(t>>1), byte(t<<7)|0x7e, 0)
}

func appendStuffing(dst []byte, n int) []byte {
	for ; n > 0; n-- {
		dst = append(dst, 0xff)
	}
	return dst
}
