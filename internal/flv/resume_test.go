package flv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// tagEnds lists where the tags of a whole file end, that of onMetaData first.
func tagEnds(b []byte) (ends []int) {
	for at := 13; at < len(b); {
		size := int(b[at+1])<<16 | int(b[at+2])<<8 | int(b[at+3])
		at += 11 + size + 4
		ends = append(ends, at)
	}
	return ends
}

// recorded is a recording of two groups, finished or as a crash leaves it.
func recorded(t *testing.T, finished bool) []byte {
	t.Helper()
	f := &mediatest.MemFile{}
	r := NewRecording(f, 20)
	r.Describe(&media.Track{Kind: media.Video, LegacyID: 7}, &media.Track{Kind: media.Audio, LegacyID: 10})
	writeGOPs(t, r, 2, 0)
	err := r.Flush()
	if finished {
		err = r.Finish()
	}
	if err != nil {
		t.Fatal(err)
	}
	return f.B
}

// A recording that ends at any byte is gone on with behind its last whole tag.
func TestARecordingThatEndsAnywhereIsGoneOnWith(t *testing.T) {
	t.Parallel()
	for name, whole := range map[string][]byte{"a crashed": recorded(t, false), "a finished": recorded(t, true)} {
		ends := tagEnds(whole)
		times := []uint32{0, 0, 40, 50, 1000, 1040, 1050} // of the tags, onMetaData first
		if len(ends) != len(times) || ends[6] != len(whole) {
			t.Fatalf("%s recording has tags up to %d of %d bytes", name, ends, len(whole))
		}
		for n := range len(whole) + 1 {
			kept := 0 // whole tags
			for kept < len(ends) && ends[kept] <= n {
				kept++
			}
			f := &mediatest.MemFile{B: bytes.Clone(whole[:n])}
			r, err := ResumeRecording(f, int64(n))
			if err != nil {
				t.Fatalf("%s recording cut at %d: %v", name, n, err)
			}
			if kept == 0 && n >= 13 { // the room for onMetaData is not whole: the file has none
				if r.Size() != 13 {
					t.Fatalf("%s recording cut at %d goes on at %d", name, n, r.Size())
				}
				continue
			}
			last := times[max(kept-1, 0)]
			if r.Last() != last {
				t.Fatalf("%s recording cut at %d: the newest timestamp is %d, want %d", name, n, r.Last(), last)
			}
			if kept > 0 && r.Size() != int64(ends[kept-1]) {
				t.Fatalf("%s recording cut at %d goes on at %d, want %d", name, n, r.Size(), ends[kept-1])
			}
			writeGOPs(t, r, 1, last+10)
			if err := r.Finish(); err != nil {
				t.Fatal(err)
			}
			meta, tags := metadataOf(t, f.B)
			if want := max(kept, 1) - 1 + 3; len(tags) != want {
				t.Fatalf("%s recording cut at %d has %d tags in the end, want %d", name, n, len(tags), want)
			}
			if got, want := meta.Get("duration"), float64(last+60)/1000; got != want {
				t.Fatalf("%s recording cut at %d: duration %v, want %v", name, n, got, want)
			}
			if meta.Get("filesize") != float64(len(f.B)) || meta.Get("hasVideo") != true || meta.Get("hasAudio") != true {
				t.Fatalf("%s recording cut at %d says %v of %d bytes", name, n, meta, len(f.B))
			}
			keys := 1
			if kept > 1 {
				keys++
			}
			if kept > 4 {
				keys++
			}
			checkIndex(t, f.B, meta, keys)
		}
	}
}

// What stands behind the last tag of a finished recording is cut off.
func TestRubbishBehindAFinishedRecordingIsCutOff(t *testing.T) {
	t.Parallel()
	whole := recorded(t, true)
	for name, rubbish := range map[string][]byte{
		"a byte":                               {9},
		"zeros":                                make([]byte, 100),
		"a tag of a kind that is none":         tagBytes(FileTag{Type: 10, Timestamp: 9000, Body: keyTag}),
		"a tag that is torn":                   tagBytes(FileTag{Type: TagVideo, Timestamp: 9000, Body: keyTag})[:16],
		"a size that leads out of the file":    {0xff, 0xff, 0xff, 0xff},
		"a size that leads into the header":    binary.BigEndian.AppendUint32(nil, uint32(len(whole)-5)),
		"a size that leads to no tag's header": {0, 0, 0, 20},
	} {
		f := &mediatest.MemFile{B: append(bytes.Clone(whole), rubbish...)}
		r, err := ResumeRecording(f, int64(len(f.B)))
		if err != nil || r.Size() != int64(len(whole)) || !bytes.Equal(f.B, whole) || r.Last() != 1050 {
			t.Errorf("%s: %v, goes on at %d of %d, newest %d", name, err, r.Size(), len(whole), r.Last())
		}
	}
	// A whole tag behind it is one more, whoever wrote it.
	f := &mediatest.MemFile{B: append(bytes.Clone(whole), tagBytes(FileTag{Type: TagAudio, Timestamp: 2000, Body: soundTag})...)}
	if r, err := ResumeRecording(f, int64(len(f.B))); err != nil || r.Size() != int64(len(f.B)) || r.Last() != 2000 {
		t.Errorf("a whole tag behind it: %v, goes on at %d of %d, newest %d", err, r.Size(), len(f.B), r.Last())
	}
}

