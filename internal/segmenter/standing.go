package segmenter

import (
	"cmp"
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	// standing is how long a picture must stand to be shown again.
	standing = 400 * time.Millisecond
	// maxBeyond is how far beyond the end of the segment players may show its last
	// picture: hls.js moves what follows by as much.
	maxBeyond = 100 * time.Millisecond
	// maxShown and maxShownBytes bound the pictures that are shown again. 300 are
	// a GOP of 10 s at 30 pictures a second.
	maxShown      = 300
	maxShownBytes = 4 << 20
	// shownStep is between two pictures that are shown again: all of a common GOP
	// fit between two refreshes of a screen, so that only the last one is seen.
	shownStep = 100 * time.Microsecond
	// lastStep is between the last two of them: Chromium does not show a picture that
	// is less than a millisecond after another one.
	lastStep = 3 * time.Millisecond
)

// A standingPicture writes the newest picture again where it stands still. It writes
// all pictures since the keyframe, because a picture between two keyframes can't be
// decoded alone. Decoders are in the same state afterwards: the next picture can be
// decoded.
//
// The pictures are written at the beginning of a segment that would begin with a still
// picture and without a keyframe: video.js needs a keyframe in each segment, and hls.js
// plays to the end of the picture and no further. They are written at the end of a
// segment too if its last picture stands there: MPEG-TS does not say how long a picture
// lasts, and players assume that the last one lasts as long as the one before it.
type standingPicture struct {
	pictures []*media.Packet // since the keyframe, in decoding order; without those shown before it
	bytes    int
	known    bool // pictures is complete

	decoded time.Duration // DTS of the newest picture in decoding order
	shown   time.Duration // PTS of the newest picture in order of presentation
	lasts   time.Duration // how long players show the segment's last picture
	any     bool          // the segment has a picture
	order   []int         // scratch: indexes of pictures in order of presentation
}

// begin begins segment g.
func (s *standingPicture) begin(g *Segment) {
	if g.Discontinuity || s.known && g.Tracks[media.Video] != s.pictures[0].Track {
		s.forget()
	}
	s.any, s.lasts = false, 0
	if g.Discontinuity {
		s.decoded, s.shown = 0, 0
	}
}

func (s *standingPicture) forget() {
	clear(s.pictures)
	s.pictures, s.bytes, s.known = s.pictures[:0], 0, false
}

// note notes a picture that is written.
func (s *standingPicture) note(p *media.Packet) {
	if s.any {
		s.lasts = p.DTS - s.decoded
	}
	s.any, s.decoded = true, p.DTS
	s.shown = max(s.shown, p.DTS+p.CTS)
}

// take notes a picture that is written for the first time.
func (s *standingPicture) take(p *media.Packet) {
	s.note(p)
	if p.Keyframe {
		s.forget()
		s.known = splices(p)
	}
	if !s.known {
		return
	}
	if n := len(s.pictures); n > 0 && p.DTS+p.CTS < s.pictures[0].DTS+s.pictures[0].CTS {
		return // a leading picture of an open GOP: later pictures do not refer to it
	}
	if s.bytes += len(p.Data); len(s.pictures) == maxShown || s.bytes > maxShownBytes {
		s.forget()
		return
	}
	s.pictures = append(s.pictures, p)
}

// first returns the pictures to write at the beginning of g: none if g begins with a
// keyframe, or if the picture does not stand there. lead is how much earlier pictures
// are decoded than their packets say.
func (s *standingPicture) first(g *Segment, lead time.Duration) []*media.Packet {
	if !s.known {
		return nil
	}
	start, next := max(g.Start-lead, s.newest()+shownStep), g.Start+g.Duration-lead
	if i := slices.IndexFunc(g.packets, func(p *media.Packet) bool { return p.Track.Kind == media.Video }); i >= 0 {
		next = g.packets[i].DTS - lead
	}
	if next-s.decoded < standing {
		return nil
	}
	return s.again(start, next)
}

// last returns the pictures to write at the end of g: none if players show the last one
// until there anyway.
func (s *standingPicture) last(g *Segment, lead time.Duration) []*media.Packet {
	end := g.Start + g.Duration - lead
	if missing := end - s.decoded - s.lasts; !s.known || missing < standing && missing > -maxBeyond {
		return nil
	}
	// Players show the very last one as long as the one before it: until end. So there
	// must be two.
	out := s.again(max(end-s.span()-lastStep-shownStep, s.newest()+shownStep), end)
	if len(out) == 1 {
		before := *out[0]
		before.DTS -= lastStep
		out = append([]*media.Packet{&before}, out...)
	}
	return out
}

func (s *standingPicture) newest() time.Duration { return max(s.shown, s.decoded) }

// delay is by how many pictures presentation is behind decoding, because pictures are
// reordered. It fills s.order.
func (s *standingPicture) delay() (most int) {
	s.order = s.order[:0]
	for i := range s.pictures {
		s.order = append(s.order, i)
	}
	pts := func(i int) time.Duration { return s.pictures[i].DTS + s.pictures[i].CTS }
	slices.SortStableFunc(s.order, func(a, b int) int { return cmp.Compare(pts(a), pts(b)) })
	for rank, i := range s.order {
		most = max(most, i-rank)
	}
	return most
}

// span is how long it takes to show the pictures again.
func (s *standingPicture) span() time.Duration {
	return time.Duration(len(s.pictures)+s.delay())*shownStep + lastStep
}

// again returns the pictures with times from start on; none if they do not fit before
// end.
func (s *standingPicture) again(start, end time.Duration) []*media.Packet {
	delay := s.delay()
	if start+time.Duration(len(s.pictures)+delay)*shownStep+lastStep >= end {
		return nil
	}
	out := make([]*media.Packet, len(s.pictures))
	for rank, i := range s.order {
		q := *s.pictures[i]
		q.DTS = start + time.Duration(i)*shownStep
		q.CTS = time.Duration(rank+delay-i) * shownStep
		switch newest := rank == len(s.order)-1; {
		case newest && i == rank:
			q.DTS += lastStep
		case newest:
			q.CTS += lastStep
		}
		out[i] = &q
	}
	out[0].Data = spliced(out[0])
	return out
}
