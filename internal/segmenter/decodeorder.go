package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	// maxLead bounds how much earlier pictures are decoded: 16 reordered
	// pictures, the most that H.264 and H.265 allow, at 8 a second.
	maxLead = 2 * time.Second
	// nextTick is a little more than a tick of the 90 kHz clock.
	nextTick = 20 * time.Microsecond
)

// decodeOrder keeps every picture's presentation time where composition times
// are negative, which FLV allows and MPEG-TS does not (ISO 13818-1 §2.4.3.7:
// PTS is not before DTS): all pictures are decoded earlier by the same time.
type decodeOrder struct {
	lead time.Duration // by how much
	last time.Duration // DTS of the newest picture, as written
	any  bool          // there is one
}

// begin looks at the pictures of a segment before they are placed.
func (o *decodeOrder) begin(g *Segment) {
	if g.Discontinuity {
		*o = decodeOrder{}
	}
	for _, p := range g.packets {
		if p.Track.Kind == media.Video {
			o.lead = max(o.lead, min(-p.CTS, maxLead))
		}
	}
}

// place returns p, or a copy of it that is decoded in time. Where the lead has
// just grown, the first pictures follow each other by a tick until there is room.
func (o *decodeOrder) place(p *media.Packet) *media.Packet {
	dts, pts := p.DTS-o.lead, p.DTS+p.CTS
	if o.any && dts <= o.last && o.lead > 0 {
		dts = o.last + nextTick
	}
	o.last, o.any = dts, true
	if dts == p.DTS {
		return p
	}
	q := *p
	q.DTS, q.CTS = dts, pts-dts
	return &q
}
