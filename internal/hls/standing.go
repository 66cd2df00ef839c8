package hls

import (
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	// standing is how long a picture must stand for a fragment to begin with it.
	standing = 400 * time.Millisecond
	// maxShown and maxShownBytes bound the pictures that are shown again.
	maxShown      = 128
	maxShownBytes = 4 << 20
	// shownStep is between two pictures that are shown again.
	shownStep = time.Millisecond
)

// A standingPicture is what it takes to show the newest picture again: the
// keyframe and all pictures since. A fragment that would begin with a still
// picture, and without a keyframe, begins with them, a millisecond each. Players
// stop at fragments without a picture of their own: hls.js plays to the end of the
// picture and no further, video.js wants a keyframe in each. Decoders are left as
// they were, so what comes next goes on from it.
type standingPicture struct {
	pictures []*media.Packet
	bytes    int
	known    bool // pictures is all since the keyframe, in the order of presentation
	newest   time.Duration
}

// begin is told of the next fragment.
func (s *standingPicture) begin(g *segment) {
	if g.discontinuity || s.known && g.tracks[media.Video] != s.pictures[0].Track {
		s.forget()
	}
}

func (s *standingPicture) forget() {
	clear(s.pictures)
	s.pictures, s.bytes, s.known = s.pictures[:0], 0, false
}

// take notes a picture that was written.
func (s *standingPicture) take(p *media.Packet) {
	if p.Keyframe {
		s.forget()
		s.known = true
	}
	if !s.known {
		return
	}
	n := len(s.pictures)
	reordered := n > 0 && p.DTS+p.CTS <= s.pictures[n-1].DTS+s.pictures[n-1].CTS
	if s.bytes += len(p.Data); reordered || n == maxShown || s.bytes > maxShownBytes {
		s.forget()
		return
	}
	s.pictures, s.newest = append(s.pictures, p), p.DTS
}

// shown returns the pictures that g begins with, at its start; none if it begins
// with a keyframe, or with a picture that moves.
func (s *standingPicture) shown(g *segment) []*media.Packet {
	if !s.known {
		return nil
	}
	start, next := max(g.start, s.newest+shownStep), g.start+g.duration
	if i := slices.IndexFunc(g.packets, func(p *media.Packet) bool { return p.Track.Kind == media.Video }); i >= 0 {
		next = g.packets[i].DTS
	}
	if next-s.newest < standing || next-start <= time.Duration(len(s.pictures))*shownStep {
		return nil
	}
	out := make([]*media.Packet, len(s.pictures))
	for i, p := range s.pictures {
		q := *p
		q.DTS = start + time.Duration(i)*shownStep
		out[i] = &q
	}
	return out
}
