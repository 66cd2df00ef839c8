package flv

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/fuzztime"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

var (
	keyTag   = []byte{0x17, 1, 0, 0, 0, 0xaa}
	interTag = []byte{0x27, 1, 0, 0, 0, 0xbb}
	soundTag = []byte{0xaf, 1, 0xcc}
)

// writeGOPs writes n groups of a keyframe, a frame and a sound, one a second.
func writeGOPs(t *testing.T, r *Recording, n int, from uint32) {
	t.Helper()
	for i := range uint32(n) {
		at := from + i*1000
		for _, tag := range []struct {
			FileTag
			key bool
		}{
			{FileTag{TagVideo, at, keyTag}, true},
			{FileTag{TagVideo, at + 40, interTag}, false},
			{FileTag{TagAudio, at + 50, soundTag}, false},
		} {
			if err := r.WriteTag(tag.FileTag, tag.key); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// metadataOf reads the first tag of a file, and how many others there are.
func metadataOf(t *testing.T, b []byte) (amf.ECMAArray, []FileTag) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var tags []FileTag
	for {
		tag, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		tags = append(tags, tag)
	}
	name, rest, err := scriptName(tags[0].Body)
	if err != nil || name != "onMetaData" || tags[0].Type != TagScript {
		t.Fatalf("the first tag is %d %q, %v", tags[0].Type, name, err)
	}
	v, rest, err := amf.Decode(rest)
	if err != nil || len(rest) != 0 {
		t.Fatalf("onMetaData: %v, %d bytes left", err, len(rest))
	}
	return v.(amf.ECMAArray), tags[1:]
}

// checkIndex shows that each place in the index is a keyframe of that time.
func checkIndex(t *testing.T, b []byte, meta amf.ECMAArray, want int) {
	t.Helper()
	o, _ := meta.Get("keyframes").(amf.Object)
	times, _ := o.Get("times").(amf.StrictArray)
	places, _ := o.Get("filepositions").(amf.StrictArray)
	if len(times) != want || len(places) != want {
		t.Fatalf("an index of %d times and %d places, want %d", len(times), len(places), want)
	}
	r := &Recording{f: &mediatest.MemFile{B: b}}
	for i := range times {
		kind, _, at, ok := r.tagAt(int64(places[i].(float64)), int64(len(b)))
		if !ok || kind != TagVideo || float64(at)/1000 != times[i] || b[int(places[i].(float64))+tagHeaderSize] != 0x17 {
			t.Fatalf("entry %d leads to kind %d at %d ms, %v; want a keyframe at %v s", i, kind, at, ok, times[i])
		}
	}
}

func TestAFinishedRecordingSaysHowLongItIsAndWhereTheKeyframesAre(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		expected, gops int
		index          int
	}{
		{"as many keyframes as expected", 10, 10, 10},
		{"more: every second", 10, 11, 6},
		{"a few are always kept room for", 1, 4, 4},
		{"nothing is known", 0, 300, 300},
		{"for days", 0, 5000, 625},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &mediatest.MemFile{}
			r := NewRecording(f, c.expected)
			r.Describe(&media.Track{Kind: media.Video, LegacyID: 7, Width: 1280, Height: 720, FrameRate: 25}, &media.Track{Kind: media.Audio, LegacyID: 10, SampleRate: 48000, Channels: 2})
			writeGOPs(t, r, c.gops, 0)
			if err := r.Finish(); err != nil {
				t.Fatal(err)
			}
			meta, tags := metadataOf(t, f.B)
			if len(tags) != 3*c.gops {
				t.Errorf("%d tags, want %d", len(tags), 3*c.gops)
			}
			if got, want := meta.Get("duration"), float64(c.gops-1)+.05; got != want {
				t.Errorf("duration %v, want %v", got, want)
			}
			if got := meta.Get("filesize"); got != float64(len(f.B)) {
				t.Errorf("filesize %v, want %d", got, len(f.B))
			}
			if meta.Get("width") != 1280.0 || meta.Get("audiosamplerate") != 48000.0 {
				t.Errorf("it describes itself as %v", meta)
			}
			checkIndex(t, f.B, meta, c.index)
		})
	}
}

func TestARecordingThatIsNotFinishedIsAPlainFile(t *testing.T) {
	t.Parallel()
	f := &mediatest.MemFile{}
	r := NewRecording(f, 0)
	writeGOPs(t, r, 3, 0)
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	meta, tags := metadataOf(t, f.B)
	if len(tags) != 9 || meta.Get("duration") != 0.0 || meta.Get("filesize") != nil {
		t.Errorf("%d tags, %v", len(tags), meta)
	}
}

