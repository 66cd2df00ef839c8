package flv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/gather"
	"github.com/rtmpd/rtmpd/internal/media"
)

// A RecordingFile is where a Recording is written: an *os.File, open for
// reading and writing and not for appending.
type RecordingFile interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
}

// A Recording is an FLV file that players can seek in. Its first tag is an
// onMetaData with room for the duration and an index of keyframes, which Finish
// fills in; until then, and after a crash, it is a plain FLV file of unknown
// length. It belongs to one goroutine.
//
//	header(9) 0(32) | onMetaData(metaSize) | tags …
type Recording struct {
	f       RecordingFile
	out     gather.Batch // whole tags that are not in the file yet
	written int64        // bytes in the file, whole tags only

	metaAt   int64 // where the body of onMetaData stands; 0: there is none of ours
	metaSize int
	index    keyIndex

	last, safe         uint32 // newest timestamp, ms; of what is in the file
	hasVideo, hasAudio bool
	tracks             [2]*media.Track // for the description: video, audio
}

const (
	fileHeaderSize = 13 // with the size of the tag before the first
	tagHeaderSize  = 11
	tagOverhead    = tagHeaderSize + 4

	// metaFixed is room for onMetaData without its index; keyEntry is what a
	// keyframe takes in it: two numbers.
	metaFixed = 640
	keyEntry  = 2 * 9

	// maxIndex is the most keyframes that are kept room for. Longer recordings
	// have every second, fourth, … keyframe in the index.
	maxIndex = 1024
	minIndex = 4

	flushAt = 256 << 10
	maxKept = 64 << 10 // the largest buffer that is kept
)

// creator marks an onMetaData whose room is ours to fill.
const creator = "rtmpd"

// NewRecording starts a recording in the empty file f. keyframes is how many
// keyframes it is expected to hold, 0 if that is not known.
func NewRecording(f RecordingFile, keyframes int) *Recording {
	if keyframes <= 0 {
		keyframes = maxIndex
	}
	r := &Recording{f: f, metaAt: fileHeaderSize + tagHeaderSize}
	r.index.room = min(max(keyframes, minIndex), maxIndex)
	r.metaSize = metaFixed + r.index.room*keyEntry
	r.out.Append(r.fileHeader())
	AppendTag(&r.out, FileTag{Type: TagScript, Body: r.metadata(0)})
	return r
}

// fileHeader announces both media until the tracks are known.
func (r *Recording) fileHeader() []byte {
	h := []byte{'F', 'L', 'V', 1, 5, 0, 0, 0, 9, 0, 0, 0, 0}
	switch {
	case r.hasVideo && !r.hasAudio:
		h[4] = 1
	case r.hasAudio && !r.hasVideo:
		h[4] = 4
	}
	return h
}

// Describe sets the tracks of the recording; nil ones are unknown.
func (r *Recording) Describe(video, audio *media.Track) { r.tracks = [2]*media.Track{video, audio} }

// WriteTag appends a tag, whose body must not change before it is flushed. keyframe:
// players may begin there.
func (r *Recording) WriteTag(t FileTag, keyframe bool) error {
	if len(t.Body) > 0xffffff {
		return fmt.Errorf("flv: tag of %d bytes: the format allows 16777215", len(t.Body))
	}
	if r.out.Len() >= flushAt {
		if err := r.Flush(); err != nil {
			return err
		}
	}
	r.note(t.Type, t.Timestamp)
	if keyframe {
		r.index.add(t.Timestamp, r.Size())
	}
	AppendTag(&r.out, t)
	return nil
}

func (r *Recording) note(kind uint8, timestamp uint32) {
	r.hasVideo = r.hasVideo || kind == TagVideo
	r.hasAudio = r.hasAudio || kind == TagAudio
	r.last = max(r.last, timestamp)
}

// AppendTag appends a tag, whose body is at most 16777215 bytes and must not change before
// b is written.
func AppendTag(b *gather.Batch, t FileTag) {
	n := len(t.Body)
	b.Own = append(b.Own, t.Type&0x1f, byte(n>>16), byte(n>>8), byte(n),
		byte(t.Timestamp>>16), byte(t.Timestamp>>8), byte(t.Timestamp), byte(t.Timestamp>>24), 0, 0, 0)
	b.Append(t.Body)
	b.Own = binary.BigEndian.AppendUint32(b.Own, uint32(n+tagHeaderSize))
}

// Size is the file's size with all that was written so far.
func (r *Recording) Size() int64 { return r.written + int64(r.out.Len()) }

// Written returns how many bytes of it are in the file.
func (r *Recording) Written() int64 { return r.written }

// Last is the newest timestamp in ms.
func (r *Recording) Last() uint32 { return r.last }

// Flush hands what was written to the file. After an error the file ends with
// the last tag that was flushed whole, what came after is lost, and only Finish
// is of use.
func (r *Recording) Flush() error {
	n := r.out.Len()
	if n == 0 {
		return nil
	}
	err := r.out.WriteAt(r.f, r.written)
	r.out.Reset(maxKept)
	if err != nil {
		r.last = r.safe
		if terr := r.f.Truncate(r.written); terr != nil {
			err = errors.Join(err, terr)
		}
		return fmt.Errorf("flv: write: %w", err)
	}
	r.written += int64(n)
	r.safe = r.last
	return nil
}

