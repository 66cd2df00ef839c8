package hls

import (
	"math"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	// maxSegmentBytes of memory end a fragment whatever its duration: it is
	// held by pointer and muxed in memory. 24 MiB are 2 s of 100 Mb/s.
	maxSegmentBytes = 24 << 20
	// cutTolerance lets a GOP of 1.996 s, which is what 2 s may become in
	// RTMP's milliseconds, fill a fragment of 2 s.
	cutTolerance = 10 * time.Millisecond
	// hole is the silence in front of a cut that is too long to be EXTINF.
	hole = 500 * time.Millisecond
)

// rules are what the config says about cutting.
type rules struct {
	fragment    time.Duration
	maxFragment time.Duration // at least fragment
	aligned     bool
}

// A segmenter turns packets into segments. It decides, and touches no file.
type segmenter struct {
	rules rules
	// soon, if set, is a shorter fragment that rules will say after the next
	// cut: that one can come earlier.
	soon time.Duration
	// limit is how long a fragment may be without its EXTINF rounding above
	// the playlist's TARGETDURATION; 0 until that is known.
	limit time.Duration
	// emit takes a finished segment; it must not keep it or its packets.
	emit func(*segment)
	// forced is told of a cut away from a keyframe and the GOP so far.
	forced func(gop time.Duration)

	open     *segment
	spare    *segment // the one emitted last, for its memory
	line     timeline
	wait     patience
	picture  admitted
	started  bool
	epoch    uint32
	broken   bool            // the next segment begins with a discontinuity
	turned   bool            // and so does the one after the open segment: its audio is coded differently
	moves    bool            // p, of push, comes after a picture that stood still
	keyTrack *media.Track    // of the newest keyframe: its frames are decodable
	keyTime  time.Duration   // of the newest keyframe
	previous [2]*media.Track // what the last segment carried
	any      bool            // there was a last segment
	carry    bool            // and of the same encoder: its tracks are there, silent or not
	nextAt   time.Duration   // where the last segment ended, if any
	delayed  []*media.Packet // audio of another codec than the open segment's

	waiting   bool   // aligned: nothing is written before the first boundary
	waitIndex uint32 // fragment index of the first packet waited with
	dropped   uint64 // packets that went into no segment, for stat
}

// push takes the next packet of the stream. now is when it was read, elapsed the
// same on a clock that nobody sets.
func (s *segmenter) push(p *media.Packet, now time.Time, elapsed time.Duration) {
	if s.started && p.Epoch != s.epoch {
		s.interrupt(p.DTS)
	}
	if !s.started {
		s.started, s.epoch = true, p.Epoch
		s.waiting, s.waitIndex = s.rules.aligned, s.index(p)
	}
	if len(p.Data) == 0 {
		return // a zero-length message: nothing to lose
	}
	if p.Continues {
		s.goOn(p)
		return
	}
	kind, sent := p.Track.Kind, p
	if kind == media.Video {
		s.picture.first = nil
	}
	if kind == media.Video && !p.Keyframe && s.headless(p) {
		s.dropped++
		return
	}
	t, v := s.line.judge(p)
	if kind == media.Video && v == fits && !s.wait.moves(&s.line, t, elapsed) {
		v = jumps
	}
	switch v {
	case drops:
		s.dropped++
		return
	case jumps:
		s.close(s.line.end())
		s.dropDelayed()
		s.broken = true
		s.line.jump(t)
	case fits:
	}
	hand := &s.line.hands[kind]
	s.moves = hand.known && max(hand.idle, t-hand.t, s.line.stood) >= still
	p, t = s.line.admit(p, t)
	if s.waiting && !s.boundary(p) {
		s.dropped++
		return
	}
	s.cutBefore(p, t)
	if s.mustWait(p) {
		s.delay(p)
		return
	}
	s.add(p, t, elapsed, now)
	if kind == media.Video {
		s.picture = admitted{first: p, moved: p.DTS + p.CTS - sent.DTS - sent.CTS}
	}
}

// headless says that a video frame can't be decoded where it would go, since
// the keyframe is still to come.
func (s *segmenter) headless(p *media.Packet) bool {
	if s.keyTrack != p.Track {
		return true
	}
	back := s.any && s.previous[media.Video] == nil // after audio alone
	return back && (s.open == nil || s.open.tracks[media.Video] == nil)
}

// interrupt ends the segment because another encoder, or the same anew, begins.
func (s *segmenter) interrupt(t time.Duration) {
	end := s.line.end()
	if t >= end-maxFrame && t <= end+maxFrame {
		end = max(t, end)
	}
	s.close(end)
	s.lose()
	s.started, s.carry = false, false
	s.line.shift = 0
}

