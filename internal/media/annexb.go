package media

import (
	"bytes"
	"encoding/binary"
)

// startCode is the length of the start code at the beginning of b (ITU-T H.264
// annex B, H.265 annex B): 3 or 4 bytes, 0 for none.
func startCode(b []byte) int {
	switch {
	case len(b) >= 3 && b[0] == 0 && b[1] == 0 && b[2] == 1:
		return 3
	case len(b) >= 4 && b[0] == 0 && b[1] == 0 && b[2] == 0 && b[3] == 1:
		return 4
	}
	return 0
}

// IsAnnexB reports whether b begins with a start code.
func IsAnnexB(b []byte) bool { return startCode(b) > 0 }

// AnnexB calls yield for each unit of a byte stream that begins with a start
// code. Units alias b. No unit holds three bytes 00 00 01 (emulation
// prevention), or ends with zero bytes, so the bounds are certain.
func AnnexB(b []byte, yield func(unit []byte)) {
	b = b[startCode(b):]
	for len(b) > 0 {
		end := bytes.Index(b, []byte{0, 0, 1})
		unit, rest := b, []byte(nil)
		if end >= 0 {
			unit, rest = b[:end], b[end+3:]
		}
		if unit = bytes.TrimRight(unit, "\x00"); len(unit) > 0 {
			yield(unit[:len(unit):len(unit)])
		}
		b = rest
	}
}

// RepairUnits returns data with a NAL unit length in front of each unit where
// the publisher wrote start codes: in place of lengths, or behind them. It
// returns data itself, and false, if there is nothing of this kind. The copy is
// at most twice as long.
func RepairUnits(data []byte, lengthSize int) ([]byte, bool) {
	put := func(out, unit []byte) []byte {
		if lengthSize < 4 && len(unit)>>(8*lengthSize) != 0 {
			return out // can't be said
		}
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(len(unit)))
		return append(append(out, length[4-lengthSize:]...), unit...)
	}
	whole, inside := true, false
	rest := len(data) // behind the last whole unit
	for n, err := range NALUs(data, lengthSize) {
		whole = whole && err == nil
		inside = inside || startCode(n) > 0
		if err == nil {
			rest -= lengthSize + len(n)
		}
	}
	switch {
	// A length of 256 to 511 looks like a start code, too. Bytes behind the units that are
	// too few for a length are something that the publisher left there.
	case !whole && rest >= lengthSize && IsAnnexB(data):
		out := make([]byte, 0, len(data)+len(data)/8)
		AnnexB(data, func(unit []byte) { out = put(out, unit) })
		return mended(data, out)
	case inside:
		out := make([]byte, 0, len(data)+len(data)/8)
		for n, err := range NALUs(data, lengthSize) {
			switch {
			case err != nil:
			case startCode(n) > 0:
				AnnexB(n, func(unit []byte) { out = put(out, unit) })
			default:
				out = put(out, n)
			}
		}
		return mended(data, out)
	}
	return data, false
}

// mended is out, unless nothing is left.
func mended(data, out []byte) ([]byte, bool) {
	if len(out) == 0 {
		return data, false
	}
	return out[:len(out):len(out)], true
}
