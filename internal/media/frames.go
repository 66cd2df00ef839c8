package media

import "time"

// Frames makes whole pictures and single frames of sound of a stream's packets,
// in their order. A picture is passed on when the next one begins, because more of
// it may come; the sound behind it waits as long. It belongs to one goroutine.
type Frames struct {
	lead  Pictures
	parts []*Packet // of the picture that may go on
	queue []*Packet // sound that came after its beginning
	raw   []*Packet // parts of the picture handed on last
}

const (
	// pictureTime is how much sound may come before the rest of a picture.
	pictureTime = 200 * time.Millisecond
	// maxParts bounds the messages of a picture.
	maxParts = 1024
)

// Add takes p and appends what is complete to out.
func (f *Frames) Add(out []*Packet, p *Packet) []*Packet {
	if p.Track.Kind > Audio || p.Track.ID != 0 || p.Data == nil {
		return out
	}
	if p.Track.Kind == Audio {
		if len(f.parts) > 0 && p.DTS-f.parts[0].DTS > pictureTime {
			out = f.Flush(out)
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
	out = f.Flush(out)
	f.parts = append(f.parts, p)
	return out
}

// Flush appends what waits.
func (f *Frames) Flush(out []*Packet) []*Packet {
	if len(f.parts) == 0 {
		return out
	}
	out = append(append(out, Join(f.parts)), f.queue...)
	f.raw, f.parts = f.parts, f.raw[:0]
	clear(f.queue)
	f.queue = f.queue[:0]
	return out
}

// Passed says that packets are missing before the next one.
func (f *Frames) Passed() { f.lead.Reset() }

// Raw returns the messages of the picture that was handed on last, until the next call.
func (f *Frames) Raw() []*Packet { return f.raw }

// Rest returns the messages that wait, as they came, and forgets everything.
func (f *Frames) Rest() []*Packet {
	waiting := append(f.parts, f.queue...)
	*f = Frames{}
	return waiting
}

// split appends the frames of p, which has one unless it is several in ADTS.
func split(out []*Packet, p *Packet) []*Packet {
	if !p.ADTS {
		return append(out, p)
	}
	all, _ := SplitADTS(p.Data)
	for i, data := range all {
		q := *p
		q.ADTS, q.Tag, q.Data = false, nil, data
		q.DTS += time.Duration(i) * p.Track.FrameDuration()
		out = append(out, &q)
	}
	return out
}
