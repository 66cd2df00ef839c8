package vod

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/rtmpd/rtmpd/internal/flv"
)

const (
	readAhead = 64 << 10 // of a file's buffer
	maxKept   = 1 << 20  // the largest buffer for a body that is kept
	prologue  = 64       // tags that are looked at for headers and metadata
)

// An flvFile is an FLV file as a File. Where its keyframes are it knows from the index
// in onMetaData, if there is one, and from what it has looked at.
type flvFile struct {
	f    handle
	buf  *bufio.Reader
	r    *flv.Reader
	next int64 // where the tag stands that r reads next
	body []byte

	first    int64 // where the first tag stands
	opening  int64 // the tags up to here were looked at for the headers to begin with
	metadata []byte
	duration uint32
	headers  headers
	keys     places
	scanned  int64 // keys has what stands before it
	video    bool  // the file has some
	checked  int   // places of keys, from an index, before which it was looked for headers
}

func openFLV(f handle) (*flvFile, error) {
	v := &flvFile{f: f, buf: bufio.NewReaderSize(io.NewSectionReader(f, 0, math.MaxInt64), readAhead)}
	var head [9]byte
	if n, err := f.ReadAt(head[:], 0); n < len(head) {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("it is too short for an FLV file")
		}
		return nil, err
	}
	var err error
	if v.r, err = flv.NewReader(v.buf); err != nil {
		return nil, err
	}
	v.first = int64(binary.BigEndian.Uint32(head[5:])) + 4
	v.next, v.scanned = v.first, v.first
	if err := v.begin(); err != nil {
		return nil, err
	}
	return v, nil
}

// begin looks at the first tags, and goes back before them.
func (v *flvFile) begin() error {
	media := 0
	for range prologue {
		tag, err := v.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch {
		case tag.Type == flv.TagScript && v.metadata == nil:
			v.describe(tag.Body)
		case tag.Type == flv.TagVideo || tag.Type == flv.TagAudio:
			media++
			v.video = v.video || tag.Type == flv.TagVideo
		}
	}
	if media == 0 {
		return errors.New("it has no media")
	}
	if v.duration == 0 {
		v.duration = v.lastTimestamp()
	}
	v.metadata = setDuration(v.metadata, v.duration)
	v.opening = v.next
	v.goTo(v.first)
	return nil
}

// describe takes what onMetaData says.
func (v *flvFile) describe(body []byte) {
	m, ok := readMetadata(body)
	if !ok {
		return
	}
	v.metadata, v.duration = m.message, m.duration
	v.keys = m.keys
}

// lastTimestamp is that of the last tag, by the size of it that stands behind it; 0:
// the file is being written, or was cut off.
func (v *flvFile) lastTimestamp() uint32 {
	end := v.f.Size()
	if end < v.first+4 {
		return 0
	}
	var b [flv.TagHeaderSize]byte
	if _, err := v.f.ReadAt(b[:4], end-4); err != nil {
		return 0
	}
	size := int64(binary.BigEndian.Uint32(b[:]))
	at := end - 4 - size
	if at < v.first {
		return 0
	}
	if _, err := v.f.ReadAt(b[:], at); err != nil {
		return 0
	}
	tag, n, err := flv.ParseTagHeader(b[:])
	if err != nil || int64(n+flv.TagHeaderSize) != size {
		return 0
	}
	return tag.Timestamp
}

// Metadata implements File.
func (v *flvFile) Metadata() []byte { return v.metadata }

// Headers implements File.
func (v *flvFile) Headers() []flv.FileTag { return v.headers.list }

// Duration implements File.
func (v *flvFile) Duration() uint32 { return v.duration }

// Size implements File.
func (v *flvFile) Size() int64 { return v.f.Size() }

// Close implements File.
func (v *flvFile) Close() error { return v.f.Close() }

// Next implements File.
func (v *flvFile) Next() (flv.FileTag, error) {
	tag, err := v.r.NextInto(v.body)
	if err != nil {
		return tag, cutOff(err)
	}
	if cap(tag.Body) <= maxKept {
		v.body = tag.Body
	}
	v.look(tag.Type, tag.Timestamp, tag.Body, v.next)
	v.next += int64(len(tag.Body)) + flv.TagHeaderSize + 4
	return tag, nil
}

// look takes note of the tag at place. head is its body, or the beginning of it.
func (v *flvFile) look(typ uint8, timestamp uint32, head []byte, place int64) {
	k := kindOf(typ, head)
	if k == isHeader {
		v.headers.add(typ, head, place)
	}
	if place < v.scanned {
		return
	}
	v.scanned = place + 1
	v.video = v.video || typ == flv.TagVideo
	if k == isKeyframe || k == isSound && !v.video {
		v.keys.add(timestamp, place)
	}
}

