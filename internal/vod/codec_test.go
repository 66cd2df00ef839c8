package vod

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// Decoder configurations of the other codecs.
const (
	hvcRecord  = "01022000000090000000000078f000fcfdfafa00000f03" + "a0000100" + "1840010c01ffff022000000300900000030000030078959809" + "a1000100" + "2a420101022000000300900000030000030078a00280802d1365959a4932bc05a020000003002000000781" + "a2000100" + "074401c172b46240"
	av1Record  = "81010c000a0b0000000cc4ff6736be4010"
	vp9Record  = "010000000015820202020000"
	flacStream = "1200120000044900" + "04de0ac440f0000033aecd36f8ab0a878da30b37b9efb6c64d51"
)

// What each codec's messages begin with: FLV annex E.4.2.1 and E.4.3.1 for H.264, AAC and
// MP3, Enhanced RTMP v2 ("ExVideoTagBody", "ExAudioTagBody") for the others.
func TestHowEachCodecGoesOverRTMP(t *testing.T) {
	t.Parallel()
	avc, hvc := unhex(t, mediatest.AVCHigh1080), unhex(t, hvcRecord)
	av1, vp9 := unhex(t, av1Record), unhex(t, vp9Record)
	aac, flac := unhex(t, mediatest.AACLC44), unhex(t, flacStream)
	version := func(v uint16, b []byte) []byte { // of a sound description
		b = bytes.Clone(b)
		be.PutUint16(b[8+8:], v)
		return b
	}
	stretched := func(v uint16, more int, boxes ...[]byte) []byte {
		b := sound("mp4a", 2, 44100, slices.Concat(append([][]byte{make([]byte, more)}, boxes...)...))
		return version(v, b)
	}
	for _, c := range []struct {
		name    string
		video   bool
		entry   []byte
		header  string // in hex; empty: there is none
		key     string // what stands before a frame; cts is 40 ms
		inter   string
		codecID float64
	}{
		{"H.264", true, visual("avc1", bx("colr"), bx("avcC", avc)), "17 00 000000" + mediatest.AVCHigh1080, "17 01 000028", "27 01 000028", 7},
		{"H.264 with parameter sets in band", true, visual("avc3", bx("avcC", avc)), "17 00 000000" + mediatest.AVCHigh1080, "17 01 000028", "27 01 000028", 7},
		{"HEVC", true, visual("hvc1", bx("hvcC", hvc)), "90 68766331" + hvcRecord, "91 68766331 000028", "a1 68766331 000028", 0x68766331},
		{"HEVC with parameter sets in band", true, visual("hev1", bx("hvcC", hvc)), "90 68766331" + hvcRecord, "91 68766331 000028", "a1 68766331 000028", 0x68766331},
		{"AV1", true, visual("av01", bx("av1C", av1)), "90 61763031" + av1Record, "91 61763031", "a1 61763031", 0x61763031},
		{"VP9", true, visual("vp09", bx("vpcC", vp9)), "90 76703039" + vp9Record, "91 76703039", "a1 76703039", 0x76703039},
		{"AAC", false, aacEntry(t), "af 00" + mediatest.AACLC44, "af 01", "", 10},
		{"AAC in a sound description of version 1", false, stretched(1, 16, esds(0x40, aac)), "af 00" + mediatest.AACLC44, "af 01", "", 10},
		{"AAC in one of version 2", false, stretched(2, 36, esds(0x40, aac)), "af 00" + mediatest.AACLC44, "af 01", "", 10},
		{"AAC in a box wave", false, stretched(1, 16, bx("wave", bx("frma", []byte("mp4a")), esds(0x40, aac))), "af 00" + mediatest.AACLC44, "af 01", "", 10},
		{"AAC of MPEG-2", false, sound("mp4a", 2, 44100, esds(0x67, aac)), "af 00" + mediatest.AACLC44, "af 01", "", 10},
		{"MP3, stereo of 44100 Hz", false, sound(".mp3", 2, 44100), "", "2f", "", 2},
		{"MP3 by its object type", false, sound("mp4a", 2, 44100, esds(0x6b, nil)), "", "2f", "", 2},
		{"MP3 of MPEG-2, mono", false, sound("mp4a", 1, 22050, esds(0x69, nil)), "", "2a", "", 2},
		{"MP3 of 11025 Hz", false, sound(".mp3", 2, 11025), "", "27", "", 2},
		{"MP3 of 8000 Hz", false, sound(".mp3", 1, 8000), "", "22", "", 2},
		{"MP3 of any rate", false, sound(".mp3", 1, 0), "", "2e", "", 2},
		{"Opus", false, sound("Opus", 2, 48000, bx("dOps", unhex(t, "00 02 0138 0000bb80 fe00 00"))), "90 4f707573 4f70757348656164 01 02 3801 80bb0000 00fe 00", "91 4f707573", "", 0x4f707573},
		{"FLAC", false, sound("fLaC", 2, 44100, full("dfLa", 0, 0, be32(0x80000022), flac)), "90 664c6143 664c6143 80000022" + flacStream, "91 664c6143", "", 0x664c6143},
		{"AC-3", false, sound("ac-3", 2, 48000), "", "91 61632d33", "", 0x61632d33},
		{"E-AC-3", false, sound("ec-3", 2, 48000), "", "91 65632d33", "", 0x65632d33},
	} {
		rnd := rand.New(rand.NewPCG(1, 1))
		tr := &filmTrack{handler: "soun", id: 1, scale: 1000, entry: c.entry, perChunk: []int{2}, samples: []filmSample{{40, 40, true, []byte("frame1")}, {40, 40, !c.video, []byte("frame2")}}}
		if c.video {
			tr.handler = "vide"
		}
		f := openBytes(t, film(rnd, mvhd(80), tr), MP4)
		headers := ""
		for _, h := range f.Headers() {
			headers += string(h.Body)
			if (h.Type == 9) != c.video {
				t.Errorf("%s: a header of type %d", c.name, h.Type)
			}
			if !IsHeader(h) {
				t.Errorf("%s: nobody knows the header %x", c.name, h.Body)
			}
		}
		if want := string(unhex(t, c.header)); headers != want {
			t.Errorf("%s: header\n%x, want\n%x", c.name, headers, want)
		}
		if c.inter == "" {
			c.inter = c.key
		}
		got := messages(t, f)
		for i, want := range []string{string(unhex(t, c.key)) + "frame1", string(unhex(t, c.inter)) + "frame2"} {
			if i >= len(got) || string(got[i].Body) != want || (got[i].Type == 9) != c.video {
				t.Errorf("%s: messages %x, want %x", c.name, got, want)
				break
			}
		}
		id := "audiocodecid"
		if c.video {
			id = "videocodecid"
		}
		if got := described(t, f.Metadata()).Get(id); got != c.codecID {
			t.Errorf("%s: %s %v, want %v", c.name, id, got, c.codecID)
		}
	}
}

