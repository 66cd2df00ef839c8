package mp4

import (
	"encoding/binary"
	"fmt"
	"io"
)

// An index is where and when the samples of one track are: what the tables of a
// finished file say. It is a list of
//
//	uvarint(size<<2 | sync<<1 | moves) [uvarint(place - place before)] uvarint(DTS - DTS before) varint(offset)
//
// five or six bytes a sample. moves: the sample does not follow the one before,
// but is at another place. Beyond spillAt the list is put into the recording
// itself, in free boxes, so that a recording of days needs no memory.
type index struct {
	list    []byte
	spilled []extent
	samples int64

	place int64 // of the newest sample that moves
	next  int64 // where a sample is that does not
	dts   int64 // of the newest sample
}

// An extent is a part of a file.
type extent struct{ at, size int64 }

const spillAt = 128 << 10

// An entry is a sample of an index.
type entry struct {
	place  int64
	size   uint32
	dts    int64
	offset int32
	sync   bool
	moves  bool
}

func (x *index) add(e entry) {
	e.moves = x.samples == 0 || e.place != x.next
	x.list = binary.AppendUvarint(x.list, uint64(e.size)<<2|uint64(flag(e.sync))<<1|uint64(flag(e.moves)))
	if e.moves {
		x.list = binary.AppendUvarint(x.list, uint64(e.place-x.place))
		x.place = e.place
	}
	x.list = binary.AppendUvarint(x.list, uint64(e.dts-x.dts))
	x.list = binary.AppendVarint(x.list, int64(e.offset))
	x.next, x.dts = e.place+int64(e.size), e.dts
	x.samples++
}

// walk calls f for every sample, in order. f is file, which has what was spilled.
func (x *index) walk(file io.ReaderAt, f func(entry) error) error {
	var at index // place, next and dts of the sample before
	var buf []byte
	for _, part := range x.spilled {
		buf = append(buf[:0], make([]byte, part.size)...)
		if _, err := file.ReadAt(buf, part.at); err != nil {
			return fmt.Errorf("read the index: %w", err)
		}
		if err := at.decode(buf, f); err != nil {
			return err
		}
	}
	return at.decode(x.list, f)
}

// decode calls f for the samples of a part of a list.
func (x *index) decode(list []byte, f func(entry) error) error {
	for len(list) > 0 {
		var v [4]uint64
		n := 0
		take := func(i int) bool {
			var w int
			v[i], w = binary.Uvarint(list[n:])
			n += max(w, 0)
			return w > 0
		}
		if !take(0) || v[0]&1 != 0 && !take(1) || !take(2) || !take(3) {
			return errIndex
		}
		list = list[n:]
		e := entry{size: uint32(v[0] >> 2), sync: v[0]&2 != 0, moves: v[0]&1 != 0, place: x.next}
		if e.moves {
			x.place += int64(v[1])
			e.place = x.place
		}
		x.dts += int64(v[2])
		e.dts, e.offset = x.dts, int32(int64(v[3]>>1)^-int64(v[3]&1))
		x.next = e.place + int64(e.size)
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}
