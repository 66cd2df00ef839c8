package flv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// Annex E.4.2.1: what the first byte of a legacy audio body says, and where it
// does not apply.
func TestLegacySoundFormats(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		head     byte
		codec    media.Codec
		rate     int
		channels int
	}{
		{"PCM, 5.5 kHz mono", 0x00, media.CodecOther, 5512, 1},
		{"ADPCM, 11 kHz stereo", 0x17, media.CodecOther, 11025, 2},
		{"MP3 that can't be read, 22 kHz", 0x2a, media.CodecMP3, 22050, 1},
		{"MP3 that can't be read, 44 kHz stereo", 0x2f, media.CodecMP3, 44100, 2},
		{"little-endian PCM", 0x3f, media.CodecOther, 44100, 2},
		{"Nellymoser 16 kHz", 0x4f, media.CodecOther, 16000, 1},
		{"Nellymoser 8 kHz", 0x5e, media.CodecOther, 8000, 1},
		{"Nellymoser", 0x6f, media.CodecOther, 44100, 2},
		{"G.711 A-law", 0x7f, media.CodecOther, 8000, 2},
		{"G.711 mu-law", 0x8e, media.CodecOther, 8000, 1},
		{"Speex", 0xbf, media.CodecSpeex, 16000, 1},
		{"reserved", 0xcf, media.CodecOther, 44100, 2},
		{"MP3 8 kHz", 0xe2, media.CodecMP3, 5512, 1},
		{"of the device", 0xf3, media.CodecOther, 5512, 2},
	} {
		d := NewDemuxer(0, 0)
		p, err := d.Audio(0, []byte{c.head, 1, 2, 3})
		if err != nil || p == nil {
			t.Errorf("%s: %v, %v", c.name, p, err)
			continue
		}
		if tr := p.Track; tr.Codec != c.codec || tr.SampleRate != c.rate || tr.Channels != c.channels || tr.LegacyID != c.head>>4 || tr.FourCC != 0 {
			t.Errorf("%s: %v at %d Hz, %d channels, id %d; want %v, %d, %d", c.name, tr.Codec, tr.SampleRate, tr.Channels, tr.LegacyID, c.codec, c.rate, c.channels)
		}
		if !bytes.Equal(p.Data, []byte{1, 2, 3}) {
			t.Errorf("%s: data % x", c.name, p.Data)
		}
		// The same again is the same track, another rate another one.
		if q, err := d.Audio(20, []byte{c.head, 4}); err != nil || q.Track != p.Track {
			t.Errorf("%s: a second frame has another track, %v", c.name, err)
		}
	}
	d := NewDemuxer(0, 0)
	first, _ := d.Audio(0, []byte{0x0f, 1})
	for _, head := range []byte{0x0e, 0x0b, 0x1f} { // channels, rate, format
		if next, err := d.Audio(20, []byte{head, 1}); err != nil || next.Track == first.Track {
			t.Errorf("%#x after 0x0f: the same track, %v", head, err)
		} else {
			first = next
		}
	}
}

// A frame that says what it is counts for more than the tag's header, and for
// more than a later one that can't be read.
func TestFramesThatDescribeThemselves(t *testing.T) {
	t.Parallel()
	d := NewDemuxer(0, 0)
	var tracks []*media.Track
	for _, body := range []string{
		"2e fffb9064",               // MPEG-1, 44.1 kHz stereo, in a tag that says mono
		"2e 00000000",               // unreadable
		"2e fffb9064",               // as at first
		"2e fffb90c4",               // mono
		"2e fff390c4",               // MPEG-2: 22.05 kHz
		"91" + fourMP3 + "fff390c4", // the same by FourCC
		"91" + fourAC3 + "0b7738900c4043e106f0010c", // AC-3
	} {
		p, err := d.Audio(0, unhex(body))
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		tracks = append(tracks, p.Track)
	}
	for i, same := range []bool{true, true, false, false, false, false} {
		if (tracks[i] == tracks[i+1]) != same {
			t.Errorf("frames %d and %d are of one track: %v, want %v", i, i+1, !same, same)
		}
	}
	for i, want := range []string{"44100/2/1152", "44100/2/1152", "44100/2/1152", "44100/1/1152", "22050/1/576", "22050/1/576", "48000/2/1536"} {
		if got := fmt.Sprintf("%d/%d/%d", tracks[i].SampleRate, tracks[i].Channels, tracks[i].FrameSamples); got != want {
			t.Errorf("frame %d is %s, want %s", i, got, want)
		}
	}
	if tracks[4].LegacyID != 2 || tracks[5].LegacyID != LegacyNone || tracks[5].FourCC != FourCCMP3 {
		t.Errorf("ids %d, %d, %#x", tracks[4].LegacyID, tracks[5].LegacyID, tracks[5].FourCC)
	}
}

