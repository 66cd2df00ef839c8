package flv

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Bounds of the timestamps that a clock accepts, in ms.
const (
	// maxDTS is where a clock stops following jumps: 100 years, far from the
	// 292 that a Duration holds.
	maxDTS = 100 * 365 * 24 * 60 * 60 * 1000

	// maxSkew is the distance of audio from video that is kept as sent. A
	// larger one at the start, where both arrive together, means that they
	// count from different zeros.
	maxSkew = 1000
	// lateStart is how long a track may come after the other one and still be
	// known by its first timestamp to count from the same zero.
	lateStart = 3000

	// slack is what a step may differ from what arrival and the other track
	// say, beside one frame.
	slack = 200
	// batch is how unevenly messages arrive only because the server reads
	// publishers in batches.
	batch = 110
	// patience is how long timestamps may stand still before time goes on
	// without them, if stillPackets or more share one. Fewer are two frames of
	// one millisecond, or of several tracks, with a pause of the network between.
	patience     = 250
	stillPackets = 4

	// A jump is accepted when jumpPackets in a row agree on it over at least
	// jumpSpan of media.
	jumpPackets = 4
	jumpSpan    = 300
	// maxSlip is how far one track may jump ahead alone. If the other one does
	// not follow a longer jump within jumpAlone, it is another zero.
	maxSlip   = 10000
	jumpAlone = 1000

	// maxSpeed is how much faster than real time a publisher may send.
	maxSpeed = 16
)

// A clock makes DTS of RTMP timestamps, which are 32 bits of ms and often
// wrong. It compares each track with itself, with its arrival and with the
// progress of the other track.
//
//   - A timestamp far from both sides' expectation is an outlier. Its packet is
//     placed behind the one before until several packets agree on the new time.
//   - Then a jump ahead is followed, and a jump back of more than maxSkew is not:
//     the track goes on one frame after its last. When both tracks jump they
//     stay in step. A track that is coded in another way from here on is accepted
//     at once: its encoder has started again.
//   - A track whose timestamps stand still goes on by the other track's
//     progress, without another one by arrival.
//   - Tracks that count from different zeros are aligned once, by arrival.
//
// Positions are in ms after base.
type clock struct {
	base   time.Duration
	tracks [2]trackClock // of video and audio
	wire   int64         // the publisher's timestamp at base, modulo 2^32; the video's if there is any

	timed bool  // arrival is known
	now   int64 // arrival of the present message, ms
	speed int64 // media time to arrival time, in percent, with a margin
	pace  point // where speed was measured last

	moved   int64 // the last jump back: added to the track's positions since
	repairs Repairs
}

// Repairs counts the corrections of a clock.
type Repairs struct {
	// Outliers counts the runs of timestamps that were not accepted at once.
	Outliers uint64
	// Offset is how far audio was ahead of the video that arrives with it
	// before both were aligned; 0: they were not.
	Offset time.Duration
}

// A point is one packet of a track.
type point struct {
	raw  uint32 // its timestamp
	pos  int64  // its position as sent
	at   int64  // its arrival
	mark int64  // where the other track was then
}

// A trackClock is the position of one track.
type trackClock struct {
	point // the newest accepted packet

	known  bool
	first  point
	coded  *media.Track
	before point // the packet before the last long step; at < 0: there is none
	out    int64 // the position that the newest packet got
	step   int64 // between two packets, mean
	ahead  int64 // how far out was ahead of arrival, of late at most
	still  int   // packets of track 0 in a row that repeated the timestamp

	// The packets in a row that were not accepted.
	strays    int
	strayFrom uint32
	stray     point
}

// arrived sets when the next message arrived.
func (c *clock) arrived(at time.Duration) {
	now := at.Milliseconds()
	if !c.timed {
		c.timed, c.speed = true, maxSpeed*100
		c.pace = point{at: now}
	}
	c.now = max(c.now, now)
}