// described are the properties of an onMetaData.
func described(t testing.TB, msg []byte) amf.Object {
	t.Helper()
	name, rest, err := amf.Decode(msg)
	if err != nil || name != "onMetaData" {
		t.Fatalf("%v, %v", name, err)
	}
	v, rest, err := amf.Decode(rest)
	o, ok := amf.AsObject(v)
	if err != nil || !ok || len(rest) > 0 {
		t.Fatalf("%v, %v, %d bytes behind it", v, err, len(rest))
	}
	return o
}

// A composition time goes into 24 bits, and a PTS below 0 has none.
func TestCompositionTimesHaveBounds(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 1))
	tr := &filmTrack{handler: "vide", id: 1, scale: 1000, entry: avcEntry(t), perChunk: []int{5}, samples: []filmSample{
		{1 << 24, -1, true, []byte("a")}, {10, 1<<23 + 5, false, []byte("b")}, {10, -1<<23 - 5, false, []byte("c")}, {10, -2, false, []byte("d")}, {10, 1<<23 - 1, false, []byte("e")},
	}}
	for i, m := range messages(t, openBytes(t, film(rnd, mvhd(0), tr), MP4)) {
		if want := []string{"000000", "7fffff", "800000", "fffffe", "7fffff"}[i]; string(m.Body[2:5]) != string(unhex(t, want)) {
			t.Errorf("message %d: %x, want %s", i, m.Body[2:5], want)
		}
	}
}