// E-RTMP v2 MultichannelConfig.
func TestMultichannelConfigBounds(t *testing.T) {
	t.Parallel()
	for in, ok := range map[string]bool{
		"": false, "00": false, "00 02": true, "03 02": true,
		"01 02 000003": false, "01 02 00000003": true,
		"02 00": true, "02 03 0001": false, "02 03 000102": true, "02 ff" + strings.Repeat("00", 254): false, "02 ff" + strings.Repeat("00", 255): true,
	} {
		d := NewDemuxer(0, 0)
		if _, err := d.Audio(0, unhex("94"+fourOpus+in)); (err == nil) != ok || !ok && !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v, want %v", in, err, ok)
		}
	}
}

// E-RTMP v2: a ModEx size of 255 announces a size of 16 bits behind it.
func TestModExSizes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		size string
		n    int
	}{{"00", 1}, {"fe", 255}, {"ff 0000", 1}, {"ff 00ff", 256}, {"ff ffff", 65536}} {
		head, tail := append(unhex("97"+c.size), make([]byte, c.n)...), unhex("01"+fourVP9+"86")
		d := NewDemuxer(0, 0)
		if p, err := d.Video(0, slices.Concat(head, tail)); err != nil || !bytes.Equal(p.Data, []byte{0x86}) || !p.Keyframe {
			t.Errorf("size %s: %v, %v", c.size, p, err)
		}
		for cut := range 1 + min(c.n, 3) { // of the data, or what follows it
			if _, err := d.Video(0, head[:len(head)-cut]); !errors.Is(err, ErrMalformed) {
				t.Errorf("size %s, %d bytes missing: %v", c.size, cut, err)
			}
		}
	}
}

// A body of several tracks that is cut anywhere has nothing of track 0.
func TestACutMultitrackBodyIsRefused(t *testing.T) {
	t.Parallel()
	for kind, bodies := range map[media.Kind][]string{
		media.Video: {"96 11" + fourVP9 + "00 000002 aabb 01 000002 ccdd", "96 21" + fourVP9 + "00 000002 aabb" + fourAV1 + "01 000002 ccdd", "d6 14" + fourAVC + "00 000001 02 01 000001 03"},
		media.Audio: {"95 11" + fourMP3 + "00 000002 aabb 01 000002 ccdd", "95 21" + fourMP3 + "00 000002 aabb" + fourAC3 + "01 000002 ccdd"},
	} {
		for _, in := range bodies {
			body := unhex(in)
			if plain, ok := TrackZero(nil, kind, body); !ok || len(plain) >= len(body) {
				t.Errorf("%s: %x, %v", in, plain, ok)
			}
			for n := 2; n < len(body) && body[0] != 0xd6; n++ {
				plain, ok := TrackZero(nil, kind, body[:n])
				if ok && bytes.Equal(plain, body[:n]) {
					t.Errorf("%s cut at %d: passed on as it is", in, n)
				}
				if _, err := feedOne(kind, body[:n]); ok && errors.Is(err, ErrMalformed) {
					t.Errorf("%s cut at %d: %x, but %v", in, n, plain, err)
				}
			}
		}
	}
	// Legacy bodies whose bytes would make a Multitrack one.
	for in, kind := range map[string]media.Kind{
		"16 03" + fourAVC + "00 6588": media.Video, "17 00 ff 06 03" + fourAVC + "00 6588": media.Video, "26 13" + fourVP9 + "00 000001 aa": media.Video,
		"25 01" + fourAAC + "00 2100": media.Audio, "a5 01" + fourAAC + "00 2100": media.Audio, "87 00 aa 05 01" + fourAAC + "00 2100": media.Audio,
	} {
		if plain, ok := TrackZero(nil, kind, unhex(in)); !ok || !bytes.Equal(plain, unhex(in)) {
			t.Errorf("%s: %x, %v, want it as it is", in, plain, ok)
		}
	}
	// A command frame holds a VideoCommand, and no tracks, unless it can be read
	// as metadata.
	for _, in := range []string{"d6 04 6176", "d6 01" + fourAVC + "00 02", "d6", "d7 00 ff 06 01" + fourAVC + "00"} {
		if plain, ok := TrackZero(nil, media.Video, unhex(in)); !ok || !bytes.Equal(plain, unhex(in)) {
			t.Errorf("%s: %x, %v", in, plain, ok)
		}
	}
}

