package vod

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/rtmpd/rtmpd/internal/bmff"
)

var be = binary.BigEndian

// A box is one of an MP4 file.
type box = bmff.Box

// A table is the entries of a box such as stts, read as they are needed.
type table struct {
	r     io.ReaderAt
	kind  string
	at    int64 // of the first entry
	n     uint32
	width uint32 // bytes of an entry

	buf  []byte
	from uint32 // the first entry in buf
	size uint32 // entries in buf
}

const (
	tableBuffer = 4096
	maxEntries  = 1 << 25 // of a table: samples of 300 h at 30 frames/s
)

// readTable begins to read a FullBox that says at offset how many entries of width
// bytes follow (ISO 14496-12 §8.6, §8.7).
func readTable(r io.ReaderAt, b box, width uint32, skip int64) (table, error) {
	t := table{r: r, kind: b.Kind, width: width, at: b.Body + 4 + skip + 4}
	var h [4]byte
	if b.Size() < 8+skip {
		return t, fmt.Errorf("box %q is too short", b.Kind)
	}
	if _, err := r.ReadAt(h[:], b.Body+4+skip); err != nil {
		return t, fmt.Errorf("box %q: %w", b.Kind, err)
	}
	t.n = be.Uint32(h[:])
	if t.n > maxEntries || int64(t.n)*int64(width) > b.End-t.at {
		return t, fmt.Errorf("box %q says that it has %d entries", b.Kind, t.n)
	}
	return t, nil
}

// entry is the i-th entry. It is valid until the next call.
func (t *table) entry(i uint32) ([]byte, error) {
	if i >= t.n {
		return nil, fmt.Errorf("box %q has %d entries, and another one is needed", t.kind, t.n)
	}
	if i < t.from || i >= t.from+t.size {
		if t.buf == nil {
			t.buf = make([]byte, min(tableBuffer/t.width, t.n)*t.width)
		}
		t.from, t.size = i, min(uint32(len(t.buf))/t.width, t.n-i)
		if _, err := t.r.ReadAt(t.buf[:t.size*t.width], t.at+int64(i)*int64(t.width)); err != nil {
			t.size = 0
			return nil, fmt.Errorf("box %q: %w", t.kind, err)
		}
	}
	at := (i - t.from) * t.width
	return t.buf[at : at+t.width], nil
}
