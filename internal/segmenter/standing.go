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
	// maxBeyond is how far behind the fragment's end players may take its last
	// picture to last: hls.js moves what follows by as much.
	maxBeyond = 100 * time.Millisecond
	// maxShown and maxShownBytes bound the pictures that are shown again. 300 are
	// a GOP of 10 s at 30 pictures a second.
	maxShown      = 300
	maxShownBytes = 4 << 20
	// shownStep is between two pictures that are shown again: all of a common GOP
	// fit between two refreshes of a screen, so that only the last one is seen.
	shownStep = 100 * time.Microsecond
	// lastStep is before the last of them, the one that stands: Chromium does not
	// show a picture that is less than a millisecond behind another one.
	lastStep = 3 * time.Millisecond
)

// A standingPicture shows the newest picture again where it stands still, by all
// pictures since the keyframe: a picture between two keyframes can't be decoded
// alone. Decoders end up as they were, so that the next picture goes on from there.
//
// A fragment that would begin with a still picture and without a keyframe begins
// with them: video.js wants a keyframe in each, and hls.js plays to the end of the
// picture and no further. A fragment whose picture stands at its end has them there
// too: MPEG-TS does not say how long a picture lasts, and players guess that the last
// one lasts as long as the one before. So has one that they would take to last longer.
type standingPicture struct {
	pictures []*media.Packet // in decoding order, without those shown before the keyframe
	bytes    int
	known    bool // pictures is all since the keyframe

	decoded time.Duration // DTS of the newest picture in decoding order
	shown   time.Duration // PTS of the newest picture in order of presentation
	lasts   time.Duration // what players take the open fragment's last picture to last
	any     bool          // the open fragment has a picture
	order   []int         // scratch: of presentation
}

// begin is told of the next fragment.
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

// note is told of each picture that is written.
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
		return // a leading picture of an open GOP: nothing that is shown later refers to it
	}
	if s.bytes += len(p.Data); len(s.pictures) == maxShown || s.bytes > maxShownBytes {
		s.forget()
		return
	}
	s.pictures = append(s.pictures, p)
}

// first returns the pictures that g begins with: none if it begins with a
// keyframe, or with a picture that moves. All times are those that are written:
// lead is how much earlier g's pictures are decoded than they came.
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

// last returns the pictures that g ends with: none if the last one is taken to end
// there.
func (s *standingPicture) last(g *Segment, lead time.Duration) []*media.Packet {
	end := g.Start + g.Duration - lead
	if missing := end - s.decoded - s.lasts; !s.known || missing < standing && missing > -maxBeyond {
		return nil
	}
	// The very last one is taken to last as long as the one before: until end. So
	// there have to be two.
	out := s.again(max(end-s.span()-lastStep-shownStep, s.newest()+shownStep), end)
	if len(out) == 1 {
		before := *out[0]
		before.DTS -= lastStep
		out = append([]*media.Packet{&before}, out...)
	}
	return out
}

func (s *standingPicture) newest() time.Duration { return max(s.shown, s.decoded) }

// delay is by how many pictures presentation is behind decoding where pictures
// are reordered. It fills s.order.
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

// span is how long the pictures take that are shown again.
func (s *standingPicture) span() time.Duration {
	return time.Duration(len(s.pictures)+s.delay())*shownStep + lastStep
}

// again returns the pictures from start on; none if that takes until end.
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