func TestMetadataBounds(t *testing.T) {
	t.Parallel()
	type said struct {
		width     int
		frameRate float64
	}
	for _, c := range []struct {
		name string
		o    amf.Object
		want said
	}{
		{"the widest", amf.Object{{Name: "width", Value: 65535.0}}, said{65535, 0}},
		{"wider", amf.Object{{Name: "width", Value: 65536.0}}, said{}},
		{"1000 a second", amf.Object{{Name: "framerate", Value: 1000.0}}, said{0, 1000}},
		{"more", amf.Object{{Name: "fps", Value: 1000.5}}, said{}},
		{"less than nothing", amf.Object{{Name: "width", Value: -1.0}, {Name: "fps", Value: "-25"}}, said{}},
		{"text", amf.Object{{Name: "width", Value: " 640 "}, {Name: "fps", Value: "25.5"}}, said{640, 25.5}},
		{"text that is no number", amf.Object{{Name: "width", Value: "640p"}, {Name: "fps", Value: "NaN"}}, said{}},
		{"text without end", amf.Object{{Name: "fps", Value: "Inf"}}, said{}},
	} {
		for _, v := range []amf.Value{c.o, amf.ECMAArray(c.o), amf.TypedObject{Class: "C", Object: c.o}} {
			m, ok, err := ParseMetadata(amf.Append(amf.Append(nil, "onMetaData"), v))
			if got := (said{m.Width, m.FrameRate}); err != nil || !ok || got != c.want {
				t.Errorf("%s as %T: %+v, %v, want %+v", c.name, v, got, err, c.want)
			}
		}
	}
	for n, want := range map[int]int{255: 255, 256: 256, 257: 256} {
		m, _, err := ParseMetadata(amf.Append(amf.Append(nil, "onMetaData"), amf.Object{{Name: "encoder", Value: strings.Repeat("e", n)}}))
		if err != nil || len(m.Encoder) != want {
			t.Errorf("an encoder of %d bytes is kept with %d, %v", n, len(m.Encoder), err)
		}
	}
}

func TestTagSizes(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 64 << 10, 64<<10 + 1, 10 << 20, 10<<20 + 1} {
		var b bytes.Buffer
		w, err := NewWriter(&b, true, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteTag(FileTag{TagVideo, 1, make([]byte, size)}); err != nil {
			t.Fatal(err)
		}
		file := b.Bytes()
		r, err := NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		tag, err := r.Next()
		if size > 10<<20 {
			if err == nil {
				t.Errorf("a tag of %d bytes is read", size)
			}
			continue
		}
		if err != nil || len(tag.Body) != size || cap(tag.Body) != size {
			t.Errorf("a tag of %d bytes is read as one of %d with room for %d, %v", size, len(tag.Body), cap(tag.Body), err)
		}
		if size > 0 { // a byte of the body is missing
			if r, err = NewReader(bytes.NewReader(file[:13+11+size-1])); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("a tag of %d bytes without its last: %v", size, err)
			}
		}
	}
	w, err := NewWriter(io.Discard, true, false)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRecording(&mediatest.MemFile{}, 4)
	for size, ok := range map[int]bool{1<<24 - 1: true, 1 << 24: false} {
		tag := FileTag{TagVideo, 1, make([]byte, size)}
		if err := w.WriteTag(tag); (err == nil) != ok {
			t.Errorf("a tag of %d bytes to a file: %v", size, err)
		}
		if err := r.WriteTag(tag, false); (err == nil) != ok {
			t.Errorf("a tag of %d bytes to a recording: %v", size, err)
		}
	}
}

