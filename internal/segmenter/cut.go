package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	// still is how long the sound must have gone on without a new picture for
	// the fragments to be cut by the sound.
	still = time.Second
	// maxStill is the longest picture of a stream without sound: a longer wait
	// is a hole in the media.
	maxStill = maxForward
	// muted is how long audio must have been silent beside the video for a
	// stream to count as one without sound.
	muted = 5 * time.Second
	// roomBefore is how near to the end of a fragment a picture that follows a still
	// one begins the next fragment instead, and roomAgain how much before it that
	// begins: standingPicture needs it.
	roomBefore = 100 * time.Millisecond
	roomAgain  = 50 * time.Millisecond
	// gone is how long a track may be silent before the fragments are without
	// it. Until then it stays in the PMT: what is muted comes back.
	gone = time.Minute
)

// has says whether the fragments have a track of kind: the open one, or those
// before.
func (s *Segmenter) has(kind media.Kind) *media.Track {
	if g := s.open; g != nil && g.Tracks[kind] != nil {
		return g.Tracks[kind]
	}
	if s.carry && s.line.clocks[kind].idle < gone {
		return s.previous[kind]
	}
	return nil
}

// cutBefore ends the open segment if p, which was admitted at t, must not go
// into it. The fragment's clock is the video's, if there is any: see
// timeline.head.
func (s *Segmenter) cutBefore(p *media.Packet, t time.Duration) {
	g := s.open
	if g == nil {
		return
	}
	kind, head := p.Track.Kind, s.line.head()
	d := head - g.Start
	video, was := s.has(media.Video) != nil, s.has(kind)
	switch {
	case was == nil || was == p.Track:
	case kind == media.Audio && g.Tracks[kind] == nil: // nothing of what was before is in it
	case kind == media.Audio && video:
		s.turned = true // coded differently from here on: the cut waits for a keyframe
	default:
		s.close(head)
		s.broken = true
		return
	}
	if kind == media.Video && !video && s.any && !g.Discontinuity {
		// Audio alone until now: the picture begins a fragment of its own.
		s.close(s.line.clocks[media.Audio].end())
		s.broken = true
		return
	}
	if s.beforeNext(p, head) {
		return
	}
	cut := false
	switch {
	case kind == media.Video && p.Keyframe || !video:
		cut = s.full(p, d)
	case kind == media.Audio:
		cut = s.line.clocks[media.Video].idle >= still && s.full(p, d)
	}
	step := min(s.line.clocks[kind].step, maxFrame)
	switch {
	case cut:
	case g.held+p.Held() > maxSegmentBytes:
	case s.limit > 0 && d+step > s.limit && (kind == media.Video || !video || s.line.clocks[media.Video].idle > still/4):
	case (kind == media.Video || !video) && d >= s.rules.MaxFragment && d >= s.rules.Fragment:
	default:
		return
	}
	if !cut && kind == media.Video && !p.Keyframe && s.forced != nil {
		s.forced(t - s.keyTime)
	}
	s.closeNear(p, head)
}

// full says whether a segment that is d long ends where p begins, if it may end
// there.
func (s *Segmenter) full(p *media.Packet, d time.Duration) bool {
	// At this keyframe if at the next one it would be too long.
	if p.Track.Kind == media.Video && s.limit > 0 && s.keyTrack == p.Track && d >= settle {
		if gop := p.DTS - s.keyTime; d+gop > s.limit {
			return true
		}
	}
	want := s.rules.Fragment
	if s.soon > 0 {
		want = min(want, s.soon)
	}
	if s.rules.Aligned && len(s.open.packets) > 0 {
		return d > 0 && s.index(p) != s.index(s.open.packets[0])
	}
	return d >= want-cutTolerance
}

// closeNear ends the segment at head, where the next one begins with p, unless
// nothing came for longer than a fragment may last.
func (s *Segmenter) closeNear(p *media.Packet, head time.Duration) {
	g := s.open
	d := head - g.Start
	over := s.limit > 0 && d > s.limit || d > s.rules.MaxFragment+maxFrame
	wait := head - g.head
	switch {
	case !over || wait <= hole:
		s.close(head)
	case s.line.soundless() && wait <= maxStill:
		s.fill(p, head)
	default: // EXTINF must not cover it up
		s.close(max(g.end, g.head))
		s.broken = true
	}
}

// fill lets the last picture stand until head, where p is: fragments without a
// frame follow, since one can't be longer than the limit.
func (s *Segmenter) fill(p *media.Packet, head time.Duration) {
	for s.open != nil && head-s.open.Start > s.piece() {
		s.goOnFrom(s.pieceEnd())
	}
	if g := s.open; g != nil && !s.beforeNext(p, head) && p.Keyframe && s.full(p, head-g.Start) {
		s.close(head)
	}
}

// beforeNext ends the segment before p if that follows a still picture and would
// be at the segment's very end, where players take it to last as long as the one before.
func (s *Segmenter) beforeNext(p *media.Packet, head time.Duration) bool {
	d := head - s.open.Start
	if p.Track.Kind != media.Video || !s.moves || s.rules.Aligned || d < s.rules.Fragment-roomBefore || d > s.rules.Fragment+still || s.limit > 0 && d > s.limit {
		return false
	}
	if !p.Keyframe {
		head -= roomAgain
	}
	s.close(head)
	return true
}
