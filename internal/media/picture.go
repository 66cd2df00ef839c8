package media

import "encoding/binary"

// Pictures makes access units of a stream's packets for outputs that need
// whole pictures: encoders may send a picture in several messages, the
// parameter sets and each slice apart. It belongs to one goroutine.
//
// What comes before the first slice is held and joined to it. Later slices are
// handed on as they come, with Continues set: a picture must not wait for the
// next one, which may be seconds away. Join makes one packet of them.
type Pictures struct {
	lead *Packet // messages without a slice, joined; nil: none
}

// Add takes the next packet and returns the packet to go on with, nil for none
// yet. A message without slices that no slice follows is left out: it is no
// picture. Audio and data pass.
func (s *Pictures) Add(p *Packet) *Packet {
	if p.Track.Kind != Video || p.Track.ID != 0 {
		return p
	}
	lead := s.lead
	s.lead = nil
	if p.Continues && (lead != nil || p.Keyframe) {
		// Without a lead: a reader that began at the message that says that
		// the picture is a keyframe has the beginning of it here.
		q := *p
		q.Continues = false
		if lead != nil {
			q = *Join([]*Packet{lead, p})
		}
		p = &q
	}
	if c := p.Track.Codec; c != CodecH264 && c != CodecHEVC || p.Continues {
		return p
	}
	if u := ReadUnits(p.Track.Codec, p.Data, p.Track.NALULength); !u.Slices && !u.Broken {
		s.lead = p
		return nil
	}
	return p
}

// Reset forgets what is held: the next packet does not follow the last one.
func (s *Pictures) Reset() { s.lead = nil }

// Join makes one packet of the parts of a picture, in the order in which they
// came, with the NAL unit length of the last. One part alone is returned as it
// is; the result of more has no Tag: RTMP players get the parts.
func Join(parts []*Packet) *Packet {
	if len(parts) == 1 {
		return parts[0]
	}
	last := parts[len(parts)-1]
	q := *parts[0]
	q.Track, q.Extra, q.Tag = last.Track, last.Extra, nil
	size, same, sliced := 0, true, false
	for _, p := range parts {
		size += len(p.Data)
		same = same && p.Track.NALULength == q.Track.NALULength
		q.Keyframe = q.Keyframe || p.Keyframe
		// The slices have the picture's time; parameter sets may have any.
		if !sliced && ReadUnits(p.Track.Codec, p.Data, p.Track.NALULength).Slices {
			sliced = true
			q.CTS = p.DTS + p.CTS - q.DTS
			q.Disposable = p.Disposable
		}
	}
	q.Data = make([]byte, 0, size)
	for _, p := range parts {
		if same {
			q.Data = append(q.Data, p.Data...)
			continue
		}
		q.Data = appendLengths(q.Data, p.Data, p.Track.NALULength, q.Track.NALULength)
	}
	return &q
}

// appendLengths appends the units of data with lengths of another size.
func appendLengths(dst, data []byte, from, to int) []byte {
	for n, err := range NALUs(data, from) {
		if err != nil || to < 4 && len(n)>>(8*to) != 0 {
			break
		}
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(n)))
		dst = append(append(dst, length[4-to:]...), n...)
	}
	return dst
}