// Whatever is filled in, onMetaData keeps its size, and readers its end.
func TestOnMetaDataKeepsItsSize(t *testing.T) {
	t.Parallel()
	for expected := range 60 {
		for _, gops := range []int{0, 1, expected, expected + 1, 3 * expected} {
			f := &mediatest.MemFile{}
			r := NewRecording(f, expected)
			r.Describe(&media.Track{Kind: media.Video, LegacyID: LegacyNone, FourCC: FourCCHEVC, Width: 3840, Height: 2160, FrameRate: 59.94}, &media.Track{Kind: media.Audio, LegacyID: LegacyNone, FourCC: FourCCOpus, SampleRate: 48000, OutputRate: 96000, Channels: 2})
			writeGOPs(t, r, gops, 0)
			if err := r.Finish(); err != nil {
				t.Fatal(err)
			}
			meta, tags := metadataOf(t, f.B) // reads to the end
			if len(tags) != 3*gops {
				t.Fatalf("room for %d, %d groups: %d tags", expected, gops, len(tags))
			}
			if gops > 0 && (meta.Get("videocodecid") != float64(FourCCHEVC) || meta.Get("audiosamplerate") != 96000.0 || meta.Get("stereo") != true || meta.Get("framerate") != 59.94) {
				t.Fatalf("it describes itself as %v", meta)
			}
			if _, has := meta.Get("width").(float64); has != (gops > 0) {
				t.Fatalf("%d groups: width %v", gops, meta.Get("width"))
			}
		}
	}
}

// A recording that runs full keeps what is whole, and its index what is in it.
func TestARecordingThatRunsFull(t *testing.T) {
	t.Parallel()
	for room := 2000; room < 2400; room += 7 {
		f := &mediatest.MemFile{Room: room}
		r := NewRecording(f, 20)
		writeGOPs(t, r, 5, 0)
		first := r.Flush()
		whole := r.Size()
		for i := range 40 {
			if err := r.WriteTag(FileTag{TagVideo, uint32(6000 + 1000*i), keyTag}, true); err != nil {
				t.Fatal(err)
			}
			if err := r.Flush(); err != nil {
				break
			}
			whole = r.Size()
		}
		if first != nil {
			whole = 0
		}
		if r.Size() != whole || int64(len(f.B)) != whole {
			t.Fatalf("room for %d: %d bytes in a file of %d, want %d", room, r.Size(), len(f.B), whole)
		}
		if err := r.Finish(); err != nil || whole == 0 {
			continue
		}
		meta, tags := metadataOf(t, f.B)
		keys := 0
		for _, tag := range tags {
			if tag.Body[0] == 0x17 {
				keys++
			}
		}
		last := float64(tags[len(tags)-1].Timestamp) / 1000
		o, _ := meta.Get("keyframes").(amf.Object)
		times, _ := o.Get("times").(amf.StrictArray)
		if meta.Get("duration") != last || meta.Get("filesize") != float64(whole) || keys <= 20 && len(times) != keys || times[len(times)-1].(float64) > last {
			t.Fatalf("room for %d: duration %v of %v, %d bytes of %v, %d keyframes of %d", room, meta.Get("duration"), last, whole, meta.Get("filesize"), len(times), keys)
		}
		checkIndex(t, f.B, meta, len(times))
	}
}

// A header makes another track if it says something else of track 0, whatever is
// around that.
func TestWhichHeadersMakeAnotherTrack(t *testing.T) {
	t.Parallel()
	many := func(record, other string) string {
		return "96 20" + fourAVC + "00" + sized(record) + fourAV1 + "01" + sized(other)
	}
	for _, c := range []struct {
		name, first, second string
		same                bool
	}{
		{"the same again", avcStart, avcStart, true},
		{"another record", avcStart, "17 00 000000" + avcOther, false},
		{"other bytes around the same record", avcStart, "27 00 000028" + avcRecord + "0000", true},
		{"the same of several tracks", many(avcRecord, "bb"), many(avcRecord, "bb"), true},
		{"several, and track 1 is another", many(avcRecord, "bb"), many(avcRecord, "cc"), true},
		{"several, and track 0 is another", many(avcRecord, "bb"), many(avcOther, "bb"), false},
		{"alone, then among several", "90" + fourAVC + avcRecord, many(avcRecord, "bb"), true},
		{"alone, then another among several", "90" + fourAVC + avcRecord, many(avcOther, "bb"), false},
		{"legacy, then among several", avcStart, many(avcRecord, "bb"), false},
		{"several, then alone", many(avcRecord, "bb"), "90" + fourAVC + avcRecord, true},
	} {
		d := NewDemuxer(0, 0)
		var tracks []*media.Track
		for _, body := range []string{c.first, c.second} {
			if _, err := d.Video(0, unhex(body)); err != nil {
				t.Fatalf("%s: %s: %v", c.name, body, err)
			}
			v, _ := d.Tracks()
			tracks = append(tracks, v)
		}
		if (tracks[0] == tracks[1]) != c.same {
			t.Errorf("%s: the same track %v, want %v", c.name, !c.same, c.same)
		}
		if want := unhex(c.second); !c.same && !bytes.Equal(tracks[1].Tag, want) {
			t.Errorf("%s: its header is %x, want %x", c.name, tracks[1].Tag, want)
		}
	}
}

