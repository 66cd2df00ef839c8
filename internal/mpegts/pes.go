package mpegts

import "slices"

// Stream ids of PES packets (ISO 13818-1 table 2-22).
const (
	streamIDVideo    = 0xe0
	streamIDAudio    = 0xc0
	streamIDPrivate1 = 0xbd // AC-3, E-AC-3
)

// maxPESHeader is the longest header pesHeader makes.
const maxPESHeader = 19

// pesHeader builds the header of a PES packet (§2.4.3.6) with size bytes of
// payload; n says how long it is:
//
//	prefix(24)=1 id(8) length(16) '10' … alignment(1) … PTS_DTS_flags(2) …
//	headerLength(8) PTS(40) [DTS(40)]
//
// pts and dts are the packets' own, in ticks. The length is 0, "unbounded",
// only if it does not fit, which the standard allows for video.
func pesHeader(id byte, pts, dts int64, size int) (h [maxPESHeader]byte, n int) {
	pts += clockStart + decodeDelay
	dts += clockStart + decodeDelay
	n = 14
	if pts != dts {
		n = maxPESHeader
	}
	length := n - 6 + size
	if length > 0xffff {
		length = 0
	}
	copy(h[:], []byte{0, 0, 1, id, byte(length >> 8), byte(length), 0x84, 0x80, byte(n - 9)})
	if pts == dts {
		putTimestamp(h[9:], 0x20, pts)
		return h, n
	}
	h[7] = 0xc0
	putTimestamp(h[9:], 0x30, pts)
	putTimestamp(h[14:], 0x10, dts)
	return h, n
}

// putTimestamp writes prefix(4) t(32..30) 1 t(29..15) 1 t(14..0) 1: the low 33
// bits of t, which is how a stream goes on after 26.5 hours.
func putTimestamp(b []byte, prefix byte, t int64) {
	b[0] = prefix | byte(t>>29)&0x0e | 1
	b[1] = byte(t >> 22)
	b[2] = byte(t>>14) | 1
	b[3] = byte(t >> 7)
	b[4] = byte(t<<1) | 1
}

// A packetizer spreads one PES packet over transport packets. The caller says
// in open how long it is and then puts exactly that many bytes; the last
// transport packet is filled up by its adaptation field.
type packetizer struct {
	m      *Muxer
	pid    uint16
	count  *uint8 // the PID's continuity counter to come
	first  bool   // no transport packet begun
	random bool   // set random_access_indicator
	pcr    bool   // the first transport packet has a clock reference

	// Time of the first byte, and from there to the last: with pcr set and a
	// span, more references are spread over the PES packet.
	begin, span int64

	b     []byte
	total int
	left  int // bytes of the PES packet not put yet
	room  int // bytes left in the transport packet begun
}

func (w *packetizer) open(dst []byte, size int) {
	w.total, w.left = size, size
	least := payloadSize - 8 // payload of a packet with a clock reference
	packets := (size+8+payloadSize-1)/payloadSize + 1
	if w.span > 0 {
		packets = size/least + 2
	}
	w.b = slices.Grow(dst, packets*packetSize)
}

func (w *packetizer) put(p []byte) {
	for len(p) > 0 {
		if w.room == 0 {
			w.begins()
		}
		n := min(w.room, len(p))
		w.b = append(w.b, p[:n]...)
		w.room -= n
		w.left -= n
		p = p[n:]
	}
}

// begins writes a transport packet's header (§2.4.3.2) and adaptation field:
//
//	0x47 error(1) start(1) priority(1) PID(13) scrambling(2) control(2) counter(4)
//	[length(8) [flags(8) [PCR(48)] stuffing]]
func (w *packetizer) begins() {
	var flags byte
	var reference int64
	if w.first && w.random {
		flags |= flagRandomAccess
	}
	if now := w.now(); w.pcr && (w.first || w.span > 0 && now-w.m.clock.last >= clockInFrame) {
		var discontinuity bool
		flags |= flagPCR
		if reference, discontinuity = w.m.clock.to(now); discontinuity {
			flags |= flagDiscontinuity
		}
	}
	field := 0
	if flags != 0 {
		field = 2
	}
	if flags&flagPCR != 0 {
		field = 8
	}
	field = max(field, payloadSize-w.left)
	w.room = payloadSize - field

	start, control := byte(0), byte(0x10)
	if w.first {
		start = 0x40
	}
	if field > 0 {
		control = 0x30
	}
	w.b = append(w.b, 0x47, start|byte(w.pid>>8), byte(w.pid), control|*w.count)
	*w.count = (*w.count + 1) & 0xf
	w.first = false
	if field == 0 {
		return
	}
	w.b = append(w.b, byte(field-1))
	if field == 1 {
		return
	}
	w.b = append(w.b, flags)
	field -= 2
	if flags&flagPCR != 0 {
		w.b = appendPCR(w.b, reference)
		field -= 6
	}
	w.b = appendStuffing(w.b, field)
}

// now is the time of the next byte to be put.
func (w *packetizer) now() int64 {
	if w.span == 0 {
		return w.begin
	}
	return w.begin + w.span*int64(w.total-w.left)/int64(w.total)
}
