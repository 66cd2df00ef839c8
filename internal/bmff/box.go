// Package bmff reads boxes of ISO base media files (ISO 14496-12): MP4 files, and
// initialization and media segments of fragmented MP4. All sizes are bounded before
// anything is read.
package bmff

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

var be = binary.BigEndian

// Bounds.
const (
	MaxContent   = 1 << 20 // bytes of a box that Content reads
	maxNestedBox = 10000   // boxes in one
)

// A Box is one of an ISO base media file (ISO 14496-12 §4.2). Its content is from Body
// to End.
type Box struct {
	Kind          string
	At, Body, End int64
}

// Size is that of the content.
func (b Box) Size() int64 { return b.End - b.Body }

// At reads the header of the box at a place. It ends before limit. io.EOF says that no
// header is there, io.ErrUnexpectedEOF that the box is longer than that.
//
//	size(32) type(32) [size(64)] content…
func At(r io.ReaderAt, at, limit int64) (Box, error) {
	var h [16]byte
	if limit-at < 8 {
		return Box{}, io.EOF
	}
	n, err := r.ReadAt(h[:min(16, limit-at)], at)
	if n < 8 {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.EOF
		}
		return Box{}, err
	}
	b := Box{Kind: string(h[4:8]), At: at, Body: at + 8}
	size := int64(be.Uint32(h[:]))
	switch {
	case size == 1 && n == 16:
		size = int64(be.Uint64(h[8:]))
		b.Body = at + 16
	case size == 0:
		size = limit - at
	}
	if size < b.Body-at {
		return Box{}, fmt.Errorf("box %q of %d bytes", Printable(b.Kind), size)
	}
	if size > limit-at {
		return b, fmt.Errorf("box %q of %d bytes: %w", Printable(b.Kind), size, io.ErrUnexpectedEOF)
	}
	b.End = at + size
	return b, nil
}

// Printable is a box type for people.
func Printable(kind string) string {
	out := []byte(kind)
	for i, c := range out {
		if c < ' ' || c > '~' {
			out[i] = '?'
		}
	}
	return string(out)
}

// Children calls f for each box in b.
func Children(r io.ReaderAt, b Box, f func(Box) error) error {
	return ChildrenFrom(r, b, b.Body, f)
}

// ChildrenFrom is Children for those from a place on.
func ChildrenFrom(r io.ReaderAt, b Box, at int64, f func(Box) error) error {
	for n := 0; b.End-at >= 8; n++ {
		if n == maxNestedBox {
			return fmt.Errorf("box %q holds more than %d others", Printable(b.Kind), maxNestedBox)
		}
		c, err := At(r, at, b.End)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("in box %q: a box is longer than that", Printable(b.Kind))
		}
		if err != nil {
			return err
		}
		if err := f(c); err != nil {
			return err
		}
		at = c.End
	}
	return nil
}

// Content reads the content of a small box, of at least so many bytes.
func Content(r io.ReaderAt, b Box, least int64) ([]byte, error) {
	if b.Size() > MaxContent {
		return nil, fmt.Errorf("box %q of %d bytes, at most %d are read", Printable(b.Kind), b.Size(), MaxContent)
	}
	if b.Size() < least {
		return nil, fmt.Errorf("box %q of %d bytes is too short", Printable(b.Kind), b.Size())
	}
	out := make([]byte, b.Size())
	if _, err := r.ReadAt(out, b.Body); err != nil {
		return nil, fmt.Errorf("box %q: %w", Printable(b.Kind), err)
	}
	return out, nil
}
