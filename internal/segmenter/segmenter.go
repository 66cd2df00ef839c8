// Package segmenter turns a stream into segments: it decides where to cut, keeps their
// times on one timeline, and writes them in a Container's format.
//
//	packets → Segmenter (where to cut) → Segment → Container (MPEG-TS) → bytes
//
// It writes no file and knows no playlist. A Segmenter and a Container belong to one
// stream and to one goroutine. Until a segment is written it holds the stream's own
// packets, not copies.
package segmenter

import (
	"math"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	// maxSegmentBytes is the most memory that a segment holds: it ends there, whatever
	// its duration. 24 MiB are 2 s of 100 Mb/s.
	maxSegmentBytes = 24 << 20
	// cutTolerance is how much a segment may be shorter than Rules.Fragment. A GOP of
	// 2 s may last 1.996 s in RTMP's milliseconds.
	cutTolerance = 10 * time.Millisecond
	// hole is the longest time without packets before a cut that counts as part of a
	// segment's duration.
	hole = 500 * time.Millisecond
)

// Rules say where segments are cut.
type Rules struct {
	Fragment    time.Duration
	MaxFragment time.Duration // a segment without a keyframe ends here; at least Fragment
	Aligned     bool
	AtOnce      bool // aligned: the first segment begins with the first keyframe, wherever that is
	// Apart: sound after a cut belongs to the next segment, even if it came before the
	// picture that the next segment begins with.
	Apart bool
}

// A Segmenter turns packets into segments.
type Segmenter struct {
	rules  Rules
	soon   time.Duration              // see CutSooner
	limit  time.Duration              // see SetLimit
	emit   func(*Segment)             // see New
	forced func(gop time.Duration)    // see New
	short  func(t time.Duration) bool // see EndShort

	open     *Segment
	spare    *Segment // the segment emitted last; its memory is used again
	line     timeline
	wait     pictureWait
	picture  newestPicture
	started  bool
	epoch    uint32
	broken   bool            // the next segment begins with a discontinuity
	turned   bool            // the segment after the open one too: the audio coding changed
	atKey    bool            // the packet in Push is a keyframe
	moves    bool            // the packet in Push follows a picture that stood still
	keyTrack *media.Track    // track of the newest keyframe: frames of it can be decoded
	keyTime  time.Duration   // time of the newest keyframe
	previous [2]*media.Track // tracks of the last segment
	any      bool            // a segment was emitted
	carry    bool            // the last segment is of the same encoder: its tracks go on, silent or not
	nextAt   time.Duration   // where the last segment ended, if any
	delayed  []*media.Packet // audio of another codec than the open segment's; see mustWait

	waiting   bool   // aligned: nothing is written before the first boundary
	waitIndex uint32 // index of the first packet that came while waiting
	dropped   uint64 // packets that went into no segment
}

// New makes a segmenter, which has no rules yet. emit takes a finished
// segment; it must not keep it or its packets. forced, which may be nil, is called
// when a segment is cut where there is no keyframe; gop is how long the GOP is so far.
func New(emit func(*Segment), forced func(gop time.Duration)) *Segmenter {
	return &Segmenter{emit: emit, forced: forced}
}

// SetRules sets the rules for the cuts to come.
func (s *Segmenter) SetRules(r Rules) { s.rules, s.soon = r, 0 }

// SetLimit sets how long a segment may be at most, so that its EXTINF does not round
// to more than the playlist's TARGETDURATION; 0: there is no limit yet.
func (s *Segmenter) SetLimit(d time.Duration) { s.limit = d }

// CutSooner allows the next cut after fragment already, if that is less than the
// rules say: the rules become shorter after that cut. The first call counts until
// SetRules is called.
func (s *Segmenter) CutSooner(fragment time.Duration) {
	if s.soon == 0 {
		s.soon = fragment
	}
}

// EndShort has a segment end also at a keyframe, at t on the timeline, of which short says
// so. It is asked before the keyframe is in the segment. With aligned slicing it is not
// asked: other renditions are cut elsewhere.
func (s *Segmenter) EndShort(short func(t time.Duration) bool) { s.short = short }