// A tag of a recording byte by byte (annex E.4.1).
func TestATagOfARecording(t *testing.T) {
	t.Parallel()
	f := &mediatest.MemFile{}
	r := NewRecording(f, 1)
	if err := r.WriteTag(FileTag{TagAudio, 0x81020304, []byte{0xaf, 0x01, 0x21}}, false); err != nil {
		t.Fatal(err)
	}
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := unhex("08 000003 020304 81 000000 af0121 0000000e"); !bytes.HasSuffix(f.B, want) {
		t.Errorf("the file ends with % x, want % x", f.B[len(f.B)-len(want):], want)
	}
	if want := unhex("464c56 01 05 00000009 00000000 12"); !bytes.HasPrefix(f.B, want) {
		t.Errorf("the file begins with % x, want % x", f.B[:len(want)], want)
	}
	// Room for four keyframes, where one was expected; for 1024 where nothing is
	// known.
	for expected, size := range map[int]int{1: 640 + 4*18, 4: 640 + 4*18, 5: 640 + 5*18, 1024: 640 + 1024*18, 1025: 640 + 1024*18, 0: 640 + 1024*18, -1: 640 + 1024*18} {
		if got := NewRecording(&mediatest.MemFile{}, expected).Size(); got != int64(13+11+size+4) {
			t.Errorf("%d keyframes expected: a file of %d bytes, want %d", expected, got, 13+11+size+4)
		}
	}
}

// countingFile counts how often it is read.
type countingFile struct {
	mediatest.MemFile
	reads int
}

func (c *countingFile) ReadAt(p []byte, off int64) (int, error) {
	c.reads++
	return c.MemFile.ReadAt(p, off)
}

// A file that is whole is gone on with from its end, however long it is.
func TestAWholeFileIsNotReadThrough(t *testing.T) {
	t.Parallel()
	own := &mediatest.MemFile{}
	r := NewRecording(own, 0)
	writeGOPs(t, r, 500, 0)
	if err := r.Finish(); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"ours": own.B}
	for name, first := range map[string]FileTag{
		"other software's":     {TagScript, 0, amf.Append(amf.Append(nil, "onMetaData"), amf.ECMAArray{{Name: "duration", Value: 9.0}, {Name: "title", Value: strings.Repeat("x", 2000)}})},
		"another script first": {TagScript, 0, amf.Append(amf.Append(nil, "onTextData"), strings.Repeat("x", 2000))},
		"a script of rubbish":  {TagScript, 0, bytes.Repeat([]byte{0xee}, 2000)},
		"no script":            {TagVideo, 0, keyTag},
	} {
		var b bytes.Buffer
		w, err := NewWriter(&b, true, true)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 1500 {
			tag := FileTag{TagAudio, uint32(499_050 - 1499 + i), soundTag}
			if i == 0 {
				tag = first
			}
			if err := w.WriteTag(tag); err != nil {
				t.Fatal(err)
			}
		}
		files[name] = b.Bytes()
	}
	for name, b := range files {
		f := &countingFile{MemFile: mediatest.MemFile{B: b}}
		r, err := ResumeRecording(f, int64(len(b)))
		if err != nil || r.Last() != 499_050 || r.Size() != int64(len(b)) {
			t.Errorf("%s: %v, newest %d, goes on at %d of %d", name, err, r.Last(), r.Size(), len(b))
		}
		if f.reads > 10 {
			t.Errorf("%s: read %d times", name, f.reads)
		}
	}
}

// Parameter sets in a keyframe that say another size make another track, with
// all of the sets that came, whether or not the PPS is the same.
func TestSetsInAKeyframe(t *testing.T) {
	t.Parallel()
	const otherSPS, otherPPS = "6742c00bda0a11f97011000003000100000300320f142aa0", "68ce0fc8"
	const samePPS = "68ce3c80"
	unit := func(s string) string { return fmt.Sprintf("%08x", len(s)/2) + s }
	for _, pps := range []string{otherPPS, samePPS} {
		d := NewDemuxer(0, 0)
		if _, err := d.Video(0, unhex(avcStart)); err != nil {
			t.Fatal(err)
		}
		first, err := d.Video(40, unhex(avcKey))
		if err != nil {
			t.Fatal(err)
		}
		p, err := d.Video(80, unhex("17 01 000000"+unit(otherSPS)+unit(pps)+unit("6588")))
		if err != nil {
			t.Fatal(err)
		}
		if p.Track == first.Track || p.Track.Width != 160 || first.Track.Width != 320 {
			t.Errorf("PPS %s: pictures of %d, then of %d", pps, first.Track.Width, p.Track.Width)
		}
		if sets := slices.Concat(p.Track.SPS, p.Track.PPS); len(sets) != 2 || !bytes.Equal(sets[0], unhex(otherSPS)) || !bytes.Equal(sets[1], unhex(pps)) {
			t.Errorf("PPS %s: the sets are %x", pps, sets)
		}
		if q, err := d.Video(120, unhex(avcInter)); err != nil || q.Track != p.Track {
			t.Errorf("PPS %s: the next frame has another track, %v", pps, err)
		}
	}
}

