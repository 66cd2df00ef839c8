package vod

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

var be = binary.BigEndian

const (
	maxBoxes     = 1 << 20 // beside each other: fragments of a day are some 200000
	maxSmallBox  = 1 << 20 // bytes of a box that is read at once
	maxNestedBox = 10000   // boxes in one
)

// A box is one of an ISO base media file (ISO 14496-12 §4.2). Its content is from body
// to end.
type box struct {
	kind          string
	at, body, end int64
}

func (b box) size() int64 { return b.end - b.body }

// boxAt reads the header of the box at a place. It ends before limit.
//
//	size(32) type(32) [size(64)] content…
func boxAt(r io.ReaderAt, at, limit int64) (box, error) {
	var h [16]byte
	if limit-at < 8 {
		return box{}, io.EOF
	}
	n, err := r.ReadAt(h[:min(16, limit-at)], at)
	if n < 8 {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.EOF
		}
		return box{}, err
	}
	b := box{kind: string(h[4:8]), at: at, body: at + 8}
	size := int64(be.Uint32(h[:]))
	switch {
	case size == 1 && n == 16:
		size = int64(be.Uint64(h[8:]))
		b.body = at + 16
	case size == 0:
		size = limit - at
	}
	if size < b.body-at {
		return box{}, fmt.Errorf("box %q of %d bytes", printable(b.kind), size)
	}
	if size > limit-at {
		return b, fmt.Errorf("box %q of %d bytes: %w", printable(b.kind), size, io.ErrUnexpectedEOF)
	}
	b.end = at + size
	return b, nil
}

// printable is a box type for people.
func printable(kind string) string {
	out := []byte(kind)
	for i, c := range out {
		if c < ' ' || c > '~' {
			out[i] = '?'
		}
	}
	return string(out)
}

// children calls f for each box in b.
func children(r io.ReaderAt, b box, f func(box) error) error {
	return childrenFrom(r, b, b.body, f)
}

func childrenFrom(r io.ReaderAt, b box, at int64, f func(box) error) error {
	for n := 0; b.end-at >= 8; n++ {
		if n == maxNestedBox {
			return fmt.Errorf("box %q holds more than %d others", printable(b.kind), maxNestedBox)
		}
		c, err := boxAt(r, at, b.end)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("in box %q: a box is longer than that", printable(b.kind))
		}
		if err != nil {
			return err
		}
		if err := f(c); err != nil {
			return err
		}
		at = c.end
	}
	return nil
}

// content reads the content of a small box, of at least so many bytes.
func content(r io.ReaderAt, b box, least int64) ([]byte, error) {
	if b.size() > maxSmallBox {
		return nil, fmt.Errorf("box %q of %d bytes, at most %d are read", printable(b.kind), b.size(), maxSmallBox)
	}
	if b.size() < least {
		return nil, fmt.Errorf("box %q of %d bytes is too short", printable(b.kind), b.size())
	}
	out := make([]byte, b.size())
	if _, err := r.ReadAt(out, b.body); err != nil {
		return nil, fmt.Errorf("box %q: %w", printable(b.kind), err)
	}
	return out, nil
}

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
	t := table{r: r, kind: b.kind, width: width, at: b.body + 4 + skip + 4}
	var h [4]byte
	if b.size() < 8+skip {
		return t, fmt.Errorf("box %q is too short", b.kind)
	}
	if _, err := r.ReadAt(h[:], b.body+4+skip); err != nil {
		return t, fmt.Errorf("box %q: %w", b.kind, err)
	}
	t.n = be.Uint32(h[:])
	if t.n > maxEntries || int64(t.n)*int64(width) > b.end-t.at {
		return t, fmt.Errorf("box %q says that it has %d entries", b.kind, t.n)
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