// goTo has Next go on at the tag at place.
func (v *flvFile) goTo(place int64) {
	v.next = place
	v.buf.Reset(io.NewSectionReader(v.f, place, math.MaxInt64-place))
}

// Seek implements File.
func (v *flvFile) Seek(ctx context.Context, ms uint32) error {
	at, place := v.first, v.first
	if k, ok := v.keys.before(ms); ok && v.keyframeAt(k) {
		at, place = k.at, k.at
	} else if ok {
		v.keys = places{} // the index is of another file
		v.scanned, v.checked = v.first, 0
	}
	v.checkHeaders(ms)
	v.headers.goTo(at, v.opening)
	inForce := v.headers.list
	// What follows up to ms may hold a keyframe that is not known.
	var head [flv.TagHeaderSize + 8]byte
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		got, _ := v.f.ReadAt(head[:], at)
		if got < flv.TagHeaderSize {
			break // the end
		}
		tag, size, err := flv.ParseTagHeader(head[:])
		if err != nil {
			break // Next says so, if it comes that far
		}
		begin := head[flv.TagHeaderSize:max(flv.TagHeaderSize, min(got, flv.TagHeaderSize+size))]
		k := kindOf(tag.Type, begin)
		if tag.Timestamp > ms && (k == isKeyframe || k == isSound && !v.video) {
			break
		}
		if k == isHeader {
			begin = v.headerAt(at+flv.TagHeaderSize, size)
		}
		v.look(tag.Type, tag.Timestamp, begin, at)
		if k == isKeyframe || k == isSound && !v.video {
			place, inForce = at, v.headers.list
		}
		at += int64(size) + flv.TagHeaderSize + 4
	}
	v.headers.list = inForce
	v.goTo(place)
	return nil
}

// checkHeaders looks for sequence headers before the places of an index up to ms: an
// encoder that begins anew sends them before its first keyframe.
func (v *flvFile) checkHeaders(ms uint32) {
	for ; v.checked < len(v.keys.list) && v.keys.list[v.checked].ms <= ms; v.checked++ {
		at := v.keys.list[v.checked].at
		if at < v.scanned {
			continue
		}
		v.headers.goTo(at, v.opening)
		v.headersBefore(at, maxHeaders)
	}
}

// headersBefore takes the headers that stand directly before a place, by the sizes that
// stand behind each tag.
func (v *flvFile) headersBefore(at int64, limit int) {
	var b [flv.TagHeaderSize + 8]byte
	if limit == 0 || at-4 < v.first {
		return
	}
	if _, err := v.f.ReadAt(b[:4], at-4); err != nil {
		return
	}
	size := int64(be.Uint32(b[:]))
	place := at - 4 - size
	if place < v.first || size < flv.TagHeaderSize+2 || size > maxHeader {
		return
	}
	n, _ := v.f.ReadAt(b[:], place)
	if n < flv.TagHeaderSize+2 {
		return
	}
	tag, length, err := flv.ParseTagHeader(b[:])
	if err != nil || int64(length)+flv.TagHeaderSize != size || kindOf(tag.Type, b[flv.TagHeaderSize:n]) != isHeader {
		return
	}
	v.headersBefore(place, limit-1)
	v.headers.add(tag.Type, v.headerAt(place+flv.TagHeaderSize, length), place)
}

// headerAt reads the body of a sequence header; nil: it is too long, or cut off.
func (v *flvFile) headerAt(place int64, size int) []byte {
	if size > maxHeader {
		return nil
	}
	body := make([]byte, size)
	if _, err := v.f.ReadAt(body, place); err != nil {
		return nil
	}
	return body
}

// keyframeAt reports whether there is a tag at k's place that playing may begin with.
func (v *flvFile) keyframeAt(k place) bool {
	var head [flv.TagHeaderSize + 8]byte
	if k.at < v.first {
		return false
	}
	if n, err := v.f.ReadAt(head[:], k.at); n < len(head) {
		return err == nil
	}
	tag, size, err := flv.ParseTagHeader(head[:])
	if err != nil || max(tag.Timestamp, k.ms)-min(tag.Timestamp, k.ms) > 1000 {
		return false
	}
	kind := kindOf(tag.Type, head[flv.TagHeaderSize:flv.TagHeaderSize+min(8, size)])
	return kind == isKeyframe || kind == isSound && !v.video
}

// errShort says that a file ends before what its tables promise.
func errShort(what string) error { return fmt.Errorf("%s ends early: the file is cut off", what) }