func TestWhichFileHeadersAreGoneOnWith(t *testing.T) {
	t.Parallel()
	tags := tagBytes(FileTag{Type: TagVideo, Timestamp: 2000, Body: keyTag})
	head := func(size uint32, flags byte) []byte {
		b := binary.BigEndian.AppendUint32([]byte{'F', 'L', 'V', 1, flags}, size)
		return append(b, make([]byte, max(int(min(size, 5000))-9, 0)+4)...)
	}
	for _, c := range []struct {
		name string
		in   []byte
		last uint32 // 0: begun anew
		err  error
	}{
		{"9 bytes", append(head(9, 5), tags...), 2000, nil},
		{"10 bytes", append(head(10, 5), tags...), 2000, nil},
		{"4096 bytes", append(head(4096, 5), tags...), 2000, nil},
		{"4097 bytes", append(head(4097, 5), tags...), 0, ErrNotFLV},
		{"8 bytes", append(head(8, 5), tags...), 0, ErrNotFLV},
		{"more than the file has", head(60, 5)[:50], 0, ErrNotFLV},
		{"nothing behind it", head(9, 5), 0, nil},
		{"version 2", append([]byte("FLV\x02\x05\x00\x00\x00\x09\x00\x00\x00\x00"), tags...), 0, ErrNotFLV},
		{"three bytes of it", []byte("FLV"), 0, nil},
		{"three bytes of something else", []byte("FLX"), 0, ErrNotFLV},
		{"twelve bytes of it", head(9, 5)[:12], 0, nil},
		{"twelve bytes of something else", []byte("FLV\x02\x05\x00\x00\x00\x09\x00\x00\x00"), 0, ErrNotFLV},
	} {
		f := &mediatest.MemFile{B: bytes.Clone(c.in)}
		r, err := ResumeRecording(f, int64(len(f.B)))
		if !errors.Is(err, c.err) || err == nil && r.Last() != c.last {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && !bytes.Equal(f.B, c.in) {
			t.Errorf("%s: refused and changed", c.name)
		}
		if err != nil {
			continue
		}
		writeGOPs(t, r, 1, c.last+10)
		if err := r.Finish(); err != nil {
			t.Fatal(err)
		}
		rd, err := NewReader(bytes.NewReader(f.B))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		n := 0
		for {
			if _, err = rd.Next(); err != nil {
				break
			}
			n++
		}
		want := 4 // onMetaData and three
		if c.name == "nothing behind it" {
			want = 3
		}
		if !errors.Is(err, io.EOF) || n != want || !rd.HasVideo || !rd.HasAudio {
			t.Errorf("%s: %d tags in the end, %v, want %d", c.name, n, err, want)
		}
	}
}

// Annex E.4.3.1 and E-RTMP v2 ExVideoTagHeader: players may begin at a key frame
// that is coded, not at a sequence header.
func TestWhichFramesOfACrashedRecordingAreInTheIndex(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		kind       uint8
		want       bool
	}{
		{"H.264", "17 01 000000 aa", TagVideo, true},
		{"H.264's sequence header", "17 00 000000 aa", TagVideo, false},
		{"H.264's end", "17 02 000000", TagVideo, false},
		{"HEVC by number", "1c 01 000000 aa", TagVideo, true},
		{"its sequence header", "1c 00 000000 aa", TagVideo, false},
		{"an inter frame", "27 01 000000 aa", TagVideo, false},
		{"a disposable one", "37 01 000000 aa", TagVideo, false},
		{"Sorenson, which has no packet type", "12 00 aa", TagVideo, true},
		{"Sorenson, inter", "22 01 aa", TagVideo, false},
		{"a frame of a byte", "17", TagVideo, false},
		{"a Sorenson frame of a byte", "12", TagVideo, false},
		{"Enhanced: CodedFrames", "91 61766331 000000 aa", TagVideo, true},
		{"Enhanced: CodedFramesX", "93 61766331 aa", TagVideo, true},
		{"Enhanced: SequenceStart", "90 61766331 aa", TagVideo, false},
		{"Enhanced: SequenceEnd", "92 61766331", TagVideo, false},
		{"Enhanced: Metadata", "94 61766331 aa", TagVideo, false},
		{"Enhanced: an inter frame", "a1 61766331 000000 aa", TagVideo, false},
		{"audio with the same bytes", "17 01 000000 aa", TagAudio, false},
	} {
		f := &mediatest.MemFile{}
		r := NewRecording(f, 20)
		if err := r.WriteTag(FileTag{c.kind, 500, unhex(c.body)}, false); err != nil {
			t.Fatal(err)
		}
		if err := r.Flush(); err != nil {
			t.Fatal(err)
		}
		r, err := ResumeRecording(f, int64(len(f.B)))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Finish(); err != nil {
			t.Fatal(err)
		}
		meta, _ := metadataOf(t, f.B)
		o, _ := meta.Get("keyframes").(amf.Object)
		times, _ := o.Get("times").(amf.StrictArray)
		if got := slices.Equal(times, amf.StrictArray{0.5}); got != c.want || len(times) > 1 {
			t.Errorf("%s: the index has %v, want the frame %v", c.name, times, c.want)
		}
		if (meta.Get("hasVideo") == true) != (c.kind == TagVideo) || (meta.Get("hasAudio") == true) != (c.kind == TagAudio) {
			t.Errorf("%s: %v", c.name, meta)
		}
	}
}

