package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	// still is how long there must be sound and no new picture before segments are cut
	// by the sound.
	still = time.Second
	// maxStill is how long a picture of a stream without sound may stand. A longer
	// pause is a gap, and the next segment a discontinuity.
	maxStill = maxForward
	// muted is how long a stream must have had video and no audio before it counts as a
	// stream without sound.
	muted = 5 * time.Second
	// A picture that follows a still one and is closer than roomBefore to the end of
	// the segment begins the next segment instead. If it is no keyframe, that segment
	// begins roomAgain earlier: standingPicture needs the time for the keyframe.
	roomBefore = 100 * time.Millisecond
	roomAgain  = 50 * time.Millisecond
	// gone is how long a track may be silent before segments are without it. Until
	// then it stays in the PMT, because a muted track usually comes back.
	gone = time.Minute
)

// has returns the track of a kind in the open segment, else in the last one of the
// same encoder; nil: there is none.
func (s *Segmenter) has(kind media.Kind) *media.Track {
	if g := s.open; g != nil && g.Tracks[kind] != nil {
		return g.Tracks[kind]
	}
	if s.carry && s.line.clocks[kind].idle < gone {
		return s.previous[kind]
	}
	return nil
}

// cutBefore ends the open segment if p, at t on the timeline, must not go into it.
// Segments are measured by timeline.head.
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
	case kind == media.Audio && g.Tracks[kind] == nil && !g.Fixed: // nothing of what was before is in it
	case kind == media.Audio && video:
		s.turned = true // coded differently from here on: the cut waits for a keyframe
	default:
		s.close(head)
		s.broken = true
		return
	}
	if kind == media.Video && !video && s.any && !g.Discontinuity {
		// There was only audio: the picture begins a segment.
		s.close(s.line.clocks[media.Audio].end())
		s.broken = true
		return
	}
	if s.beforeNext(p, head) {
		return
	}
	cut := false
	switch {
	case kind == media.Video && p.Keyframe && len(s.delayed) > 0 && !s.rules.Aligned && d >= settle:
		cut = true // the sound waits for it
	case kind == media.Video && p.Keyframe && s.short != nil && !s.rules.Aligned && d >= settle && s.short(t):
		cut = true
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

// full says whether the open segment, d long before p, is long enough to end there.
func (s *Segmenter) full(p *media.Packet, d time.Duration) bool {
	// It ends at this keyframe if it would be too long at the next one.
	if p.Track.Kind == media.Video && s.limit > 0 && s.keyTrack == p.Track && d >= settle {
		if gop := p.DTS - s.keyTime; d+gop > s.limit {
			return true
		}
	}
	want := s.rules.Fragment
	if s.soon > 0 {
		want = min(want, s.soon)
	}
	if s.rules.Aligned {
		return d > 0 && s.indexOf(p.Timestamp) != s.indexOf(s.open.Timestamp)
	}
	return d >= want-cutTolerance
}

// closeNear ends the segment at head, where p begins the next one. If nothing came for
// longer than a segment may last, it ends where its media ends.
func (s *Segmenter) closeNear(p *media.Packet, head time.Duration) {
	g := s.open
	d := head - g.Start
	over := s.limit > 0 && d > s.limit || d > s.rules.MaxFragment+maxFrame
	wait := head - g.head
	switch {
	case !over || wait <= hole:
		s.split(head)
		s.close(head)
	case s.line.soundless() && wait <= maxStill:
		s.fill(p, head)
	default: // the gap must not be part of the duration
		s.close(max(g.end, g.head))
		s.broken = true
	}
}

// fill shows the last picture until head, where p is. A segment can't be longer than
// the limit, so segments without a frame of their own follow.
func (s *Segmenter) fill(p *media.Packet, head time.Duration) {
	for s.open != nil && head-s.open.Start > s.piece() {
		s.goOnFrom(s.pieceEnd())
	}
	if g := s.open; g != nil && !s.beforeNext(p, head) && p.Keyframe && s.full(p, head-g.Start) {
		s.split(head)
		s.close(head)
	}
}

// beforeNext ends the segment before p if p follows a still picture and would be at the
// very end of the segment: players would show p as long as the picture before it. It
// returns whether it did.
func (s *Segmenter) beforeNext(p *media.Packet, head time.Duration) bool {
	d := head - s.open.Start
	if p.Track.Kind != media.Video || !s.moves || s.rules.Aligned || d < s.rules.Fragment-roomBefore || d > s.rules.Fragment+still || s.limit > 0 && d > s.limit {
		return false
	}
	if !p.Keyframe {
		head -= roomAgain
	}
	s.split(head)
	s.close(head)
	return true
}
