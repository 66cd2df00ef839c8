package doctor

import (
	"math"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A pause is a time in which the publisher sent nothing, because its encoder stopped (a
// paused pipe, a machine that slept, a hung capture card) or its connection stalled. It
// is no sign of a slow upload: the packets after it are late by the length of the pause,
// for good or until the encoder has caught up.
type pause struct {
	came    bool          // a packet has arrived
	arrived time.Duration // when the newest packet of either track arrived
	ended   time.Duration // when the last pause ended; valid if was
	was     bool          // there was a pause

	// settling: after a pause, delays are not compared with those before it until
	// they are steady.
	settling bool
}

const (
	// pauseFrom is the shortest pause. Less is jitter.
	pauseFrom = time.Second
	// stallFrom is the pause that is reported: players buffer about as much.
	stallFrom = 2 * time.Second
	// pauseSteps is the shortest pause in packet intervals: streams with a low frame
	// rate have long intervals.
	pauseSteps = 3
	// pauseRare is the shortest time between two pauses. More frequent ones come from a
	// slow upload and count as lateness.
	pauseRare = 10 * time.Second
	// settleFor bounds how long an encoder may take to catch up.
	settleFor = 10 * time.Second
)

// arrive takes each packet. measure finds out once a second whether delays are steady
// after a pause.
func (p *pause) arrive(at time.Duration) {
	if quiet := at - p.arrived; p.came && quiet > pauseFrom {
		p.settling = !p.was || p.arrived-p.ended > pauseRare
		p.was, p.ended = true, at
	}
	p.came, p.arrived = true, at
}

// quiet returns the time since the newest packet.
func (d *Doctor) quiet(at time.Duration) time.Duration {
	if !d.pause.came {
		return 0
	}
	return at - d.pause.arrived
}

// stalled reports whether the time since the newest packet is longer than the packet
// interval explains.
func (d *Doctor) stalled(at time.Duration) opinion {
	q := d.quiet(at)
	if d.tracks[media.Video].packets < pauseSteps && d.tracks[media.Audio].packets < pauseSteps {
		return unsure // the interval is not known yet
	}
	return between(q > max(stallFrom, pauseSteps*d.shortestStep()), q < pauseFrom)
}

// shortestStep returns the packet interval of the track with more packets.
func (d *Doctor) shortestStep() time.Duration {
	v, a := &d.tracks[media.Video], &d.tracks[media.Audio]
	switch {
	case a.packets == 0:
		return v.step
	case v.packets == 0:
		return a.step
	}
	return min(v.step, a.step)
}

// settled reports whether delays can be compared again. spread is the spread of delays
// in the last second.
func (d *Doctor) settled(at, spread time.Duration) bool {
	p := &d.pause
	if !p.settling {
		return true
	}
	if spread > jitterFine && at-p.ended < settleFor {
		return false
	}
	p.settling = false
	d.forgetDelays()
	return true
}

// forgetDelays starts the comparison of delays anew.
func (d *Doctor) forgetDelays() {
	for i := range d.seconds {
		d.seconds[i].delay = math.MaxInt64
	}
	d.late, d.jitter = 0, 0
}