// lose is told that what comes next does not follow what came last: the
// stream passed its ring's end, or a new encoder begins.
func (s *segmenter) lose() {
	s.close(s.line.end())
	s.dropDelayed()
	s.line.restart()
	s.broken = true
	s.keyTrack = nil
}

// finish ends the last segment.
func (s *segmenter) finish() {
	s.close(s.line.end())
	s.dropDelayed()
}

// boundary says whether the first segment may begin with p, and if so stops waiting.
func (s *segmenter) boundary(p *media.Packet) bool {
	if p.Track.Kind == media.Video && !p.Keyframe || p.Track.Kind == media.Audio && s.line.hands[media.Video].known {
		return false
	}
	length := uint32(s.rules.fragment.Milliseconds())
	atStart := length > 0 && p.Timestamp%length <= uint32(cutTolerance.Milliseconds())
	if !atStart && s.index(p) == s.waitIndex {
		return false
	}
	s.waiting = false
	return true
}

// index numbers the fragments of aligned slicing by the publisher's own clock,
// so that the renditions of one source are cut at the same frames.
func (s *segmenter) index(p *media.Packet) uint32 {
	return p.Timestamp / uint32(max(s.rules.fragment.Milliseconds(), 1))
}

// close ends the open segment at t and hands it on.
func (s *segmenter) close(t time.Duration) {
	g := s.open
	if g == nil {
		return
	}
	s.open = nil
	s.picture.first = nil
	g.duration = max(t.Round(time.Millisecond)-g.start, time.Millisecond)
	if s.limit > 0 {
		g.duration = min(g.duration, s.limit)
	}
	for kind := range g.tracks {
		if g.tracks[kind] == nil && s.carry && s.line.hands[kind].idle < gone {
			g.tracks[kind] = s.previous[kind]
		}
	}
	if s.any && g.tracks != s.previous {
		g.discontinuity = true // RFC 8216 §4.3.2.3: number or type of tracks
	}
	s.previous, s.any, s.carry = g.tracks, true, true
	s.broken, s.turned = s.broken || s.turned, false
	s.nextAt = g.start + g.duration
	s.emit(g)
	clear(g.packets)
	*g = segment{packets: g.packets[:0]}
	s.spare = g
}

func (s *segmenter) add(p *media.Packet, t, elapsed time.Duration, now time.Time) {
	kind := p.Track.Kind
	g := s.open
	if g == nil {
		loose := kind == media.Audio && !s.line.hands[media.Video].known && (!s.any || s.broken)
		g = s.begin(p.Timestamp, s.line.head(), now)
		g.delay = elapsed - s.line.head()
		g.loose = loose
		s.addDelayed(g)
	}
	if kind == media.Video {
		s.wait.arrived = elapsed
		if p.Keyframe {
			s.keyTrack, s.keyTime = p.Track, t
		}
		if g.frames == 0 {
			g.independent = p.Keyframe
			if g.loose {
				// The sound before it was measured by its own clock.
				if apart := t - s.line.hands[media.Audio].t; apart.Abs() > 2*frameGuess {
					g.start += apart.Round(time.Millisecond)
				}
				g.loose = false
			}
		}
		g.frames++
	}
	if kind == media.Audio {
		// It changes only while a timeline, and so this segment, has no audio.
		g.audioShift = s.line.shift
	}
	if !s.turned || kind == media.Video || g.tracks[kind] == nil {
		g.tracks[kind] = p.Track
	}
	g.packets = append(g.packets, p)
	g.bytes += int64(len(p.Data))
	g.held += p.Held() + g.headers.Charge(p)
	if v := &s.line.hands[media.Video]; kind == media.Video || !v.known || v.idle >= still {
		g.delay = min(g.delay, elapsed-s.line.head())
	}
	g.end, g.head = s.line.end(), s.line.head()
}

func (s *segmenter) begin(timestamp uint32, t time.Duration, now time.Time) *segment {
	g := s.spare
	if g == nil {
		g = &segment{}
	}
	s.spare = nil
	g.start = t.Round(time.Millisecond)
	g.independent = true
	g.discontinuity = s.broken
	g.timestamp = timestamp
	g.opened = now
	g.delay = math.MaxInt64
	if s.any && !s.broken && g.start-s.nextAt <= maxFrame && s.nextAt-g.start <= maxFrame {
		g.start = s.nextAt // so that EXTINFs add up
	}
	s.broken = false
	s.open = g
	return g
}
