package media

import (
	"fmt"
	"iter"
)

// NALUs walks the length-prefixed NAL units of an access unit (ISO 14496-15
// §5.3.4.2). lengthSize is the track's NALULength; the units yielded alias
// data and carry neither length nor start code. Empty units are passed over.
//
// A length that runs past the end, or bytes too few for a length, ends the
// walk with one last pair of a nil unit and the error; everything before it
// has been yielded. The walk does not allocate.
func NALUs(data []byte, lengthSize int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) { walkNALUs(data, lengthSize, yield) }
}

func walkNALUs(data []byte, lengthSize int, yield func([]byte, error) bool) {
	if lengthSize < 1 || lengthSize > 4 {
		yield(nil, fmt.Errorf("NAL unit length of %d bytes", lengthSize))
		return
	}
	for pos := 0; pos < len(data); {
		if len(data)-pos < lengthSize {
			yield(nil, fmt.Errorf("NAL unit length at byte %d: %w", pos, ErrShort))
			return
		}
		n := uint32(0)
		for _, c := range data[pos : pos+lengthSize] {
			n = n<<8 | uint32(c)
		}
		pos += lengthSize
		if uint64(n) > uint64(len(data)-pos) {
			yield(nil, fmt.Errorf("NAL unit of %d bytes at byte %d, %d left: %w", n, pos, len(data)-pos, ErrShort))
			return
		}
		end := pos + int(n)
		if n > 0 && !yield(data[pos:end:end], nil) {
			return
		}
		pos = end
	}
}
