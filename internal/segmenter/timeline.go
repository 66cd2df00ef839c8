package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	maxBack    = time.Second      // a kind going back further breaks the timeline
	maxForward = 15 * time.Second // and so does one that leaps further ahead
	maxApart   = 10 * time.Second // audio and video of one timeline are closer

	// settle is how young a timeline that began with a jump is spared the
	// next one, so that timestamps that jump at every packet do not make a
	// fragment of each.
	settle = 500 * time.Millisecond
	// maxLeftovers is how many packets in a row may be dropped because they
	// do not fit the timeline before the timeline is fitted to them.
	maxLeftovers = 50
)

// A timeline judges timestamps. Each kind is compared with itself, so that
// audio and video that are interleaved unevenly, or that count from different
// zero points, do not look like jumps at every change between them.
type timeline struct {
	clocks [2]trackClock
	shift  time.Duration // of audio
	began  time.Duration // where it began with a jump
	young  bool          // it began with a jump, less than settle ago
	// stood is how far the video's clock is ahead of the newest picture, which
	// was let stand: see Segmenter.Tick.
	stood time.Duration
}

type fit uint8

const (
	fits  fit = iota
	drops     // a leftover of another timeline
	jumps     // the timeline ends here, a new one begins with this packet
)

// judge says what p's timestamp means and returns it on the timeline.
func (l *timeline) check(p *media.Packet) (time.Duration, fit) {
	kind := p.Track.Kind
	t := p.DTS
	if kind == media.Audio {
		t += l.shift
	}
	clock, other := &l.clocks[kind], &l.clocks[1-kind]
	apart := other.known && (t-other.t > maxApart || other.t-t > maxApart)
	if clock.known {
		d, back := t-clock.t, maxBack
		if kind == media.Video {
			back += l.stood
		}
		if d >= -back && (d <= maxForward || other.known && !apart) {
			// A kind that was silent for long and comes back beside the
			// other has not jumped.
			return t, fits
		}
		if l.young && clock.leftovers < maxLeftovers {
			clock.leftovers++
			return t, drops
		}
		return p.DTS + l.shiftOf(kind), jumps
	}
	if !apart {
		return t, fits
	}
	if clock.leftovers < maxLeftovers {
		clock.leftovers++
		return t, drops
	}
	if kind == media.Video {
		return t, jumps
	}
	// Audio that stays away from video counts from another zero point: what
	// arrives together belongs together.
	l.shift += other.t - t
	return other.t, fits
}

func (l *timeline) shiftOf(kind media.Kind) time.Duration {
	if kind == media.Audio {
		return l.shift
	}
	return 0
}

// restart forgets where both kinds stood.
func (l *timeline) restart() {
	for i := range l.clocks {
		l.clocks[i] = trackClock{step: l.clocks[i].step}
	}
	l.young, l.stood = false, 0
}

// jump begins a new timeline at t.
func (l *timeline) jump(t time.Duration) {
	l.restart()
	l.began, l.young = t, true
}

// admit moves the clock of p's kind and returns p, or a copy of it whose DTS rises:
// no two frames of a transport stream are decoded at one time, and publishers whose
// encoder can't keep up send the same millisecond several times (GStreamer's flvmux).
func (l *timeline) advance(p *media.Packet, t time.Duration) (*media.Packet, time.Duration) {
	kind := p.Track.Kind
	clock := &l.clocks[kind]
	sent, step := t, clock.step
	if clock.known && t <= clock.t {
		q := *p
		pts := t + p.CTS
		t = clock.t + time.Millisecond
		q.DTS = t - l.shiftOf(kind)
		// It is shown when its publisher says, but one that comes in order is
		// not shown before the one that it follows.
		q.CTS = max(pts-t, min(p.CTS, 0))
		p = &q
	}
	if clock.known { // a longer step is a pause of both, or a slip
		l.clocks[1-kind].idle += min(max(t-clock.t, 0), longest[kind])
	}
	clock.move(t)
	if kind == media.Video && l.stood > 0 {
		clock.step, l.stood = step, t-sent
	}
	if l.young && t-l.began >= settle {
		l.young = false
	}
	return p, t
}

// stand has the newest picture stand until t.
func (l *timeline) stand(t time.Duration) {
	v, a := &l.clocks[media.Video], &l.clocks[media.Audio]
	d := max(t-v.t, 0)
	v.t += d
	l.stood += d
	if a.known {
		a.idle += d
	}
}

// soundless says that there was no sound before the newest picture either.
func (l *timeline) soundless() bool {
	a := &l.clocks[media.Audio]
	return !a.known || a.idle > muted
}

// head is where the newest packet is on the clock of the fragments, which is
// the video's, without video the audio's. While the picture stands still it goes
// on with the sound: silence of a track is a matter of arrival, the timestamps
// of two tracks do not compare.
func (l *timeline) head() time.Duration {
	v := &l.clocks[media.Video]
	if !v.known {
		return l.clocks[media.Audio].t
	}
	return v.t + v.idle
}

// longest is how long one packet of a kind may be taken to last.
var longest = [2]time.Duration{media.Video: maxFrame, media.Audio: maxFrame / 4}

// end is where the newest media ends, on the same clock.
func (l *timeline) end() time.Duration {
	if v := &l.clocks[media.Video]; v.known && v.idle <= maxFrame {
		return v.end()
	}
	return l.soundEnd()
}

// soundEnd is where the newest sound ends, on the same clock.
func (l *timeline) soundEnd() time.Duration {
	a := &l.clocks[media.Audio]
	return l.head() + a.end() - a.t
}
