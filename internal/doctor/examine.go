package doctor

import (
	"math"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	// silence is the time after which an absent medium counts as missing: encoders
	// start both within a second.
	silence = 5 * time.Second
	// alive is the greatest age of the newest packet of a present track: even slides
	// usually have a frame per second.
	alive = 2 * time.Second

	// gopSlack: timestamps are rounded to milliseconds, frame rates like 29.97
	// make two seconds 2.002.
	gopSlack = 100 * time.Millisecond
	// gopWithoutHLS is the limit where no fragment sets one: RTMP players get
	// a picture at once only from a keyframe of the last 5 s.
	gopWithoutHLS = 5 * time.Second
	// gopsNeeded is the number of GOPs needed to call them irregular.
	gopsNeeded = 4

	// A delay of one second exceeds the usual buffer of live players; OBS begins to
	// drop frames after 0.7 s.
	lateBad, lateFine = time.Second, 500 * time.Millisecond
	// A spread of 400 ms is typical of a radio link or a saturated upload.
	jitterBad, jitterFine = 400 * time.Millisecond, 200 * time.Millisecond
	// gapsBad is per minute: two interruptions of both tracks are four gaps.
	gapsBad = 5

	bFramesRecent, bFramesGone = 10 * time.Second, 30 * time.Second
)

// Examine evaluates what has arrived until now. Call it once a second.
// fragment is that of the application's HLS, 0 without. It appends to buf the
// findings that are new and were not reported for quietFor.
func (d *Doctor) Examine(now time.Time, fragment time.Duration, buf []Finding) []Finding {
	at := now.Sub(d.start)
	d.measure(at)
	d.swings.add(at, &d.tracks[media.Video])

	video, audio := &d.tracks[media.Video], &d.tracks[media.Audio]
	d.update(noAudio, at, missing(audio, video, at))
	d.update(noVideo, at, missing(video, audio, at))
	d.update(inputStalled, at, d.stalled(at))
	d.checkContest(at)
	d.checkGOPs(at, fragment)
	d.checkBitstream(at)
	d.checkCodecs(at, fragment)

	since := d.minuteAgo()
	gaps, jumps := d.gaps-since.gaps, d.jumps-since.jumps
	d.update(timestampGaps, at, between(gaps >= gapsBad, gaps == 0))
	d.update(timestampJumps, at, between(jumps > 0, jumps == 0))
	d.update(avOffset, at, between(d.offset != 0, d.offset == 0))
	d.update(framesLate, at, between(d.late > lateBad, d.late < lateFine))
	d.update(arrivalJitter, at, between(d.jitter > jitterBad, d.jitter < jitterFine))
	d.update(bitrateSwings, at, d.swings.opinion())

	quiet := at - d.reordered
	d.update(bFrames, at, between(d.reordered > 0 && quiet < bFramesRecent, d.reordered == 0 || quiet > bFramesGone))
	buf = d.report(at, fragment, buf)
	d.keepContest()
	return buf
}

// minuteAgo returns the oldest second kept; zero for a publisher of less than a minute.
func (d *Doctor) minuteAgo() second {
	if d.secondsSum < secondsKept {
		return second{}
	}
	return d.seconds[d.secondsSum%secondsKept]
}

// measure ends a second.
func (d *Doctor) measure(at time.Duration) {
	t := &d.tracks[d.clock]
	delay, compare := at-t.media-t.step, true // without a packet: the least it can be
	if d.delayed {
		delay = d.delayMin
		spread := max(d.delayMax-d.delayMin-batch, 0)
		if compare = d.settled(at, spread); compare {
			d.jitter += (spread - d.jitter) / 8
		}
	} else if d.quiet(at) >= pauseFrom {
		compare = false // a pause does not count as lateness
	}
	d.delayed = false
	if !compare {
		delay = math.MaxInt64
	}
	d.seconds[d.secondsSum%secondsKept] = second{
		delay: delay, frames: d.tracks[media.Video].packets, media: d.tracks[media.Video].media,
		gaps: d.gaps, jumps: d.jumps,
	}
	d.secondsSum++
	if compare {
		best := delay
		for i := range min(d.secondsSum, secondsKept) {
			best = min(best, d.seconds[i].delay)
		}
		d.late = delay - best
	}
	d.chooseClock(at)
}

// chooseClock picks the track whose delays are measured: video if present, because it is
// late when an upload is saturated. After a change earlier delays don't compare.
func (d *Doctor) chooseClock(at time.Duration) {
	clock := d.clock
	switch {
	case d.tracks[media.Video].present(at):
		clock = media.Video
	case d.tracks[media.Audio].present(at):
		clock = media.Audio
	}
	if clock == d.clock && d.tracks[clock].packets > 0 {
		return
	}
	d.clock = clock
	d.forgetDelays()
}

// present reports whether the track has recent packets.
func (t *track) present(at time.Duration) bool { return t.packets > 0 && at-t.arrived < alive }

// missing reports whether t is absent while other is present.
func missing(t, other *track, at time.Duration) opinion {
	switch {
	case t.present(at):
		return fine
	case other.present(at) && at-t.arrived > silence:
		return bad
	}
	return unsure
}

// checkGOPs updates the findings about the lengths of GOPs.
func (d *Doctor) checkGOPs(at, fragment time.Duration) {
	recent := d.recentGOP()
	long, limit, other := gopLongerThanFragment, fragment, gopLong
	if fragment <= 0 {
		long, limit, other = gopLong, gopWithoutHLS, gopLongerThanFragment
	}
	d.update(long, at, between(recent > limit+gopSlack, recent <= limit+gopSlack))
	d.update(other, at, fine)

	shortest, longest := d.gopRange()
	longest = max(longest, d.open())
	enough := d.gopsSum >= gopsNeeded
	spread := longest - shortest
	d.update(gopIrregular, at, between(
		enough && longest > shortest*3/2 && spread > 5*gopSlack,
		longest <= shortest*6/5+gopSlack))
}

// swings holds mean bit rates of the video over intervals of 10 s: shorter ones depend
// on where the keyframes are.
type swings struct {
	began time.Duration // of the present interval, by arrival
	bytes uint64
	media time.Duration
	rates [6]float64 // bits/s, over the last minute
	n     int        // intervals; the first one is ignored, because encoders begin with a burst
}

const (
	swingSpan = 10 * time.Second
	// swingsNeeded intervals are half a minute; less may be one scene.
	swingsNeeded = 3
	// A constant bit rate varies by a few percent. A viewer whose connection just
	// suffices stalls at three times the rate.
	swingBad, swingFine = 3, 2
	// swingFloor, in bits/s: any connection carries less.
	swingFloor = 1e6
)

func (s *swings) add(at time.Duration, t *track) {
	if at-s.began < swingSpan {
		return
	}
	if span := t.media - s.media; span > 0 {
		if s.n > 0 {
			s.rates[(s.n-1)%len(s.rates)] = float64(t.bytes-s.bytes) * 8 / span.Seconds()
		}
		s.n++
	}
	s.began, s.bytes, s.media = at, t.bytes, t.media
}

func (s *swings) opinion() opinion {
	n := min(s.n-1, len(s.rates))
	if n < swingsNeeded {
		return unsure
	}
	least, most := s.rates[0], s.rates[0]
	for _, r := range s.rates[:n] {
		least, most = min(least, r), max(most, r)
	}
	return between(most > swingBad*least && most > swingFloor, most < swingFine*least || most < swingFloor)
}