// Break makes the next segment begin with a discontinuity.
func (s *Segmenter) Break() { s.broken = true }

// Open says whether a segment has begun and not ended.
func (s *Segmenter) Open() bool { return s.open != nil }

// Growing is the segment that has begun and not ended, with what came so far; nil: nothing
// came. Whether it begins with a discontinuity is settled now.
func (s *Segmenter) Growing() *Segment {
	g := s.open
	if g == nil || len(g.packets) == 0 {
		return nil
	}
	if g.Fixed {
		return g
	}
	for kind, t := range g.Tracks {
		if s.any && t != nil && t != s.previous[kind] {
			g.Discontinuity = true
		}
	}
	g.Fixed = true
	return g
}

// Dropped is how many packets went into no segment.
func (s *Segmenter) Dropped() uint64 { return s.dropped }

// Push takes the next packet of the stream. now is the wall clock when it was read;
// elapsed is the same moment on a monotonic clock.
func (s *Segmenter) Push(p *media.Packet, now time.Time, elapsed time.Duration) {
	if s.started && p.Epoch != s.epoch {
		s.interrupt(p.DTS)
	}
	if !s.started {
		s.started, s.epoch = true, p.Epoch
		s.waiting, s.waitIndex = s.rules.Aligned && !s.rules.AtOnce, s.indexOf(p.Timestamp)
	}
	if len(p.Data) == 0 {
		return // a message without data
	}
	if p.Continues {
		s.goOn(p)
		return
	}
	kind, sent := p.Track.Kind, p
	s.atKey = kind == media.Video && p.Keyframe
	if kind == media.Video {
		s.picture.first = nil
	}
	if kind == media.Video && !p.Keyframe && s.headless(p) {
		s.dropped++
		return
	}
	t, v := s.line.check(p)
	if kind == media.Video && v == fits && !s.wait.moves(&s.line, t, elapsed) {
		v = jumps
	}
	switch v {
	case drops:
		s.dropped++
		return
	case jumps:
		s.close(s.end())
		s.dropDelayed()
		s.broken = true
		s.line.jump(t)
	case fits:
	}
	clock := &s.line.clocks[kind]
	s.moves = clock.known && max(clock.idle, t-clock.t, s.line.stood) >= still
	p, t = s.line.advance(p, t)
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
		s.picture = newestPicture{first: p, moved: p.DTS + p.CTS - sent.DTS - sent.CTS}
	}
}

// headless says whether a video frame can't be decoded because no keyframe came
// before it.
func (s *Segmenter) headless(p *media.Packet) bool {
	if s.keyTrack != p.Track {
		return true
	}
	back := s.any && s.previous[media.Video] == nil // after audio alone
	return back && (s.open == nil || s.open.Tracks[media.Video] == nil)
}

// interrupt ends the segment because another publisher begins at t.
func (s *Segmenter) interrupt(t time.Duration) {
	end := s.end()
	if t >= end-maxFrame && t <= end+maxFrame {
		end = max(t, end)
	}
	s.close(end)
	s.Lose()
	s.started, s.carry = false, false
	s.line.shift = 0
}

// Lose ends the segment, and makes the next one begin with a discontinuity and a
// keyframe. It is called when packets are missing.
func (s *Segmenter) Lose() {
	s.close(s.end())
	s.dropDelayed()
	s.line.restart()
	s.broken = true
	s.keyTrack = nil
}

// Finish ends the last segment.
func (s *Segmenter) Finish() {
	s.close(s.end())
	s.dropDelayed()
}

// boundary says whether the first segment of aligned slicing may begin with p. If so,
// the waiting ends.
func (s *Segmenter) boundary(p *media.Packet) bool {
	if p.Track.Kind == media.Video && !p.Keyframe || p.Track.Kind == media.Audio && s.line.clocks[media.Video].known {
		return false
	}
	length := uint32(s.rules.Fragment.Milliseconds())
	atStart := length > 0 && p.Timestamp%length <= uint32(cutTolerance.Milliseconds())
	if !atStart && s.indexOf(p.Timestamp) == s.waitIndex {
		return false
	}
	s.waiting = false
	return true
}

