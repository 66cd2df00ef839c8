package flv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/rtmpd/rtmpd/internal/amf"
)

// ErrNotFLV is a file that can't be gone on with: something else than FLV.
var ErrNotFLV = errors.New("not an FLV file")

// ResumeRecording goes on with the recording in f, of size bytes: what is
// written next stands behind the last whole tag, and a torn one that a crash
// left is cut off. A file that has no tag yet is begun anew; one that other
// software made is continued, and keeps the onMetaData it has.
//
// Errors wrap ErrNotFLV, or are of reading and truncating.
func ResumeRecording(f RecordingFile, size int64) (*Recording, error) {
	var head [fileHeaderSize]byte
	n, err := f.ReadAt(head[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("flv: %w", err)
	}
	if n < len(head) || size < fileHeaderSize {
		const begin = "FLV\x01"
		if string(head[:min(n, len(begin))]) != begin[:min(n, len(begin))] {
			return nil, fmt.Errorf("flv: %w", ErrNotFLV)
		}
		if err := f.Truncate(0); err != nil {
			return nil, fmt.Errorf("flv: %w", err)
		}
		return NewRecording(f, 0), nil
	}
	first := int64(binary.BigEndian.Uint32(head[5:])) + 4
	if string(head[:4]) != "FLV\x01" || first < fileHeaderSize || first > min(size, maxFileHeader+4) {
		return nil, fmt.Errorf("flv: %w", ErrNotFLV)
	}
	r := &Recording{f: f, hasAudio: head[4]&4 != 0, hasVideo: head[4]&1 != 0}
	finished := r.readMetadata(first, size)
	if finished && r.readTail(first, size) {
		r.written = size
		return r, nil
	}
	r.index = keyIndex{room: r.index.room}
	r.hasAudio, r.hasVideo = false, false // an unfinished file's header promises both
	r.walk(first, size)
	if r.written < size {
		if err := f.Truncate(r.written); err != nil {
			return nil, fmt.Errorf("flv: cut off a torn tag: %w", err)
		}
	}
	return r, nil
}

// tagAt reads the header of the tag at off: its kind, the size of its body, its
// timestamp; ok is false if there is no whole tag.
func (r *Recording) tagAt(off, end int64) (kind uint8, body int64, timestamp uint32, ok bool) {
	var h [tagHeaderSize]byte
	if off+tagOverhead > end {
		return 0, 0, 0, false
	}
	if _, err := r.f.ReadAt(h[:], off); err != nil {
		return 0, 0, 0, false
	}
	kind = h[0]
	body = int64(h[1])<<16 | int64(h[2])<<8 | int64(h[3])
	timestamp = uint32(h[7])<<24 | uint32(h[4])<<16 | uint32(h[5])<<8 | uint32(h[6])
	if kind != TagAudio && kind != TagVideo && kind != TagScript || off+tagOverhead+body > end {
		return 0, 0, 0, false
	}
	return kind, body, timestamp, true
}

// maxMetadata is the largest onMetaData that can be ours.
const maxMetadata = metaFixed + maxIndex*keyEntry

// readMetadata takes over the onMetaData of a file that is ours, and its index;
// finished reports that it was filled in and is still true: the file has the size
// it had then.
func (r *Recording) readMetadata(first, fileSize int64) (finished bool) {
	kind, size, _, ok := r.tagAt(first, math.MaxInt64)
	if !ok || kind != TagScript || size > maxMetadata || size < metaFixed+minIndex*keyEntry {
		return !ok || kind != TagScript // then nothing of it is needed
	}
	body := make([]byte, size)
	if _, err := r.f.ReadAt(body, first+tagHeaderSize); err != nil {
		return false
	}
	name, rest, err := scriptName(body)
	if err != nil || name != "onMetaData" {
		return true
	}
	v, rest, err := amf.Decode(rest)
	meta, ok := v.(amf.ECMAArray)
	if err != nil || !ok || len(rest) != 0 || meta.Get("metadatacreator") != creator {
		return true
	}
	r.metaAt, r.metaSize = first+tagHeaderSize, int(size)
	r.index.room = (r.metaSize - metaFixed) / keyEntry
	r.index.adopt(meta)
	return meta.Get("filesize") == float64(fileSize)
}

// adopt takes over the index of a finished recording.
func (x *keyIndex) adopt(meta amf.ECMAArray) {
	o, _ := meta.Get("keyframes").(amf.Object)
	times, _ := o.Get("times").(amf.StrictArray)
	places, _ := o.Get("filepositions").(amf.StrictArray)
	if len(times) != len(places) || len(times) > x.room {
		return
	}
	for i := range times {
		t, p := number(times[i]), number(places[i])
		if t > math.MaxUint32/1000 || p > 1<<53 {
			x.at = nil
			return
		}
		x.at = append(x.at, keyPlace{uint32(math.Round(t * 1000)), int64(p)})
		x.newest = uint32(math.Round(t * 1000))
	}
	x.seen = len(x.at)
}

// readTail takes the newest timestamp from the end of a whole file.
func (r *Recording) readTail(first, size int64) bool {
	var b [4]byte
	if size < first+tagOverhead {
		return false
	}
	if _, err := r.f.ReadAt(b[:], size-4); err != nil {
		return false
	}
	before := int64(binary.BigEndian.Uint32(b[:]))
	at := size - 4 - before
	if at < first {
		return false
	}
	_, body, timestamp, ok := r.tagAt(at, size)
	r.last, r.safe = timestamp, timestamp
	return ok && body+tagHeaderSize == before
}

// walk goes over the tags of a file that was not finished, for its end and its
// keyframes.
func (r *Recording) walk(first, size int64) {
	r.written = first
	for {
		kind, body, timestamp, ok := r.tagAt(r.written, size)
		if !ok {
			r.safe = r.last
			return
		}
		if kind == TagVideo && body > 1 {
			var b [2]byte
			if _, err := r.f.ReadAt(b[:], r.written+tagHeaderSize); err == nil && isKeyframe(b) {
				r.index.add(timestamp, r.written)
			}
		}
		if kind != TagScript {
			r.note(kind, timestamp)
		}
		r.written += tagOverhead + body
	}
}

// isKeyframe looks at the first bytes of a video tag's body: a key frame, and
// not a sequence header (annex E.4.3.1; E-RTMP v2 ExVideoTagHeader).
func isKeyframe(b [2]byte) bool {
	if b[0]>>4&7 != frameKey {
		return false
	}
	if b[0]&0x80 != 0 {
		t := PacketType(b[0] & 0x0f)
		return t == PacketCodedFrames || t == PacketCodedFramesX
	}
	codec := b[0] & 0x0f
	return codec != videoAVC && codec != videoHEVC || b[1] == legacyFrame
}