// Finish writes what is left, the duration and the index. The file is the
// caller's to close.
func (r *Recording) Finish() error {
	err := r.Flush()
	if r.written == 0 {
		return err
	}
	r.index.cut(r.written)
	if _, herr := r.f.WriteAt(r.fileHeader()[:5], 0); herr != nil {
		return errors.Join(err, fmt.Errorf("flv: write header: %w", herr))
	}
	if r.metaAt == 0 {
		return err
	}
	if _, merr := r.f.WriteAt(r.metadata(r.written), r.metaAt); merr != nil {
		return errors.Join(err, fmt.Errorf("flv: write onMetaData: %w", merr))
	}
	return err
}

// metadata is the body of onMetaData, always metaSize bytes. size is that of
// the finished file, 0 while it grows: then nothing is promised.
func (r *Recording) metadata(size int64) []byte {
	seconds := func(ms uint32) float64 { return float64(ms) / 1000 }
	a := amf.ECMAArray{{Name: "duration", Value: 0.0}}
	if size > 0 {
		a[0].Value = seconds(r.last)
		a = append(a, r.description()...)
		a = append(a, amf.Property{Name: "filesize", Value: size}, amf.Property{Name: "lasttimestamp", Value: seconds(r.last)})
		if n := len(r.index.at); n > 0 {
			times, places := make(amf.StrictArray, n), make(amf.StrictArray, n)
			for i, k := range r.index.at {
				times[i], places[i] = seconds(k.time), k.place
			}
			a = append(a,
				amf.Property{Name: "lastkeyframetimestamp", Value: seconds(r.index.newest)},
				amf.Property{Name: "keyframes", Value: amf.Object{{Name: "times", Value: times}, {Name: "filepositions", Value: places}}})
		}
	}
	a = append(a, amf.Property{Name: "metadatacreator", Value: creator}, amf.Property{Name: "filler"})
	set := func(f amf.StrictArray) []byte {
		a[len(a)-1].Value = f
		return amf.Append(amf.Append(nil, "onMetaData"), a)
	}
	return set(filler(r.metaSize - len(set(amf.StrictArray{}))))
}

// description holds the known properties of the tracks.
func (r *Recording) description() []amf.Property {
	out := []amf.Property{{Name: "hasVideo", Value: r.hasVideo}, {Name: "hasAudio", Value: r.hasAudio}}
	if v := r.tracks[media.Video]; v != nil && r.hasVideo {
		out = append(out, amf.Property{Name: "videocodecid", Value: codecID(v)})
		if v.Width > 0 {
			out = append(out, amf.Property{Name: "width", Value: v.Width}, amf.Property{Name: "height", Value: v.Height})
		}
		if v.FrameRate > 0 {
			out = append(out, amf.Property{Name: "framerate", Value: v.FrameRate})
		}
	}
	if a := r.tracks[media.Audio]; a != nil && r.hasAudio {
		out = append(out, amf.Property{Name: "audiocodecid", Value: codecID(a)})
		if a.SampleRate > 0 {
			out = append(out, amf.Property{Name: "audiosamplerate", Value: max(a.SampleRate, a.OutputRate)}, amf.Property{Name: "stereo", Value: a.Channels > 1})
		}
	}
	return out
}

func codecID(t *media.Track) uint32 {
	if t.LegacyID == LegacyNone {
		return t.FourCC
	}
	return uint32(t.LegacyID)
}

// fillerText is the longest text in the filler: readers keep such texts in
// small buffers.
const fillerText = 1000

// filler is a value that takes n bytes more than an empty array.
func filler(n int) amf.StrictArray {
	var a amf.StrictArray
	for n > 0 {
		size := min(n-3, fillerText)
		if size < 0 {
			a = append(a, nil) // one byte
			n--
			continue
		}
		a = append(a, string(slices.Repeat([]byte{' '}, size)))
		n -= size + 3
	}
	return a
}

// A keyIndex is where the keyframes are: all, or evenly spread ones of many.
type keyIndex struct {
	room   int
	stride int // every stride-th is in it
	seen   int
	newest uint32
	at     []keyPlace
}

type keyPlace struct {
	time  uint32 // ms
	place int64  // of the tag in the file
}

func (x *keyIndex) add(time uint32, place int64) {
	x.newest = time
	x.stride = max(x.stride, 1)
	x.seen++
	if (x.seen-1)%x.stride != 0 {
		return
	}
	if len(x.at) == x.room { // every second one goes
		kept := x.at[:0]
		for i := 0; i < x.room; i += 2 {
			kept = append(kept, x.at[i])
		}
		x.at = kept
		x.stride *= 2
		if (x.seen-1)%x.stride != 0 {
			return
		}
	}
	x.at = append(x.at, keyPlace{time, place})
}

// cut forgets what lies behind the end of the file.
func (x *keyIndex) cut(size int64) {
	for n := len(x.at); n > 0 && x.at[n-1].place >= size; n-- {
		x.at = x.at[:n-1]
		x.newest = 0
		if n > 1 {
			x.newest = x.at[n-2].time
		}
	}
}