// dts places a packet of t. stamp is the timestamp that belongs to the DTS.
func (c *clock) dts(t *media.Track, ts uint32) (dts time.Duration, stamp uint32) {
	h, o := &c.tracks[t.Kind], &c.tracks[1-t.Kind]
	if h.step == 0 {
		if h.step = t.FrameDuration().Milliseconds(); h.step == 0 {
			h.step = 40
		}
	}
	again := h.coded != t && t.ID == 0
	if t.ID == 0 {
		h.coded = t
		h.still++
	}
	switch {
	case !h.known:
		c.begin(t.Kind, ts)
	case again && !c.plausible(h, o, h.point, ts):
		c.jump(h, o, ts, jumpAlone)
	default:
		c.place(h, o, ts)
	}
	c.measure(h)
	return c.position(h.out)
}

func (c *clock) position(pos int64) (dts time.Duration, stamp uint32) {
	return c.base + time.Duration(pos)*time.Millisecond, uint32(c.wire + pos)
}

// newest returns the position of the track that is ahead; before the first packet it is
// base, and ts.
func (c *clock) newest(ts uint32) (dts time.Duration, stamp uint32) {
	v, a := &c.tracks[media.Video], &c.tracks[media.Audio]
	switch {
	case !v.known && !a.known:
		return c.base, ts
	case !v.known, a.known && a.out > v.out:
		return c.position(a.out)
	}
	return c.position(v.out)
}

// begin places the first packet of a track.
func (c *clock) begin(kind media.Kind, ts uint32) {
	h, o := &c.tracks[kind], &c.tracks[1-kind]
	pos := int64(0)
	if o.known {
		pos = o.pos + between(o.raw, ts)
		waited := c.now - o.at
		near := pos-o.out >= -maxSkew && pos-o.out <= waited+maxSkew
		first := between(o.first.raw, ts)
		together := first >= -maxSkew && first <= maxSkew && o.out-o.first.pos <= lateStart
		if !near && !together {
			aligned := o.out + waited
			ahead := pos - aligned
			if kind == media.Video {
				ahead = -ahead
			}
			c.repairs.Offset = time.Duration(ahead) * time.Millisecond
			pos = aligned
		}
	}
	if !o.known || kind == media.Video {
		c.wire = int64(ts) - pos
	}
	h.known, h.before.at, h.ahead = true, -1, pos-c.now
	h.point = point{raw: ts, pos: pos, at: c.now, mark: o.out}
	h.first, h.out, h.still = h.point, pos, 0
	o.mark = pos
}

// between is the signed distance from a to b modulo 2^32: the wrap after 49.7
// days is a step ahead.
func between(a, b uint32) int64 { return int64(int32(b - a)) }

// place sets h.out for a packet with timestamp ts.
func (c *clock) place(h, o *trackClock, ts uint32) {
	d := between(h.raw, ts)
	pos := h.pos + d
	switch {
	case d == 0 && h.strays == 0:
		if h.still >= stillPackets && c.guess(h, o)-h.pos > patience {
			h.out = c.next(h, o)
		}
	case c.plausible(h, o, h.point, ts):
		if pos < h.out-slack { // time went on while the timestamps stood still
			pos = h.out + h.step
		}
		c.accept(h, o, pos, ts)
	case d < 0 && h.before.at >= 0 && c.plausible(h, o, h.before, ts):
		// The last long step was the outlier.
		c.accept(h, o, h.before.pos+between(h.before.raw, ts), ts)
		h.before.at = -1
	case c.moved != 0 && c.fits(h, o, h.point, d+c.moved):
		c.accept(h, o, pos+c.moved, ts) // the other track has jumped back already
		c.moved = 0
	default:
		c.outlier(h, o, ts)
	}
}

// plausible reports whether a packet with ts may follow p in h's track.
func (c *clock) plausible(h, o *trackClock, p point, ts uint32) bool {
	return c.fits(h, o, p, between(p.raw, ts))
}

