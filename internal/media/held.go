package media

import "unsafe"

// PacketOverhead is the memory of a packet beside its bytes: the Packet, its
// allocation, and its place in a ring or list. It is charged so that a flood of
// empty packets is bounded like any other.
const PacketOverhead = 192

// headerOverhead is that of a Track or Extra.
const headerOverhead = 512

// Held is how much memory p keeps, in bytes, without its Track and Extra: those
// are shared by many packets, and charged where they change.
func (p *Packet) Held() int64 {
	n := int64(len(p.Tag)) + PacketOverhead
	if !within(p.Data, p.Tag) { // repaired: it has bytes of its own
		n += int64(len(p.Data))
	}
	for f := p.Other; f != nil; f = f.Next {
		n += frameOverhead
		if !within(f.Data, p.Tag) {
			n += int64(len(f.Data))
		}
	}
	return n
}

// frameOverhead is the memory of a Frame.
const frameOverhead = 64

// within reports whether part aliases whole. Nothing is read through the pointers.
func within(part, whole []byte) bool {
	if len(part) == 0 {
		return true
	}
	a, b := uintptr(unsafe.Pointer(unsafe.SliceData(part))), uintptr(unsafe.Pointer(unsafe.SliceData(whole)))
	return a >= b && a+uintptr(len(part)) <= b+uintptr(len(whole))
}

// Held is how much memory t keeps.
func (t *Track) Held() int64 {
	const sliceHeader = 24
	sets := len(t.VPS) + len(t.SPS) + len(t.PPS)
	return int64(max(len(t.Tag), len(t.Config))+sliceHeader*sets) + headerOverhead
}

// Held is how much memory e keeps.
func (e *Extra) Held() int64 {
	n := int64(headerOverhead)
	for _, h := range e.Headers {
		n += int64(len(h))
	}
	for _, r := range e.Renditions {
		n += r.Track.Held()
	}
	return n
}

// A HeaderLedger computes the additional memory of each packet of one stream.
// A reader that holds a run of packets holds their headers, too: by one publisher
// that changes them all the time those may be most of it.
type HeaderLedger struct {
	tracks [2]*Track
	extras [2]*Extra
}

// Charge returns the memory of p's Track and Extra, if they are not those of the packet
// of its kind before. Tracks other than 0 alternate and have no header.
func (l *HeaderLedger) Charge(p *Packet) int64 {
	kind := p.Track.Kind
	if kind > Audio {
		return 0
	}
	var n int64
	if p.Track.ID == 0 && p.Track != l.tracks[kind] {
		l.tracks[kind] = p.Track
		n += p.Track.Held()
	}
	if p.Extra != l.extras[kind] {
		l.extras[kind] = p.Extra
		if p.Extra != nil {
			n += p.Extra.Held()
		}
	}
	return n
}
