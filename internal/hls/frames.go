package hls

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// push hands pkt, read at now, to the segmenter: the frames of a message that has
// several each with its own time.
func (p *Packager) push(pkt *media.Packet, now time.Time) {
	elapsed := p.elapsed(now)
	if !pkt.ADTS {
		p.seg.push(pkt, now, elapsed)
		return
	}
	frames, _ := media.SplitADTS(pkt.Data) // the doctor says what is not whole
	for i, raw := range frames {
		q := *pkt
		q.ADTS, q.Data, q.Tag = false, raw, nil
		d := samples(int64(i), pkt.Track)
		q.DTS += d
		q.Timestamp += uint32(d.Milliseconds())
		p.seg.push(&q, now, elapsed)
	}
}
