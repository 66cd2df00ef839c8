package bmff

import (
	"errors"
	"fmt"
	"io"
)

// Sizes of sample entries up to the boxes in them (ISO 14496-12 §8.5.2, §12.1.3,
// §12.2.3).
const (
	VisualEntry = 78
	AudioEntry  = 28
)

// Find finds a box of a kind in entry, from a place on.
func Find(r io.ReaderAt, entry Box, from int64, kind string) (found Box, err error) {
	err = ChildrenFrom(r, entry, from, func(b Box) error {
		if b.Kind == kind && found.Kind == "" {
			found = b
		}
		return nil
	})
	if err == nil && found.Kind == "" {
		err = fmt.Errorf("sample entry %q has no box %q", entry.Kind, kind)
	}
	return found, err
}

// ReadESDS finds objectTypeIndication and DecoderSpecificInfo in an ES_Descriptor, the
// content of esds (ISO 14496-1 §7.2.6).
func ReadESDS(b []byte) (object byte, config []byte, err error) {
	short := errors.New("box \"esds\" is cut off")
	for len(b) >= 2 {
		tag := b[0]
		n, i := 0, 1
		for {
			if i >= len(b) || i > 4 {
				return 0, nil, short
			}
			n = n<<7 | int(b[i]&0x7f)
			i++
			if b[i-1]&0x80 == 0 {
				break
			}
		}
		b = b[i:]
		if n > len(b) {
			return object, nil, short
		}
		skip := n
		switch tag {
		case 3: // ES_Descriptor: ES_ID(16) flags(8) …
			if n < 3 {
				return 0, nil, short
			}
			skip = 3
			if b[2]&0x80 != 0 {
				skip += 2
			}
			if b[2]&0x40 != 0 {
				return 0, nil, errors.New("box \"esds\" names a URL")
			}
			if b[2]&0x20 != 0 {
				skip += 2
			}
		case 4: // DecoderConfigDescriptor: object(8) … 13 bytes
			if n < 13 {
				return 0, nil, short
			}
			object, skip = b[0], 13
		case 5: // DecoderSpecificInfo
			return object, b[:n:n], nil
		}
		if skip > len(b) {
			return object, nil, short
		}
		b = b[skip:]
	}
	if object == 0 {
		return 0, nil, short
	}
	return object, nil, nil
}
