package packager

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/segmenter"
)

// push passes pkt, read at now, to the segmenter. The frames of a message with several
// frames become packets with times of their own.
func (p *Packager) push(pkt *media.Packet, now time.Time) {
	elapsed := p.elapsed(now)
	if !pkt.ADTS {
		p.seg.Push(pkt, now, elapsed)
		return
	}
	frames, _ := media.SplitADTS(pkt.Data) // the doctor says what is not whole
	for i, raw := range frames {
		q := *pkt
		q.ADTS, q.Data, q.Tag = false, raw, nil
		d := segmenter.Samples(int64(i), pkt.Track)
		q.DTS += d
		q.Timestamp += uint32(d.Milliseconds())
		p.seg.Push(&q, now, elapsed)
	}
}