// indexOf numbers the segments of aligned slicing by the publisher's timestamps. So all
// renditions of one source are cut at the same frames.
func (s *Segmenter) indexOf(timestamp uint32) uint32 {
	return timestamp / uint32(max(s.rules.Fragment.Milliseconds(), 1))
}

// end is where the newest media ends. A segment of sound alone ends with its sound, even
// if the last picture, in the segment before, was a moment ago.
func (s *Segmenter) end() time.Duration {
	if g := s.open; g != nil && g.Frames == 0 && g.Tracks[media.Audio] != nil {
		return s.line.soundEnd()
	}
	return s.line.end()
}

// close ends the open segment at t and emits it.
func (s *Segmenter) close(t time.Duration) {
	g := s.open
	if g == nil {
		return
	}
	s.open = nil
	s.picture.first = nil
	g.keyNext = s.atKey
	g.Duration = max(t.Round(time.Millisecond)-g.Start, time.Millisecond)
	if s.limit > 0 {
		g.Duration = min(g.Duration, s.limit)
	}
	for kind := range g.Tracks {
		if g.Tracks[kind] == nil && s.carry && s.line.clocks[kind].idle < gone {
			g.Tracks[kind] = s.previous[kind]
		}
	}
	if s.any && g.Tracks != s.previous && !g.Fixed {
		g.Discontinuity = true // RFC 8216 §4.3.2.3: number or type of tracks
	}
	s.previous, s.any, s.carry = g.Tracks, true, true
	s.broken, s.turned = s.broken || s.turned, false
	s.nextAt = g.Start + g.Duration
	s.emit(g)
	clear(g.packets)
	*g = Segment{packets: g.packets[:0]}
	s.spare = g
}

func (s *Segmenter) add(p *media.Packet, t, elapsed time.Duration, now time.Time) {
	kind := p.Track.Kind
	g := s.open
	if g == nil {
		loose := kind == media.Audio && !s.line.clocks[media.Video].known && (!s.any || s.broken)
		g = s.begin(p.Timestamp, s.line.head(), now)
		g.Delay = elapsed - s.line.head()
		g.loose = loose
		s.addDelayed(g)
	}
	if kind == media.Video {
		s.wait.arrived = elapsed
		if p.Keyframe {
			s.keyTrack, s.keyTime = p.Track, t
		}
		if g.Frames == 0 {
			g.Independent = p.Keyframe
			if g.loose {
				// Start was taken from the timestamps of the sound.
				if apart := t - s.line.clocks[media.Audio].t; apart.Abs() > 2*frameGuess {
					g.Start += apart.Round(time.Millisecond)
				}
				g.loose = false
			}
		}
		g.Frames++
		if g.Captions == 0 {
			g.Captions = media.ReadCaptions(p.Track.Codec, p.Data, p.Track.NALULength)
		}
	}
	if kind == media.Audio {
		// The shift changes only while the segment has no audio.
		g.audioShift = s.line.shift
	}
	if !s.turned || kind == media.Video || g.Tracks[kind] == nil {
		g.Tracks[kind] = p.Track
	}
	g.packets = append(g.packets, p)
	g.bytes += int64(len(p.Data))
	g.held += p.Held() + g.headers.Charge(p)
	if v := &s.line.clocks[media.Video]; kind == media.Video || !v.known || v.idle >= still {
		g.Delay = min(g.Delay, elapsed-s.line.head())
	}
	g.end, g.head = s.end(), s.line.head()
}

func (s *Segmenter) begin(timestamp uint32, t time.Duration, now time.Time) *Segment {
	g := s.spare
	if g == nil {
		g = &Segment{}
	}
	s.spare = nil
	g.Start = t.Round(time.Millisecond)
	g.Independent = true
	g.Discontinuity = s.broken
	g.Timestamp = timestamp
	g.Opened = now
	g.Delay = math.MaxInt64
	if s.any && !s.broken && g.Start-s.nextAt <= maxFrame && s.nextAt-g.Start <= maxFrame {
		g.Start = s.nextAt // so that EXTINFs add up
	}
	s.broken = false
	s.open = g
	return g
}
