package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A newestPicture is the picture that came last: more messages of it may follow.
type newestPicture struct {
	first *media.Packet // its first message in the open segment; nil: it is not there
	moved time.Duration // was added to its PTS
}

// goOn adds one more message of a picture to the segment that has its first message, at
// the time of that. So a picture is never in two segments.
func (s *Segmenter) goOn(p *media.Packet) {
	first, g := s.picture.first, s.open
	if first == nil || g == nil || g.bytes+int64(len(p.Data)) > maxSegmentBytes {
		s.dropped++
		return
	}
	if p.DTS != first.DTS || s.picture.moved != 0 {
		q := *p
		q.DTS = first.DTS
		q.CTS = p.DTS + p.CTS + s.picture.moved - first.DTS
		p = &q
	}
	g.packets = append(g.packets, p)
	g.bytes += int64(len(p.Data))
}

// pictureAt returns the video picture that begins at packet i of the segment:
// the packet itself, or its parts joined.
func (g *Segment) pictureAt(i int, parts []*media.Packet) (*media.Packet, []*media.Packet) {
	parts = append(parts[:0], g.packets[i])
	for _, p := range g.packets[i+1:] {
		if p.Track.Kind != media.Video {
			continue
		}
		if !p.Continues {
			break
		}
		parts = append(parts, p)
	}
	return media.Join(parts), parts
}