// What onMetaData says of a film.
func TestMetadataOfAFilm(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 1))
	one := []filmSample{{40, 0, true, []byte("x")}}
	film := func(audio []byte) amf.Object {
		v := &filmTrack{handler: "vide", id: 1, scale: 1000, entry: avcEntry(t), perChunk: []int{1}, samples: one}
		a := &filmTrack{handler: "soun", id: 2, scale: 1000, entry: audio, perChunk: []int{1}, samples: one}
		return described(t, openBytes(t, film(rnd, mvhd(2500), v, a), MP4).Metadata())
	}
	o := film(aacEntry(t))
	want := map[string]any{
		"duration": 2.5, "width": 1920.0, "height": 1080.0, "framerate": 60000.0 / 1001, "videocodecid": 7.0, "audiocodecid": 10.0,
		"audiosamplerate": 44100.0, "stereo": true,
	}
	delete(want, "framerate") // checked by hand below
	for name, v := range want {
		if got := o.Get(name); got != v {
			t.Errorf("%s is %v, want %v", name, got, v)
		}
	}
	if o[0].Name != "duration" {
		t.Errorf("the first property is %s", o[0].Name)
	}
	if o := film(sound(".mp3", 1, 22050)); o.Get("stereo") != false || o.Get("audiosamplerate") != 22050.0 {
		t.Errorf("mono: %v", o)
	}
	// HE-AAC: half of the samples are coded (ISO 14496-3 §1.6.5.2).
	if o := film(sound("mp4a", 2, 24000, esds(0x40, unhex(t, "2b098800")))); o.Get("audiosamplerate") != 48000.0 {
		t.Errorf("HE-AAC: %v", o)
	}
	if o := film(sound("ac-3", 2, 48000)); o.Get("stereo") != nil || o.Get("audiosamplerate") != nil {
		t.Errorf("not known before a frame was seen: %v", o)
	}
}

