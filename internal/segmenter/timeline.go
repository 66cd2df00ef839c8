package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	maxBack    = time.Second      // timestamps that go back further are a jump
	maxForward = 15 * time.Second // timestamps that go forward further are a jump
	maxApart   = 10 * time.Second // audio and video of one timeline are not further apart

	// settle is how long no second jump is accepted after a jump. Otherwise timestamps
	// that jump at every packet would make a segment of each.
	settle = 500 * time.Millisecond
	// maxLeftovers is how many packets in a row are dropped because they do not fit.
	// After that the timeline is changed to fit them.
	maxLeftovers = 50
)

// A timeline checks timestamps and corrects them. It compares audio with audio and
// video with video: the two may be interleaved unevenly, or count from different zero
// points.
type timeline struct {
	clocks [2]trackClock
	shift  time.Duration // is added to audio timestamps
	began  time.Duration // where the last jump led to
	young  bool          // the last jump is less than settle ago
	// stood is how far the video's clock is ahead of the newest picture, which
	// was let stand: see Segmenter.Tick.
	stood time.Duration
}

type fit uint8

const (
	fits  fit = iota
	drops     // the packet is dropped
	jumps     // the timeline ends; a new one begins with the packet
)

// check returns p's timestamp on the timeline, and whether it fits.
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
			// It was silent for long, and comes back where the other track is.
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
	// Audio that stays apart from video counts from another zero point: it is moved
	// to the video that arrives with it.
	l.shift += other.t - t
	return other.t, fits
}

func (l *timeline) shiftOf(kind media.Kind) time.Duration {
	if kind == media.Audio {
		return l.shift
	}
	return 0
}

// restart forgets where audio and video are.
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

// advance sets the clock of p's track to t and returns p, or a copy with a later DTS if
// p is not later than the packet before. Two frames of a transport stream must not have
// the same DTS, but publishers whose encoder can't keep up send the same millisecond
// several times (GStreamer's flvmux).
func (l *timeline) advance(p *media.Packet, t time.Duration) (*media.Packet, time.Duration) {
	kind := p.Track.Kind
	clock := &l.clocks[kind]
	sent, step := t, clock.step
	if clock.known && t <= clock.t {
		q := *p
		pts := t + p.CTS
		t = clock.t + time.Millisecond
		q.DTS = t - l.shiftOf(kind)
		// PTS stays what the publisher sent, but not before DTS, except by as much as
		// the publisher sent it before DTS.
		q.CTS = max(pts-t, min(p.CTS, 0))
		p = &q
	}
	if clock.known { // a longer step is a pause of both tracks, or an error
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

// stand notes that the newest picture is shown until t.
func (l *timeline) stand(t time.Duration) {
	v, a := &l.clocks[media.Video], &l.clocks[media.Audio]
	d := max(t-v.t, 0)
	v.t += d
	l.stood += d
	if a.known {
		a.idle += d
	}
}

// soundless says whether the stream counts as one without sound.
func (l *timeline) soundless() bool {
	a := &l.clocks[media.Audio]
	return !a.known || a.idle > muted
}

// head is where the newest packet is. Segments are measured by the video's timestamps,
// without video by the audio's. While the picture stands still, head goes on by the
// duration of the sound that arrives: timestamps of audio and video can't be compared.
func (l *timeline) head() time.Duration {
	v := &l.clocks[media.Video]
	if !v.known {
		return l.clocks[media.Audio].t
	}
	return v.t + v.idle
}

// longest is the longest duration that is assumed for one packet.
var longest = [2]time.Duration{media.Video: maxFrame, media.Audio: maxFrame / 4}

// end is where the newest media ends, measured like head.
func (l *timeline) end() time.Duration {
	if v := &l.clocks[media.Video]; v.known && v.idle <= maxFrame {
		return v.end()
	}
	return l.soundEnd()
}

// soundEnd is where the newest sound ends, measured like head.
func (l *timeline) soundEnd() time.Duration {
	a := &l.clocks[media.Audio]
	return l.head() + a.end() - a.t
}
