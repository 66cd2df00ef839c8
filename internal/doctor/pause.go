package doctor

import (
	"math"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A pause is a time in which the publisher sent nothing: its encoder stood still
// (a paused pipe, a machine that slept, a hung capture card), or its connection
// did. It says nothing about how fast the upload is: what comes after it is late by
// the length of the pause, at once or until the encoder has caught up.
type pause struct {
	came    bool          // a packet has arrived
	arrived time.Duration // the newest packet of either track
	ended   time.Duration // the last pause; valid if there was one
	was     bool          // there was one

	// settling: packets come again after a pause, and delays are not compared
	// with those before it until they are steady.
	settling bool
}

const (
	// pauseFrom is how long nothing comes in a pause. Shorter ones are jitter.
	pauseFrom = time.Second
	// stallFrom is when a pause is worth a word: players hold back about as much.
	stallFrom = 2 * time.Second
	// pauseSteps: a stream of few frames has longer breaks without any fault.
	pauseSteps = 3
	// pauseRare: pauses that follow each other faster are those of an upload that
	// is too slow, and count as lateness.
	pauseRare = 10 * time.Second
	// settleFor bounds how long an encoder may take to catch up.
	settleFor = 10 * time.Second
)

// arrive notes a packet. It is called for each: the end of a pause is found by
// measure, once a second.
func (p *pause) arrive(at time.Duration) {
	if quiet := at - p.arrived; p.came && quiet > pauseFrom {
		p.settling = !p.was || p.arrived-p.ended > pauseRare
		p.was, p.ended = true, at
	}
	p.came, p.arrived = true, at
}

// quiet is for how long nothing has come.
func (d *Doctor) quiet(at time.Duration) time.Duration {
	if !d.pause.came {
		return 0
	}
	return at - d.pause.arrived
}

// stalled says whether nothing has come for longer than the stream explains.
func (d *Doctor) stalled(at time.Duration) opinion {
	q := d.quiet(at)
	if d.tracks[media.Video].packets < pauseSteps && d.tracks[media.Audio].packets < pauseSteps {
		return unsure // how far apart they are is not known yet
	}
	return between(q > max(stallFrom, pauseSteps*d.shortestStep()), q < pauseFrom)
}

// shortestStep is the time between two packets of the track that has more of them.
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

// settled says whether delays can be compared again. spread is that of the delays
// within the last second.
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

// forgetDelays begins afresh: what comes compares with nothing before.
func (d *Doctor) forgetDelays() {
	for i := range d.seconds {
		d.seconds[i].delay = math.MaxInt64
	}
	d.late, d.jitter = 0, 0
}