// A composition time without a frame behind it is no frame.
func TestAFrameOfACompositionTimeAlone(t *testing.T) {
	t.Parallel()
	d := NewDemuxer(0, 0)
	if _, err := d.Video(0, unhex("90"+fourAVC+avcRecord)); err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]error{"000000": nil, "0000": ErrMalformed} {
		if p, err := d.Video(0, unhex("91"+fourAVC+in)); p != nil || !errors.Is(err, want) {
			t.Errorf("%s: %v, %v, want %v", in, p, err, want)
		}
	}
}

// What is wrong with the headers is said as long as it is: a bad one counts for
// more than none, and a good one ends both.
func TestHeaderDefects(t *testing.T) {
	t.Parallel()
	const bad = "17 00 000000 0142c00dffe1 0005 6742c00dda 01 0004 68ce3c80" // the SPS breaks off
	for _, c := range []struct {
		name   string
		bodies []string
		want   media.Defects
		sets   int // SPS of the track in the end
	}{
		{"no header", []string{avcKey}, media.NoHeader(media.Video), 0},
		{"a good one", []string{avcStart, avcKey}, 0, 1},
		{"late", []string{avcKey, avcStart, avcKey}, 0, 1},
		{"a bad one", []string{bad, avcKey}, media.BadHeader(media.Video), 1},
		{"a bad one after a good one", []string{avcStart, bad, avcKey}, media.BadHeader(media.Video), 1},
		{"a good one after a bad one", []string{bad, avcKey, avcStart, avcKey}, 0, 1},
		{"one that is no record", []string{"17 00 000000 00", avcKey}, media.BadHeader(media.Video), 0},
	} {
		d := NewDemuxer(0, 0)
		var last *media.Packet
		for _, body := range c.bodies {
			if p, err := d.Video(0, unhex(body)); p != nil {
				last = p
			} else if err != nil && !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		const headers = media.NoVideoHeader | media.BadVideoHeader
		if got := d.Defects() & headers; got != c.want {
			t.Errorf("%s: defects %b, want %b", c.name, got, c.want)
		}
		if last == nil || len(last.Track.SPS) != c.sets {
			t.Errorf("%s: the last packet is %+v, want a track with %d SPS", c.name, last, c.sets)
		} else if good := c.want == 0; last.Track.HasHeader() != good && c.name != "a bad one after a good one" && c.name != "a bad one" {
			t.Errorf("%s: can be decoded %v, want %v", c.name, !good, good)
		}
	}
}

// An SPS in a frame that can't be read takes nothing away.
func TestABadSPSInAKeyframe(t *testing.T) {
	t.Parallel()
	d := NewDemuxer(0, 0)
	if _, err := d.Video(0, unhex(avcStart)); err != nil {
		t.Fatal(err)
	}
	first, err := d.Video(40, unhex(avcKey))
	if err != nil {
		t.Fatal(err)
	}
	for _, sps := range []string{"6742c00dda", "67", "67000000000000"} {
		p, err := d.Video(80, unhex(fmt.Sprintf("17 01 000000 %08x %s 00000002 6588", len(sps)/2, sps)))
		if err != nil || p.Track != first.Track || !p.Keyframe {
			t.Errorf("%s: %+v, %v", sps, p, err)
		}
	}
}

// A header may be as large as 256 KiB.
func TestTheLargestHeader(t *testing.T) {
	t.Parallel()
	for size, ok := range map[int]bool{256 << 10: true, 256<<10 + 1: false} {
		d := NewDemuxer(0, 0)
		body := append(unhex("96 00"+fourAV1+"01"), make([]byte, size-7)...)
		if _, err := d.Video(0, body); (err == nil) != ok || !ok && !errors.Is(err, ErrUnsupported) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}