// An onMetaData of ours that was tampered with costs the index, not the recording.
func TestAnIndexThatMakesNoSenseIsNotTakenOver(t *testing.T) {
	t.Parallel()
	whole := recorded(t, true)
	size := int(whole[14])<<16 | int(whole[15])<<8 | int(whole[16])
	number := func(f float64) []byte { return amf.Append(nil, f) }
	for name, c := range map[string]struct {
		from, to []byte
		index    int // after another group
	}{
		"as it was":                     {nil, nil, 3},
		"a time beyond 32 bits of ms":   {number(1), number(1e10), 1},
		"a place beyond any file":       {number(float64(len(whole))), number(float64(len(whole))), 3},
		"no size: it was not finished":  {[]byte("filesize"), []byte("filesiz_"), 3},
		"other software's":              {[]byte("\x02\x00\x05rtmpd"), []byte("\x02\x00\x05other"), 0},
		"another name of the keyframes": {[]byte("keyframes"), []byte("keyframe_"), 1},
		"fewer places than times":       {[]byte("filepositions"), []byte("filepos_tions"), 1},
	} {
		b := bytes.Clone(whole)
		if c.from != nil {
			at := bytes.LastIndex(b[:24+size], c.from)
			if at < 0 {
				t.Fatalf("%s: onMetaData has no % x", name, c.from)
			}
			copy(b[at:], c.to)
		}
		f := &mediatest.MemFile{B: b}
		r, err := ResumeRecording(f, int64(len(b)))
		if err != nil || r.Last() != 1050 {
			t.Fatalf("%s: %v, newest %d", name, err, r.Last())
		}
		writeGOPs(t, r, 1, 2000)
		if err := r.Finish(); err != nil {
			t.Fatal(err)
		}
		meta, tags := metadataOf(t, f.B)
		if len(tags) != 9 {
			t.Errorf("%s: %d tags", name, len(tags))
		}
		if c.index == 0 {
			if meta.Get("duration") != 1.05 {
				t.Errorf("%s: somebody else's onMetaData is now %v", name, meta)
			}
			continue
		}
		if meta.Get("duration") != 2.05 || meta.Get("lastkeyframetimestamp") != 2.0 {
			t.Errorf("%s: %v", name, meta)
		}
		checkIndex(t, f.B, meta, c.index)
	}
}

// A tag without a body is whole, at the end of a file too.
func TestAnEmptyTagAtTheEnd(t *testing.T) {
	t.Parallel()
	for name, finished := range map[string]bool{"unfinished": false, "finished": true} {
		f := &mediatest.MemFile{}
		r := NewRecording(f, 4)
		for i := range uint32(2) {
			if err := r.WriteTag(FileTag{Type: TagAudio, Timestamp: 700 + i}, false); err != nil {
				t.Fatal(err)
			}
		}
		err := r.Flush()
		if finished {
			err = r.Finish()
		}
		if err != nil {
			t.Fatal(err)
		}
		if r, err := ResumeRecording(f, int64(len(f.B))); err != nil || r.Last() != 701 || r.Size() != int64(len(f.B)) {
			t.Errorf("%s: %v, newest %d, goes on at %d of %d", name, err, r.Last(), r.Size(), len(f.B))
		}
	}
}
