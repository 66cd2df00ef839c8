// Package doctor examines the media of a publisher as it arrives: frame rate, groups of
// pictures, timestamps, jitter and delay of packets. A problem becomes a Finding with
// advice for the publisher.
//
// A packet costs a few additions; the evaluation is done once a second.
package doctor

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Figures are the measurements of a publisher.
type Figures struct {
	FrameRate float64       // video frames/s by their timestamps, over the last 10 s; 0: not known
	GOP       time.Duration // between the last two keyframes; 0: unknown
	GOPMin    time.Duration // of the last 8
	GOPMax    time.Duration // of the last 8 and the present one
	Gaps      uint64        // timestamps that skip several frames, which are missing
	Jumps     uint64        // timestamps that go back, or far ahead
	Jitter    time.Duration // spread of the delays within a second beyond the server's own 110 ms, smoothed
	Late      time.Duration // delay beyond the least of the last minute
	BFrames   bool          // in the last 10 s
}

// A Doctor examines one publisher. Its methods are called one at a time.
type Doctor struct {
	// Carries, if set, reports whether HLS fragments can carry a track.
	Carries func(*media.Track) bool
	// Fragmented, if set, reports whether HLS fragments are MP4, not MPEG-TS.
	Fragmented func() bool

	start  time.Time
	tracks [2]track // of video and audio, by media.Kind

	gaps, jumps uint64
	outliers    uint64        // the last value of Repaired
	offset      time.Duration // of audio; see Repaired

	// Groups of pictures, in media time of the video.
	hasKey  bool
	key     time.Duration // of the newest keyframe, or of a gap after it
	gops    [gopsKept]time.Duration
	gopsSum int // completed; the newest is at gopsSum-1 modulo gopsKept

	// B-frames: the composition offset goes up and down.
	cts       time.Duration
	reordered time.Duration // arrival of the last one; 0: none

	// The delay of a packet is its arrival minus its media time. Only differences of
	// delays have a meaning.
	clock              media.Kind    // the track whose delays are measured
	delayed            bool          // the next two are valid
	delayMin, delayMax time.Duration // since the last Examine
	jitter, late       time.Duration
	pause              pause

	// A ring of the last seconds, and of the last bit rates.
	seconds    [secondsKept]second
	secondsSum int
	swings     swings

	defects  media.Defects // of the bit stream, now
	contest  *Contest      // of its stream; nil: not tracked
	findings [numFindings]state
}

// A track holds the measurements of the video or the audio.
type track struct {
	coded   *media.Track // the newest packet's
	packets uint64
	bytes   uint64
	last    uint32        // RTMP timestamp, ms
	media   time.Duration // since the first packet, without jumps
	arrived time.Duration // of the newest packet, since start
	step    time.Duration // between two packets, mean
}

// A second holds the figures of one Examine.
type second struct {
	delay       time.Duration // the least
	frames      uint64        // of video, since start
	media       time.Duration // of video
	gaps, jumps uint64        // since start
}

const (
	gopsKept    = 8
	secondsKept = 60

	// learn is the number of packets after which the mean step is known; before that
	// nothing counts as a gap.
	learn = 8
	// gapSteps and gapFloor: a gap is longer than three frames and 150 ms. One frame
	// lost by a capture card does not matter, and some encoders send audio in bursts.
	gapSteps = 3
	gapFloor = 150 * time.Millisecond
	// back is how far timestamps may go back unreported: some encoders send audio
	// slightly out of order.
	back = 100 * time.Millisecond
	// jumpAhead is more than a pause explains: congested encoders drop up to a few
	// groups of pictures.
	jumpAhead = 10 * time.Second

	// batch is what the server itself adds to the spread of delays: publishers
	// without RTMP players are read at the read tick, every 100 ms when there are many.
	batch = 110 * time.Millisecond

	rateSpan = 10 // seconds the frame rate is the mean of
)

// New returns the Doctor of a publisher that starts now.
func New(start time.Time) *Doctor { return &Doctor{start: start} }

// Repaired sets the repairs of timestamps so far: how many outliers were ignored, and how
// far audio was ahead of video before it was aligned, 0 if it was not. Packet gets the
// repaired timestamps.
func (d *Doctor) Repaired(outliers uint64, offset time.Duration) {
	if outliers > d.outliers {
		d.jumps += outliers - d.outliers
	}
	d.outliers, d.offset = outliers, offset
}

