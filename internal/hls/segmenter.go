package hls

import (
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
	// shortest is the duration of a fragment from which the absence of a
	// track counts: a last fragment of three pictures has not lost its audio.
	shortest = time.Second
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
	picture  admitted
	started  bool
	epoch    uint32
	broken   bool            // the next segment begins with a discontinuity
	keyTrack *media.Track    // of the newest keyframe: its frames are decodable
	keyTime  time.Duration   // of the newest keyframe
	previous [2]*media.Track // what the last segment carried
	any      bool            // there was a last segment
	nextAt   time.Duration   // where the last segment ended, if any

	waiting   bool   // aligned: nothing is written before the first boundary
	waitIndex uint32 // fragment index of the first packet waited with
	dropped   uint64 // packets that went into no segment, for stat
}

// push takes the next packet of the stream. now is when it was read.
func (s *segmenter) push(p *media.Packet, now time.Time) {
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
	switch v {
	case drops:
		s.dropped++
		return
	case jumps:
		s.close(s.line.end())
		s.broken = true
		s.line.jump(t)
	case fits:
	}
	p, t = s.line.admit(p, t)
	if s.waiting && !s.boundary(p) {
		s.dropped++
		return
	}
	s.cutBefore(p, t)
	s.add(p, t, now)
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
	s.started = false
	s.line.shift = 0
}

// lose is told that what comes next does not follow what came last: the
// stream passed its ring's end, or a new encoder begins.
func (s *segmenter) lose() {
	s.close(s.line.end())
	s.line.restart()
	s.broken = true
	s.keyTrack = nil
}

// finish ends the last segment.
func (s *segmenter) finish() { s.close(s.line.end()) }

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

// cutBefore ends the open segment if p must not go into it.
func (s *segmenter) cutBefore(p *media.Packet, t time.Duration) {
	g := s.open
	if g == nil {
		return
	}
	kind := p.Track.Kind
	d := t - g.start
	video := g.tracks[media.Video] != nil
	leads := kind == media.Video || !video // this kind's clock measures the fragment
	if g.tracks[kind] != nil && g.tracks[kind] != p.Track {
		// Coded differently from here on.
		s.close(t)
		s.broken = true
		return
	}
	if kind == media.Video && !video && s.any && !g.discontinuity {
		// Audio alone until now: the picture begins a fragment of its own.
		s.close(t)
		s.broken = true
		return
	}
	if s.atBoundary(p, kind, video) && s.full(p, d) {
		s.closeNear(t)
		return
	}
	silent := !leads && t-s.line.hands[media.Video].t > maxFrame
	step := s.line.hands[kind].step
	switch {
	case g.held+p.Held() > maxSegmentBytes:
	case !leads && !silent:
		return // its video decides
	case d >= s.rules.maxFragment && d >= s.rules.fragment:
	case s.limit > 0 && d+min(step, maxFrame) > s.limit:
	default:
		return
	}
	if kind == media.Video && !p.Keyframe && s.forced != nil {
		s.forced(t - s.keyTime)
	}
	s.closeNear(t)
}

func (s *segmenter) atBoundary(p *media.Packet, kind media.Kind, video bool) bool {
	if kind == media.Video {
		return p.Keyframe
	}
	return !video
}

// full says whether a segment that is d long at a keyframe ends there.
func (s *segmenter) full(p *media.Packet, d time.Duration) bool {
	// At this keyframe if at the next one it would be too long.
	if p.Track.Kind == media.Video && s.limit > 0 && s.keyTrack == p.Track && d >= settle {
		if gop := p.DTS - s.keyTime; d+gop > s.limit {
			return true
		}
	}
	want := s.rules.fragment
	if s.soon > 0 {
		want = min(want, s.soon)
	}
	if s.rules.aligned {
		return d > 0 && s.index(p) != s.index(s.open.packets[0])
	}
	return d >= want-cutTolerance
}

// closeNear ends the segment where the next one begins, at t, unless there is a
// hole in the media that EXTINF must not cover up.
func (s *segmenter) closeNear(t time.Duration) {
	g := s.open
	d := t - g.start
	over := s.limit > 0 && d > s.limit || d > s.rules.maxFragment+maxFrame
	if !over {
		s.close(t)
		return
	}
	if end := g.end; t-end > hole {
		s.close(end)
		s.broken = true
		return
	}
	s.close(t)
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
	for kind, was := range s.previous {
		if g.tracks[kind] == nil && was != nil && g.duration < min(shortest, s.rules.fragment-cutTolerance) && !g.discontinuity {
			g.tracks[kind] = was
		}
	}
	if s.any && g.tracks != s.previous {
		g.discontinuity = true // RFC 8216 §4.3.2.3: number or type of tracks
	}
	s.previous, s.any = g.tracks, true
	s.nextAt = g.start + g.duration
	s.emit(g)
	clear(g.packets)
	*g = segment{packets: g.packets[:0]}
	s.spare = g
}

func (s *segmenter) add(p *media.Packet, t time.Duration, now time.Time) {
	kind := p.Track.Kind
	g := s.open
	if g == nil {
		g = s.begin(p, t, now)
	}
	if kind == media.Video {
		if p.Keyframe {
			s.keyTrack, s.keyTime = p.Track, t
		}
		if g.frames == 0 {
			g.independent = p.Keyframe
			if g.discontinuity || !s.any {
				g.start = min(g.start, t.Round(time.Millisecond))
			}
		}
		g.frames++
	}
	if kind == media.Audio {
		// It changes only while a timeline, and so this segment, has no audio.
		g.audioShift = s.line.shift
	}
	g.tracks[kind] = p.Track
	g.packets = append(g.packets, p)
	g.bytes += int64(len(p.Data))
	g.held += p.Held() + g.headers.Charge(p)
	g.wall = min(g.wall, time.Duration(now.UnixNano())-t)
	g.end = s.line.end()
}

func (s *segmenter) begin(p *media.Packet, t time.Duration, now time.Time) *segment {
	g := s.spare
	if g == nil {
		g = &segment{}
	}
	s.spare = nil
	g.start = t.Round(time.Millisecond)
	g.independent = true
	g.discontinuity = s.broken
	g.timestamp = p.Timestamp
	g.opened = now
	g.wall = time.Duration(now.UnixNano()) - t
	if s.any && !s.broken && g.start-s.nextAt <= maxFrame && s.nextAt-g.start <= maxFrame {
		g.start = s.nextAt // so that EXTINFs add up
	}
	s.broken = false
	s.open = g
	return g
}