// fits is plausible for a step d: it is not back, and not longer than what the
// other track or the arrival speaks for.
func (c *clock) fits(h, o *trackClock, p point, d int64) bool {
	most := int64(0)
	if o.known {
		most = max(most, o.out-p.mark)
	}
	if most > maxSlip && d > maxSlip { // the other track has jumped
		return d >= most-maxSkew && d <= most+maxSkew && p.pos+d <= maxDTS
	}
	switch {
	case !c.timed:
		most = max(most, maxSlip)
	case o.known && c.now-o.at < batch: // the other track's word is the better one
	default:
		most = max(most, (c.now-p.at+batch)*c.speed/100, min(c.now+h.ahead-p.pos, maxSlip))
	}
	return d >= -slack && d <= most+slack+h.step && p.pos+d <= maxDTS
}

// guess is where h's track should be by the progress of the other one, without
// another one by arrival.
func (c *clock) guess(h, o *trackClock) int64 {
	if o.known && (o.out > h.mark || c.now-o.at < patience) {
		return h.pos + max(o.out-h.mark, 0)
	}
	return h.pos + c.now - h.at
}

// next returns the position of a packet with an unusable timestamp: one frame after the
// last, unless that is far from where the track should be.
func (c *clock) next(h, o *trackClock) int64 {
	next, guess := h.out+h.step, c.guess(h, o)
	switch {
	case guess > next+patience:
		return guess
	case next > guess+patience:
		return h.out
	}
	return next
}

// accept makes pos, of a packet with ts, the position of the track.
func (c *clock) accept(h, o *trackClock, pos int64, ts uint32) {
	d := pos - h.pos
	if d > patience {
		h.before = h.point
	}
	if d > maxSlip {
		h.before.at = -1
	}
	if d > 0 && d <= 1000 {
		h.step = max(h.step+(d-h.step)/8, 1)
	}
	h.point = point{raw: ts, pos: pos, at: c.now, mark: o.out}
	h.out, h.strays, h.still = pos, 0, 0
}

// outlier takes a packet whose timestamp needs confirmation by the next ones.
func (c *clock) outlier(h, o *trackClock, ts uint32) {
	if h.strays == 0 || !c.plausible(h, o, h.stray, ts) {
		if h.strays == 0 {
			c.repairs.Outliers++
		}
		h.strays, h.strayFrom = 0, ts
	}
	h.strays++
	// Its position counts from the run's first packet: only steps are compared.
	h.stray = point{raw: ts, pos: h.pos, at: c.now, mark: o.out}
	if span := between(h.strayFrom, ts); h.strays >= jumpPackets && span >= jumpSpan && c.jump(h, o, ts, span) {
		return
	}
	h.out = c.next(h, o)
}

// jump follows h's track to ts, on which several packets agree.
func (c *clock) jump(h, o *trackClock, ts uint32, span int64) bool {
	pos := h.pos + between(h.raw, ts)
	alive := o.known && (o.out > h.mark || c.now-o.at < jumpAlone)
	if alive {
		// A track that began with an outlier comes back to the other's clock.
		if shared := o.pos + between(o.raw, ts); shared >= h.out-slack && shared-o.out <= maxSkew && o.out-shared <= maxSkew {
			c.accept(h, o, shared, ts)
			c.repairs.Offset = 0
			return true
		}
	}
	ahead := pos > h.out
	if ahead && alive && pos-h.pos > maxSlip {
		d := between(ts, o.stray.raw)
		together := o.strays > 0 && d >= -maxSkew && d <= maxSkew
		if !together && span < jumpAlone {
			return false // the other one may still follow
		}
		if !together {
			c.accept(h, o, h.out+h.step, ts)
			return true
		}
	}
	if !ahead && h.out-pos > maxSkew || pos > maxDTS {
		c.moved = h.out + h.step - pos
		pos += c.moved
	}
	c.accept(h, o, pos, ts)
	h.before.at = -1 // it was no outlier
	return true
}

// measure keeps how fast media come.
func (c *clock) measure(h *trackClock) {
	if !c.timed {
		return
	}
	if a := h.out - c.now; a > h.ahead {
		h.ahead = a
	} else {
		h.ahead -= (h.ahead - a) / 256
	}
	span := c.now - c.pace.at
	if span < 1000 {
		return
	}
	lead := max(c.tracks[0].out, c.tracks[1].out)
	c.speed = min(max((lead-c.pace.pos)*125/span, 125), maxSpeed*100)
	c.pace = point{at: c.now, pos: lead}
}
