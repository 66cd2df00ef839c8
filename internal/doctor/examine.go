package doctor

import (
	"math"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	// silence is after what time a medium is missing that never came, or that
	// came no more: encoders start both within a second.
	silence = 5 * time.Second
	// alive is how recent a packet makes a track one that is there: at least
	// one frame a second is usual, also for slides.
	alive = 2 * time.Second

	// gopSlack: timestamps are rounded to milliseconds, frame rates like 29.97
	// make two seconds 2.002.
	gopSlack = 100 * time.Millisecond
	// gopWithoutHLS is the limit where no fragment sets one: RTMP players get
	// a picture at once only from a keyframe of the last 5 s.
	gopWithoutHLS = 5 * time.Second
	// gopsJudged are needed to call them irregular.
	gopsJudged = 4

	// A second of delay is more than what players of a live stream hold back
	// for bad moments; OBS begins to drop frames after 0.7 s.
	lateBad, lateFine = time.Second, 500 * time.Millisecond
	// A spread of 400 ms is that of a radio link or a full upload.
	jitterBad, jitterFine = 400 * time.Millisecond, 200 * time.Millisecond
	// gapsBad in a minute: two hiccups of both tracks are four, more are a habit.
	gapsBad = 5

	bFramesRecent, bFramesGone = 10 * time.Second, 30 * time.Second
)

// Examine judges what has come until now; it is to be called once a second.
// fragment is that of the application's HLS, 0 without. It appends to buf the
// findings that are new and have not been reported for a while.
func (d *Doctor) Examine(now time.Time, fragment time.Duration, buf []Finding) []Finding {
	at := now.Sub(d.start)
	d.measure(at)
	d.swings.add(at, &d.tracks[media.Video])

	video, audio := &d.tracks[media.Video], &d.tracks[media.Audio]
	d.judge(noAudio, at, missing(audio, video, at))
	d.judge(noVideo, at, missing(video, audio, at))
	d.judge(inputStalled, at, d.stalled(at))
	d.judgeContest(at)
	d.judgeGOPs(at, fragment)
	d.judgeBitstream(at)
	d.judgeCodecs(at, fragment)

	since := d.minuteAgo()
	gaps, jumps := d.gaps-since.gaps, d.jumps-since.jumps
	d.judge(timestampGaps, at, between(gaps >= gapsBad, gaps == 0))
	d.judge(timestampJumps, at, between(jumps > 0, jumps == 0))
	d.judge(avOffset, at, between(d.offset != 0, d.offset == 0))
	d.judge(framesLate, at, between(d.late > lateBad, d.late < lateFine))
	d.judge(arrivalJitter, at, between(d.jitter > jitterBad, d.jitter < jitterFine))
	d.judge(bitrateSwings, at, d.swings.verdict())

	quiet := at - d.reordered
	d.judge(bFrames, at, between(d.reordered > 0 && quiet < bFramesRecent, d.reordered == 0 || quiet > bFramesGone))
	buf = d.report(at, fragment, buf)
	d.keepContest()
	return buf
}

// minuteAgo is the oldest second kept, nothing if the publisher is younger.
func (d *Doctor) minuteAgo() second {
	if d.secondsSum < secondsKept {
		return second{}
	}
	return d.seconds[d.secondsSum%secondsKept]
}

// measure closes a second.
func (d *Doctor) measure(at time.Duration) {
	t := &d.tracks[d.clock]
	delay, compare := at-t.media-t.step, true // what it will be at least, if nothing came
	if d.delayed {
		delay = d.delayMin
		spread := max(d.delayMax-d.delayMin-batch, 0)
		if compare = d.settled(at, spread); compare {
			d.jitter += (spread - d.jitter) / 8
		}
	} else if d.quiet(at) >= pauseFrom {
		compare = false // a pause is no lateness
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

// chooseClock follows the video as long as there is any: it is what is late
// when an upload is full. Another track's delays compare with nothing before.
func (d *Doctor) chooseClock(at time.Duration) {
	clock := d.clock
	switch {
	case d.tracks[media.Video].there(at):
		clock = media.Video
	case d.tracks[media.Audio].there(at):
		clock = media.Audio
	}
	if clock == d.clock && d.tracks[clock].packets > 0 {
		return
	}
	d.clock = clock
	d.forgetDelays()
}

// there says whether the track is one that goes on.
func (t *track) there(at time.Duration) bool { return t.packets > 0 && at-t.arrived < alive }

// missing judges t, while other goes on.
func missing(t, other *track, at time.Duration) opinion {
	switch {
	case t.there(at):
		return fine
	case other.there(at) && at-t.arrived > silence:
		return bad
	}
	return unsure
}

// judgeGOPs looks at the lengths of the groups of pictures.
func (d *Doctor) judgeGOPs(at, fragment time.Duration) {
	recent := d.recentGOP()
	long, limit, other := gopLongerThanFragment, fragment, gopLong
	if fragment <= 0 {
		long, limit, other = gopLong, gopWithoutHLS, gopLongerThanFragment
	}
	d.judge(long, at, between(recent > limit+gopSlack, recent <= limit+gopSlack))
	d.judge(other, at, fine)

	shortest, longest := d.gopRange()
	longest = max(longest, d.open())
	judged := d.gopsSum >= gopsJudged
	spread := longest - shortest
	d.judge(gopIrregular, at, between(
		judged && longest > shortest*3/2 && spread > 5*gopSlack,
		longest <= shortest*6/5+gopSlack))
}

// swings are the mean bit rates of the video over some stretches of 10 s of
// media time: shorter ones differ by where the keyframes lie.
type swings struct {
	began time.Duration // on the clock of arrival
	bytes uint64
	media time.Duration
	rates [6]float64 // bits/s; a minute of them
	n     int        // stretches, the first one not counted: encoders begin with a burst
}

const (
	swingSpan = 10 * time.Second
	// swingsJudged is half a minute; less is one scene.
	swingsJudged = 3
	// A constant bit rate stays within a few percent; three times as much is
	// what fills the buffer of a viewer's connection that was just enough.
	swingBad, swingFine = 3, 2
	// swingFloor: below, a stream fits everywhere.
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

func (s *swings) verdict() opinion {
	n := min(s.n-1, len(s.rates))
	if n < swingsJudged {
		return unsure
	}
	least, most := s.rates[0], s.rates[0]
	for _, r := range s.rates[:n] {
		least, most = min(least, r), max(most, r)
	}
	return between(most > swingBad*least && most > swingFloor, most < swingFine*least || most < swingFloor)
}
