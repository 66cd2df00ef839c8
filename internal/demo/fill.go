package demo

import (
	"bytes"
	"encoding/binary"
	"slices"
)

const (
	keyWeight = 4  // a keyframe is filled up to this many times another picture
	filler    = 12 // nal_unit_type of filler data (ITU-T H.264 §7.3.2.7)
	maxFiller = 4 << 20
)

// fill brings the clip to a bit rate with filler data, which decoders skip: at the end of
// each picture, in NAL units with a length of four bytes as the others.
func (c *clip) fill(bitsPerSecond int) {
	weights, have := 0, 0
	for _, m := range c.frames {
		have += len(m.Payload)
		if m.ChunkStreamID == csidVideo {
			weights += weight(m.Payload)
		}
	}
	want := int(length.Seconds() * float64(bitsPerSecond) / 8)
	if want <= have || weights == 0 {
		return
	}
	share := float64(want-have) / float64(weights)
	for i := range c.frames {
		m := &c.frames[i]
		if m.ChunkStreamID == csidVideo {
			m.Payload = append(slices.Clip(m.Payload), fillerUnit(int(share*float64(weight(m.Payload))))...)
		}
	}
}

// weight is that of a picture, by the body of its message (FLV 10.1 §E.4.3.1).
func weight(body []byte) int {
	if body[0]>>4 == 1 {
		return keyWeight
	}
	return 1
}

// fillerUnit is a NAL unit of filler data of n bytes with its length, six at least.
func fillerUnit(n int) []byte {
	n = min(max(n, 6), maxFiller)
	b := binary.BigEndian.AppendUint32(make([]byte, 0, n), uint32(n-4))
	b = append(b, filler)
	b = append(b, bytes.Repeat([]byte{0xff}, n-6)...)
	return append(b, 0x80) // rbsp_trailing_bits
}
