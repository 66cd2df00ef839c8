// Package mp4 writes ISO base media files (ISO 14496-12): initialisation segments
// and fragments in the caller's buffer, and recordings that are fragmented while
// they grow and plain MP4 once they are finished.
package mp4

import "encoding/binary"

var be = binary.BigEndian

// open begins a box and returns where it stands; shut fills in its size.
func open(b []byte, kind string) (out []byte, at int) {
	return append(append(b, 0, 0, 0, 0), kind...), len(b)
}

// openFull begins a FullBox (§4.2).
func openFull(b []byte, kind string, version uint8, flags uint32) (out []byte, at int) {
	b, at = open(b, kind)
	return be.AppendUint32(b, uint32(version)<<24|flags), at
}

// shut ends the box that begins at at, and has extra bytes that are written apart.
func shut(b []byte, at int, extra int) {
	be.PutUint32(b[at:], uint32(len(b)-at+extra))
}

func zeros(b []byte, n int) []byte {
	for ; n > 0; n-- {
		b = append(b, 0)
	}
	return b
}

// unityMatrix is the transformation of mvhd and tkhd that changes nothing.
func unityMatrix(b []byte) []byte {
	for _, v := range [9]uint32{0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000} {
		b = be.AppendUint32(b, v)
	}
	return b
}

// AppendFileType appends ftyp (§4.3); the first brand is the major one.
func AppendFileType(b []byte, brands ...string) []byte {
	b, at := open(b, "ftyp")
	b = append(b, brands[0]...)
	b = be.AppendUint32(b, 0x200)
	for _, brand := range brands {
		b = append(b, brand...)
	}
	shut(b, at, 0)
	return b
}

// AppendSegmentType appends the styp (§8.16.2) of a CMAF segment of DASH.
func AppendSegmentType(b []byte) []byte {
	b, at := open(b, "styp")
	b = append(b, "msdh\x00\x00\x00\x00msdhcmfsiso6"...)
	shut(b, at, 0)
	return b
}