// Sample entries that can't be read, and those behind which there is another one.
func TestSampleEntriesThatCantBeRead(t *testing.T) {
	t.Parallel()
	aac := unhex(t, mediatest.AACLC44)
	es := func(content ...[]byte) []byte { return sound("mp4a", 2, 44100, full("esds", 0, 0, content...)) }
	for name, c := range map[string]struct {
		entry []byte
		why   string
	}{
		"no avcC":            {visual("avc1"), `sample entry "avc1" has no box "avcC"`},
		"an empty avcC":      {visual("avc1", bx("avcC")), `box "avcC" of 0 bytes is too short`},
		"a broken avcC":      {visual("avc1", bx("avcC", []byte{2})), `box "avcC": `},
		"dOps too short":     {sound("Opus", 2, 48000, bx("dOps", make([]byte, 10))), `box "dOps" is too short`},
		"dfLa too short":     {sound("fLaC", 2, 48000, bx("dfLa", make([]byte, 41))), `box "dfLa" is too short`},
		"mp4a too short":     {bx("mp4a", make([]byte, 27)), `box "mp4a" is too short`},
		"no esds":            {sound("mp4a", 2, 44100), `sample entry "mp4a" has no box "esds"`},
		"an empty esds":      {es(), `box "esds" is cut off`},
		"half a length":      {es([]byte{3, 0x80}), `box "esds" is cut off`},
		"a length of 5":      {es([]byte{3, 0x80, 0x80, 0x80, 0x80, 3, 0, 0, 0}), `box "esds" is cut off`},
		"longer than it is":  {es([]byte{3, 4, 0, 0, 0}), `box "esds" is cut off`},
		"an ES of 2 bytes":   {es([]byte{3, 2, 0, 0, 0, 0}), `box "esds" is cut off`},
		"one with a URL":     {es(descriptor(3, 1, []byte{0, 0, 0x40, 1, 'x'})), `box "esds" names a URL`},
		"a decoder of 12":    {es(descriptor(3, 1, []byte{0, 0, 0}, descriptor(4, 1, make([]byte, 12)))), `box "esds" is cut off`},
		"fields cut off":     {es(descriptor(3, 1, []byte{0, 0, 0x80, 1})), `box "esds" is cut off`},
		"a broken AAC":       {sound("mp4a", 2, 44100, esds(0x40, []byte{0})), `box "esds": `},
		"no configuration":   {sound("mp4a", 2, 44100, esds(0x40, nil)), `box "esds": `},
		"another object":     {sound("mp4a", 2, 44100, esds(0xdd, aac)), `it has no track that goes over RTMP, MPEG-4 object type 0xdd`},
		"an unknown one":     {sound("samr", 1, 8000), `it has no track that goes over RTMP, codec "samr"`},
		"a name for nobody":  {sound("\x01\x02ab", 1, 8000), `it has no track that goes over RTMP, codec "??ab"`},
		"a box that is long": {sound("mp4a", 2, 44100, be32(100), []byte("esds")), `in box "mp4a": a box is longer than that`},
	} {
		rnd := rand.New(rand.NewPCG(1, 1))
		tr := &filmTrack{handler: "soun", id: 1, scale: 1000, entry: c.entry, perChunk: []int{1}, samples: []filmSample{{40, 0, true, []byte("x")}}}
		if bytes.Contains(c.entry, []byte("avc")) {
			tr.handler = "vide"
		}
		refused(t, name, film(rnd, mvhd(40), tr), c.why)
	}
	config := descriptor(5, 1, aac)
	decoder := descriptor(4, 2, []byte{0x40, 0x15}, make([]byte, 11), config)
	for name, entry := range map[string][]byte{
		"an entry behind an unknown one": append(sound("samr", 1, 8000), aacEntry(t)...),
		"the first of two":               append(aacEntry(t), sound("Opus", 2, 48000)...),
		"lengths of 4 bytes":             es(descriptor(3, 4, be16(1), []byte{0}, descriptor(4, 3, []byte{0x40, 0x15}, make([]byte, 11), descriptor(5, 4, aac)))),
		"a stream it depends on":         es(descriptor(3, 1, be16(1), []byte{0x80}, be16(2), decoder)),
		"a clock":                        es(descriptor(3, 1, be16(1), []byte{0x20}, be16(2), decoder)),
		"both":                           es(descriptor(3, 1, be16(1), []byte{0xa0}, be16(2, 3), decoder)),
		"a descriptor nobody knows":      es(descriptor(3, 1, be16(1), []byte{0}, descriptor(0x13, 1, []byte{1, 2, 3}), decoder)),
		"without ES_Descriptor":          es(decoder),
	} {
		rnd := rand.New(rand.NewPCG(1, 1))
		tr := &filmTrack{handler: "soun", id: 1, scale: 1000, entry: entry, perChunk: []int{1}, samples: []filmSample{{40, 0, true, []byte("x")}}}
		f := openBytes(t, film(rnd, mvhd(40), tr), MP4)
		if h := f.Headers(); len(h) != 1 || string(h[0].Body) != string(unhex(t, "af00"+mediatest.AACLC44)) {
			t.Errorf("%s: headers %x", name, h)
		}
	}
}
