package flv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Tag types (FLV annex E.4.1); the RTMP message types of the same content.
const (
	TagAudio  = 8
	TagVideo  = 9
	TagScript = 18
)

// MaxTag is the largest tag body a Reader accepts: what rtmpd accepts as an
// RTMP message by default. The format itself allows 16 MiB.
const MaxTag = 10 << 20

// TagHeaderSize is the size of a tag's header, in bytes.
const TagHeaderSize = tagHeaderSize

// maxFileHeader bounds the header of an FLV file, whose length is a field.
const maxFileHeader = 4096

// A FileTag is one tag of an FLV file.
type FileTag struct {
	Type      uint8
	Timestamp uint32 // ms modulo 2^32
	Body      []byte // an RTMP message payload
}

// A Reader reads the tags of an FLV file (annex E.2 to E.4). It does its own
// small reads: give it a buffered r.
type Reader struct {
	r                  io.Reader
	HasVideo, HasAudio bool // what the file header promises; not to be relied on
	head               [15]byte
}

// NewReader reads the file header:
//
//	"FLV" version(8)=1 flags(8): audio 4, video 1 | headerSize(32) … previousTagSize0(32)
func NewReader(r io.Reader) (*Reader, error) {
	f := &Reader{r: r}
	h := f.head[:9]
	if _, err := io.ReadFull(r, h); err != nil {
		return nil, fmt.Errorf("flv: file header: %w", err)
	}
	if string(h[:3]) != "FLV" || h[3] != 1 {
		return nil, fmt.Errorf("flv: not an FLV file: it starts with %x", h[:4])
	}
	f.HasAudio, f.HasVideo = h[4]&4 != 0, h[4]&1 != 0
	size := binary.BigEndian.Uint32(h[5:])
	if size < 9 || size > maxFileHeader {
		return nil, fmt.Errorf("flv: file header of %d bytes", size)
	}
	if _, err := io.CopyN(io.Discard, r, int64(size)-9+4); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("flv: file header: %w", err)
	}
	return f, nil
}

// Next returns the next tag, whose Body is the caller's to keep. The error is
// io.EOF after the last whole tag and io.ErrUnexpectedEOF, wrapped, in the
// middle of one: a recording that was cut off.
func (f *Reader) Next() (FileTag, error) { return f.NextInto(nil) }

// NextInto is Next with a Body that uses buf where it is large enough.
func (f *Reader) NextInto(buf []byte) (FileTag, error) {
	h := f.head[:TagHeaderSize]
	if _, err := io.ReadFull(f.r, h); err != nil {
		if err == io.EOF {
			return FileTag{}, io.EOF
		}
		return FileTag{}, fmt.Errorf("flv: tag header: %w", err)
	}
	t, size, err := ParseTagHeader(h)
	if err != nil {
		return FileTag{}, err
	}
	if t.Body, err = readBody(f.r, size, buf); err != nil {
		return FileTag{}, fmt.Errorf("flv: tag of %d bytes: %w", size, err)
	}
	// The size of the tag before is for reading backwards; writers get it
	// wrong or leave out the last one.
	if _, err := io.ReadFull(f.r, f.head[:4]); err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return FileTag{}, fmt.Errorf("flv: tag: %w", err)
	}
	return t, nil
}

// ParseTagHeader reads the TagHeaderSize bytes in front of a tag's body, of size
// bytes:
//
//	reserved(2) filter(1) type(5) size(24) timestamp(24) timestampHigh(8) streamId(24)
//	body… previousTagSize(32)
func ParseTagHeader(h []byte) (t FileTag, size int, err error) {
	t.Type = h[0] & 0x1f
	t.Timestamp = uint32(h[7])<<24 | uint32(h[4])<<16 | uint32(h[5])<<8 | uint32(h[6])
	size = int(h[1])<<16 | int(h[2])<<8 | int(h[3])
	if size > MaxTag {
		return t, size, fmt.Errorf("flv: tag of %d bytes: more than %d", size, MaxTag)
	}
	if h[0]&0x20 != 0 {
		return t, size, errors.New("flv: encrypted tag")
	}
	return t, size, nil
}

// readBody reads size bytes, into buf if it is large enough. Otherwise the buffer
// grows beyond 64 KiB as bytes arrive: the size is a claim.
func readBody(r io.Reader, size int, buf []byte) ([]byte, error) {
	if size <= cap(buf) || size <= 64<<10 {
		b := buf[:min(size, cap(buf))]
		if size > cap(buf) {
			b = make([]byte, size)
		}
		_, err := io.ReadFull(r, b)
		if err == io.EOF && size > 0 {
			err = io.ErrUnexpectedEOF
		}
		return b, err
	}
	var grown bytes.Buffer
	if _, err := io.CopyN(&grown, r, int64(size)); err == io.EOF {
		return nil, io.ErrUnexpectedEOF
	} else if err != nil {
		return nil, err
	}
	return grown.Bytes()[:size:size], nil
}
