package record

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// frames makes whole pictures and single frames of sound of a stream's packets,
// in their order. A picture is passed on when the next one begins, because more of
// it may come; the sound behind it waits as long.
type frames struct {
	lead  media.Pictures
	parts []*media.Packet // of the picture that may go on
	queue []*media.Packet // sound that came after its beginning
	raw   []*media.Packet // parts of the picture handed on last
}

const (
	// pictureTime is how much sound may come before the rest of a picture.
	pictureTime = 200 * time.Millisecond
	// maxParts bounds the messages of a picture.
	maxParts = 1024
)

// add takes p and appends what is complete to out.
func (f *frames) add(out []*media.Packet, p *media.Packet) []*media.Packet {
	if p.Track.Kind > media.Audio || p.Track.ID != 0 || p.Data == nil {
		return out
	}
	if p.Track.Kind == media.Audio {
		if len(f.parts) > 0 && p.DTS-f.parts[0].DTS > pictureTime {
			out = f.flush(out)
		}
		if len(f.parts) == 0 {
			return split(out, p)
		}
		f.queue = split(f.queue, p)
		return out
	}
	if p = f.lead.Add(p); p == nil {
		return out
	}
	if p.Continues {
		if n := len(f.parts); n > 0 && n < maxParts {
			f.parts = append(f.parts, p)
		}
		return out
	}
	out = f.flush(out)
	f.parts = append(f.parts, p)
	return out
}

// flush appends what waits.
func (f *frames) flush(out []*media.Packet) []*media.Packet {
	if len(f.parts) == 0 {
		return out
	}
	out = append(append(out, media.Join(f.parts)), f.queue...)
	f.raw, f.parts = f.parts, f.raw[:0]
	clear(f.queue)
	f.queue = f.queue[:0]
	return out
}

// split appends the frames of p, which has one unless it is several in ADTS.
func split(out []*media.Packet, p *media.Packet) []*media.Packet {
	if !p.ADTS {
		return append(out, p)
	}
	all, _ := media.SplitADTS(p.Data)
	for i, data := range all {
		q := *p
		q.ADTS, q.Tag, q.Data = false, nil, data
		q.DTS += time.Duration(i) * p.Track.FrameDuration()
		out = append(out, &q)
	}
	return out
}