// Packet measures a packet that arrived at now. It does not allocate.
func (d *Doctor) Packet(p *media.Packet, now time.Time) {
	kind := p.Track.Kind
	if kind > media.Audio || p.Track.ID != 0 {
		return
	}
	at := now.Sub(d.start)
	d.pause.arrive(at)
	t := &d.tracks[kind]
	t.coded = p.Track
	if p.Continues { // part of a frame that was counted
		t.bytes += uint64(len(p.Tag))
		t.arrived = at
		return
	}
	gap, jump := t.add(p, at)
	if gap {
		d.gaps++
	}
	if jump {
		d.jumps++
	}
	if kind == media.Video {
		if gap {
			d.hasKey, d.key = false, t.media // the length of a GOP with a gap does not show the encoder's settings
		}
		d.picture(p, at)
	}
	if kind == d.clock {
		delay := at - t.media
		if !d.delayed {
			d.delayed, d.delayMin, d.delayMax = true, delay, delay
		}
		d.delayMin, d.delayMax = min(d.delayMin, delay), max(d.delayMax, delay)
	}
}

// add advances the track's clock to p.
func (t *track) add(p *media.Packet, at time.Duration) (gap, jump bool) {
	t.packets++
	t.bytes += uint64(max(len(p.Tag), len(p.Data)))
	t.arrived = at
	if t.packets == 1 {
		t.last = p.Timestamp
		return false, false
	}
	step := time.Duration(int32(p.Timestamp-t.last)) * time.Millisecond
	t.last = p.Timestamp
	switch {
	case step < -back || step > jumpAhead:
		t.media += t.step // ignore the timestamps: the two are one step apart
		return false, true
	case step < 0:
		t.media += step
		return false, false
	case t.packets <= learn:
		t.media += step
		t.step = t.media / time.Duration(t.packets-1)
		return false, false
	}
	gap = step > max(gapSteps*t.step, t.step+gapFloor)
	t.media += step
	t.step += (min(step, 4*t.step+time.Millisecond) - t.step) / 16 // a pause must not change the frame rate
	return gap, false
}

// picture updates the group of pictures with a video packet.
func (d *Doctor) picture(p *media.Packet, at time.Duration) {
	t := &d.tracks[media.Video]
	if p.Keyframe {
		if gop := t.media - d.key; d.hasKey && gop > 0 {
			d.gops[d.gopsSum%gopsKept] = gop
			d.gopsSum++
		}
		d.hasKey, d.key = true, t.media
	}
	if p.CTS != d.cts && t.packets > 1 {
		d.reordered = max(at, 1)
	}
	d.cts = p.CTS
}

// Figures returns what was measured, as of the last Examine.
func (d *Doctor) Figures() Figures {
	f := Figures{Gaps: d.gaps, Jumps: d.jumps, Jitter: d.jitter, Late: d.late, FrameRate: d.frameRate()}
	if d.gopsSum > 0 {
		f.GOP = d.gops[(d.gopsSum-1)%gopsKept]
	}
	f.GOPMin, f.GOPMax = d.gopRange()
	f.GOPMax = max(f.GOPMax, d.open())
	f.BFrames = d.findings[bFrames].active
	return f
}

// gopRange returns the shortest and the longest GOP kept.
func (d *Doctor) gopRange() (shortest, longest time.Duration) {
	for i, g := range d.gops[:min(d.gopsSum, gopsKept)] {
		if i == 0 || g < shortest {
			shortest = g
		}
		longest = max(longest, g)
	}
	return shortest, longest
}

// recentGOP returns the longest of the newest two GOPs and the present one. Older ones
// may be from before a change of the encoder's settings.
func (d *Doctor) recentGOP() time.Duration {
	longest := d.open()
	for i := range min(d.gopsSum, 2) {
		longest = max(longest, d.gops[(d.gopsSum-1-i)%gopsKept])
	}
	return longest
}

// open returns the length so far of the present GOP.
func (d *Doctor) open() time.Duration { return d.tracks[media.Video].media - d.key }

// frameRate is computed from timestamps, so that it does not vary with the network.
func (d *Doctor) frameRate() float64 {
	if d.secondsSum < 2 {
		return 0
	}
	newest := d.seconds[(d.secondsSum-1)%secondsKept]
	oldest := d.seconds[(d.secondsSum-min(d.secondsSum, rateSpan+1))%secondsKept]
	span := newest.media - oldest.media
	if span <= 0 {
		return 0
	}
	frames := newest.frames - oldest.frames
	if oldest.frames == 0 {
		frames-- // the span is between frames
	}
	return float64(frames) / span.Seconds()
}