func TestARecordingIsGoneOnWith(t *testing.T) {
	t.Parallel()
	whole := func() *mediatest.MemFile {
		f := &mediatest.MemFile{}
		r := NewRecording(f, 20)
		writeGOPs(t, r, 3, 0)
		if err := r.Finish(); err != nil {
			t.Fatal(err)
		}
		return f
	}
	crashed := func(torn int) *mediatest.MemFile {
		f := &mediatest.MemFile{}
		r := NewRecording(f, 20)
		writeGOPs(t, r, 3, 0)
		if err := r.Flush(); err != nil {
			t.Fatal(err)
		}
		f.B = append(f.B, keyTag...)
		f.B = f.B[:len(f.B)-len(keyTag)-torn]
		return f
	}
	foreign := &mediatest.MemFile{}
	b := bytes.NewBuffer(nil)
	w, _ := NewWriter(b, true, true)
	_ = w.WriteTag(FileTag{TagScript, 0, amf.Append(amf.Append(nil, "onMetaData"), amf.ECMAArray{{Name: "duration", Value: 9.0}})})
	_ = w.WriteTag(FileTag{TagVideo, 2000, keyTag})
	_ = w.WriteTag(FileTag{TagAudio, 2050, soundTag})
	foreign.B = b.Bytes()
	for _, c := range []struct {
		name        string
		f           *mediatest.MemFile
		last        uint32
		tags, index int
	}{
		{"a finished one", whole(), 2050, 9 + 6, 5},
		{"one that a crash left", crashed(0), 2050, 9 + 6, 5},
		{"one that a crash tore in a tag", crashed(5), 2040, 8 + 6, 5},
		{"one of other software", foreign, 2050, 2 + 6, 0},
		{"an empty file", &mediatest.MemFile{}, 0, 6, 2},
		{"a file header that was torn", &mediatest.MemFile{B: []byte("FLV\x01\x05")}, 0, 6, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := ResumeRecording(c.f, int64(len(c.f.B)))
			if err != nil {
				t.Fatal(err)
			}
			if r.Last() != c.last {
				t.Errorf("the newest timestamp is %d, want %d", r.Last(), c.last)
			}
			writeGOPs(t, r, 2, c.last+10)
			if err := r.Finish(); err != nil {
				t.Fatal(err)
			}
			meta, tags := metadataOf(t, c.f.B)
			if len(tags) != c.tags {
				t.Errorf("%d tags, want %d", len(tags), c.tags)
			}
			if c.index == 0 {
				if meta.Get("duration") != 9.0 {
					t.Errorf("somebody else's onMetaData is now %v", meta)
				}
				return
			}
			if got, want := meta.Get("duration"), float64(c.last+1060)/1000; got != want {
				t.Errorf("duration %v, want %v", got, want)
			}
			checkIndex(t, c.f.B, meta, c.index)
		})
	}
}

func TestWhatIsNoFLVIsNotGoneOnWith(t *testing.T) {
	t.Parallel()
	for _, b := range []string{"#!/bin/sh\nexit 1\n", "FLX", "FLV\x02\x05\x00\x00\x00\x09\x00\x00\x00\x00\x00", "FLV\x01\x05\x00\x00\x0f\x09\x00\x00\x00\x00\x00"} {
		f := &mediatest.MemFile{B: []byte(b)}
		if _, err := ResumeRecording(f, int64(len(b))); !errors.Is(err, ErrNotFLV) || string(f.B) != b {
			t.Errorf("%q: %v, and the file is %q", b, err, f.B)
		}
	}
}

func TestAFullDiskLeavesWholeTags(t *testing.T) {
	t.Parallel()
	for room := 1; room < 1600; room += 7 {
		f := &mediatest.MemFile{Room: room}
		r := NewRecording(f, 4)
		var err error
		for i := range uint32(80) {
			if err = r.WriteTag(FileTag{TagVideo, i * 40, keyTag}, true); err == nil {
				err = r.Flush()
			}
			if err != nil {
				break
			}
		}
		if !errors.Is(err, mediatest.ErrFull) {
			t.Fatalf("room for %d bytes: %v", room, err)
		}
		if err := r.Finish(); err != nil {
			t.Errorf("room for %d bytes: finish: %v", room, err)
		}
		if len(f.B) == 0 {
			continue // nothing had room
		}
		meta, tags := metadataOf(t, f.B)
		if n := len(tags); n > 0 && meta.Get("duration") != float64(tags[n-1].Timestamp)/1000 {
			t.Errorf("room for %d bytes: %d tags, %v s", room, n, meta.Get("duration"))
		}
		if len(tags) > 0 && len(tags) < 4 {
			checkIndex(t, f.B, meta, len(tags))
		}
	}
}

func FuzzResumeRecording(f *testing.F) {
	for _, gops := range []int{0, 1, 5, 9} {
		m := &mediatest.MemFile{}
		r := NewRecording(m, 4)
		for i := range uint32(gops) {
			_ = r.WriteTag(FileTag{TagVideo, i * 1000, keyTag}, true)
		}
		_ = r.Flush()
		f.Add(bytes.Clone(m.B))
		_ = r.Finish()
		f.Add(m.B)
	}
	f.Add([]byte("FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztime.Bound(t)
		m := &mediatest.MemFile{B: bytes.Clone(b)}
		r, err := ResumeRecording(m, int64(len(b)))
		if err != nil {
			return
		}
		if r.Size() > int64(len(b)) && r.written != 0 {
			t.Fatalf("a file of %d bytes goes on at %d", len(b), r.Size())
		}
		if r.metaAt > 0 {
			if n := len(r.metadata(r.Size())); n != r.metaSize {
				t.Fatalf("onMetaData of %d bytes where %d are kept", n, r.metaSize)
			}
		}
		before := r.Size()
		if err := r.WriteTag(FileTag{TagVideo, r.Last(), keyTag}, true); err != nil {
			t.Fatal(err)
		}
		if err := r.Finish(); err != nil {
			t.Fatal(err)
		}
		if kind, body, _, ok := r.tagAt(before, r.Size()); !ok || kind != TagVideo || body != int64(len(keyTag)) {
			t.Fatalf("the tag that was written is not there")
		}
	})
}

func TestARecordingOnDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.flv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := NewRecording(f, 0)
	big := append(bytes.Clone(keyTag), make([]byte, 3<<20)...)
	if err := r.WriteTag(FileTag{TagVideo, 0, big}, true); err != nil {
		t.Fatal(err)
	}
	if err := r.Finish(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, tags := metadataOf(t, b); len(tags) != 1 || len(tags[0].Body) != len(big) {
		t.Errorf("%d tags", len(tags))
	}
}
