package vod

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/flv"
)

func joined(parts [][]byte) []byte { return slices.Concat(parts...) }

// refused fails unless a file is refused for a reason.
func refused(t testing.TB, name string, b []byte, why string) {
	t.Helper()
	f, err := read(memFile{bytes.NewReader(b)}, MP4, nil)
	if err == nil {
		if _, err = f.Next(); err == nil {
			t.Errorf("%s: is played", name)
			return
		}
	}
	if !strings.Contains(err.Error(), why) {
		t.Errorf("%s: %q, want %q", name, err, why)
	}
}

// plain is a film of a few pictures whose trak boxes a test changes.
func plain(t testing.TB) (*rand.Rand, *filmTrack) {
	rnd := rand.New(rand.NewPCG(1, 1))
	return rnd, &filmTrack{handler: "vide", id: 1, scale: 1000, entry: avcEntry(t), samples: somePictures(rnd, 6, 1000), perChunk: []int{4, 2}}
}

// Sizes of boxes (§4.2): of 64 bits, and up to the end; boxes that nobody knows are
// passed over.
func TestSizesOfBoxes(t *testing.T) {
	t.Parallel()
	rnd, tr := plain(t)
	b := film(rnd, mvhd(5000), tr)
	want := merged(tr.playedAs(0), nil)
	moov := bytes.Index(b, []byte("moov")) - 4

	last := bytes.Clone(b)
	be.PutUint32(last[moov:], 0)
	same(t, "moov up to the end", messages(t, openBytes(t, last, MP4)), want)

	wide := slices.Concat(b[:moov], be32(1), []byte("moov"), be64(uint64(len(b)-moov+8)), b[moov+8:])
	same(t, "moov with 64 bits", messages(t, openBytes(t, wide, MP4)), want)

	more := slices.Concat(b[:moov], bx("free"), bx("\x00\xffab", []byte{1, 2, 3}), b[moov:], bx("free"))
	same(t, "boxes around it", messages(t, openBytes(t, more, MP4)), want)

	// The last 8 bytes of a file may be a box.
	same(t, "an empty box at the end", messages(t, openBytes(t, append(bytes.Clone(b), bx("free")...), MP4)), want)

	for name, c := range map[string]struct {
		b   []byte
		why string
	}{
		"nothing":             {nil, `no box "moov": it is no MP4 file, or is not complete`},
		"seven bytes":         {b[:7], `no box "moov": it is no MP4 file, or is not complete`},
		"no moov":             {b[:moov], `no box "moov": it is no MP4 file, or is not complete`},
		"half a moov":         {b[:moov+9], `no box "moov": it is cut off, or no MP4 file`},
		"a box of 7 bytes":    {slices.Concat(be32(7), []byte("fr\x7fe"), b), `box "fr?e" of 7 bytes`},
		"one of 15 bytes":     {slices.Concat(be32(1), []byte("free"), be64(15), b), `box "free" of 15 bytes`},
		"one of -1 bytes":     {slices.Concat(be32(1), []byte("free"), be64(1<<64-1), b), `box "free" of -1 bytes`},
		"64 bits cut off":     {slices.Concat(be32(1), []byte("free"), be32(0)), `box "free" of 1 bytes`},
		"a box beyond moov":   {bx("moov", be32(100), []byte("mvhd")), `in box "moov": a box is longer than that`},
		"a moov of nothing":   {bx("moov"), "it has no track that goes over RTMP"},
		"a huge box":          {bx("moov", bx("mvhd", make([]byte, 1<<20+1))), `box "mvhd" of 1048577 bytes, at most 1048576 are read`},
		"a box too short":     {bx("moov", bx("mvhd", make([]byte, 19))), `box "mvhd" of 19 bytes is too short`},
		"version 1 too short": {bx("moov", full("mvhd", 1, 0, make([]byte, 27))), `box "mvhd" is too short`},
		"many boxes in one":   {bx("moov", bytes.Repeat(bx("free"), 10001)), `box "moov" holds more than 10000 others`},
	} {
		refused(t, name, c.b, c.why)
	}
	if _, err := read(memFile{bytes.NewReader(bx("moov", bytes.Repeat(bx("free"), 10000)))}, MP4, nil); err == nil || !strings.Contains(err.Error(), "no track") {
		t.Errorf("10000 boxes in one: %v", err)
	}
}

// What a track must have, and what it may not say.
func TestTracksThatCantBeRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(tr *filmTrack)
		why    string
	}{
		"no timescale":              {func(tr *filmTrack) { tr.scale = 0 }, "a track has no timescale"},
		"another handler":           {func(tr *filmTrack) { tr.handler = "text" }, "it has no track that goes over RTMP"},
		"an unknown codec":          {func(tr *filmTrack) { tr.entry = visual("mp4v") }, `it has no track that goes over RTMP, codec "mp4v"`},
		"no codec":                  {func(tr *filmTrack) { tr.entry = nil }, "it has no track that goes over RTMP, a track without a codec"},
		"compact sizes":             {func(tr *filmTrack) { tr.extra = [][]byte{full("stz2", 0, 0, be32(8, 0))} }, `box "stz2" is not read`},
		"too many entries":          {func(tr *filmTrack) { tr.extra = [][]byte{full("stts", 0, 0, be32(2), be32(1, 40))} }, `box "stts" says that it has 2 entries`},
		"a table that is too short": {func(tr *filmTrack) { tr.extra = [][]byte{bx("stco", be32(0))} }, `box "stco" is too short`},
		"sizes that are too short":  {func(tr *filmTrack) { tr.extra = [][]byte{bx("stsz", be32(0, 0))} }, `box "stsz" is too short`},
		"too many samples":          {func(tr *filmTrack) { tr.extra = [][]byte{full("stsz", 0, 0, be32(1, 1<<25+1))} }, `box "stsz" says that it has 33554433 samples`},
		"sizes that are missing":    {func(tr *filmTrack) { tr.extra = [][]byte{full("stsz", 0, 0, be32(0, 7), be32(1, 2, 3, 4, 5, 6))} }, `box "stsz" says that it has 7 entries`},
		"times that are missing":    {func(tr *filmTrack) { tr.extra = [][]byte{full("stts", 0, 0, be32(0))} }, `box "stts" has 0 entries, and another one is needed`},
		"chunks that are missing":   {func(tr *filmTrack) { tr.extra = [][]byte{full("stco", 0, 0, be32(0))} }, `box "stco" has 0 entries, and another one is needed`},
		"no runs of chunks":         {func(tr *filmTrack) { tr.extra = [][]byte{full("stsc", 0, 0, be32(0))} }, `box "stsc" has 0 entries, and another one is needed`},
		"chunks without samples":    {func(tr *filmTrack) { tr.extra = [][]byte{full("stsc", 0, 0, be32(1), be32(1, 0, 1))} }, `box "stsc" has a chunk without samples`},
		"chunks not in order":       {func(tr *filmTrack) { tr.extra = [][]byte{full("stsc", 0, 0, be32(2), be32(2, 4, 1, 2, 2, 1))} }, `box "stsc" is not in order`},
		"a place below 0":           {func(tr *filmTrack) { tr.extra = [][]byte{full("co64", 0, 0, be32(1), be64(1<<63))} }, `box "co64" has a place that can't be`},
		"a place behind the end":    {func(tr *filmTrack) { tr.extra = [][]byte{full("co64", 0, 0, be32(1), be64(1<<40))} }, "a frame ends early: the file is cut off"},
		"a frame of 10 MiB":         {func(tr *filmTrack) { tr.extra = [][]byte{full("stsz", 0, 0, be32(10<<20, 6))} }, "a frame ends early: the file is cut off"},
		"a frame of a byte more":    {func(tr *filmTrack) { tr.extra = [][]byte{full("stsz", 0, 0, be32(10<<20+1, 6))} }, "it has a frame of 10485761 bytes"},
	} {
		rnd, tr := plain(t)
		c.change(tr)
		refused(t, name, film(rnd, mvhd(5000), tr), c.why)
	}
	for name, c := range map[string]struct {
		trak []byte
		why  string
	}{
		"no stbl":          {bx("trak", bx("mdia", full("mdhd", 0, 0, times(0, 1000, nil, 0)), full("hdlr", 0, 0, be32(0), []byte("vide")))), `a track has no box "stbl"`},
		"no stsd":          {bx("trak", bx("mdia", full("mdhd", 0, 0, times(0, 1000, nil, 0)), full("hdlr", 0, 0, be32(0), []byte("vide")), bx("minf", bx("stbl")))), `a track has no box "stsd"`},
		"tkhd too short":   {bx("trak", bx("tkhd", make([]byte, 23))), `box "tkhd" of 23 bytes is too short`},
		"mdhd too short":   {bx("trak", bx("mdia", bx("mdhd", make([]byte, 19)))), `box "mdhd" of 19 bytes is too short`},
		"hdlr too short":   {bx("trak", bx("mdia", bx("hdlr", make([]byte, 11)))), `box "hdlr" of 11 bytes is too short`},
		"elst too short":   {bx("trak", bx("edts", bx("elst", make([]byte, 7))), bx("mdia", full("mdhd", 0, 0, times(0, 1000, nil, 0)), full("hdlr", 0, 0, be32(0), []byte("vide")), bx("minf", bx("stbl")))), `box "elst" of 7 bytes is too short`},
		"nothing in there": {bx("trak"), "it has no track that goes over RTMP"},
	} {
		refused(t, name, bx("moov", mvhd(0), c.trak), c.why)
	}
}

// How long a file is, in both versions of mvhd; all ones says that it is not known.
func TestDurations(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mvhd []byte
		want uint32
	}{
		"version 0":              {full("mvhd", 0, 0, times(0, 600, nil, 1500)), 2500},
		"version 1":              {full("mvhd", 1, 0, times(1, 600, nil, 1500)), 2500},
		"not known":              {full("mvhd", 0, 0, times(0, 600, nil, 1<<32-1)), 0},
		"not known, version 1":   {full("mvhd", 1, 0, times(1, 600, nil, 1<<64-1)), 0},
		"no timescale":           {full("mvhd", 0, 0, times(0, 0, nil, 1500)), 0},
		"longer than it can say": {full("mvhd", 1, 0, times(1, 1, nil, 1<<40)), 1 << 31},
		"beyond all bounds":      {full("mvhd", 1, 0, times(1, 1, nil, 1<<64-2)), 1 << 31},
	} {
		rnd, tr := plain(t)
		if got := openBytes(t, film(rnd, c.mvhd, tr), MP4).Duration(); got != c.want {
			t.Errorf("%s: %d ms, want %d", name, got, c.want)
		}
	}
}

// vindex and aindex choose tracks, counted from 0; at most 64 are looked at.
func TestWhichTracksArePlayed(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 1))
	var tracks []*filmTrack
	for i := range uint32(66) {
		tr := &filmTrack{handler: "vide", id: i + 1, scale: 1000, entry: avcEntry(t), perChunk: []int{1}, samples: []filmSample{{delta: 40, sync: true, data: []byte{byte(i)}}}}
		if i%2 == 1 {
			tr.handler, tr.entry = "soun", aacEntry(t)
		}
		tracks = append(tracks, tr)
	}
	b := film(rnd, mvhd(40), tracks...)
	for _, c := range []struct {
		vindex, aindex string
		want           string
	}{
		{"", "", "\x00\x01"},
		{"0", "0", "\x00\x01"},
		{"1", "2", "\x02\x05"},
		{"31", "31", "\x3e\x3f"},
		{"32", "0", "\x01"},
		{"0", "32", "\x00"},
		{"-1", "0", "\x01"},
		{"x", "1x", "\x00\x01"},
	} {
		f, err := read(memFile{bytes.NewReader(b)}, MP4, map[string][]string{"vindex": {c.vindex}, "aindex": {c.aindex}})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, m := range messages(t, f) {
			got += string(m.Body[len(m.Body)-1:])
			if want := byte(flv.TagVideo) - m.Body[len(m.Body)-1]%2; m.Type != want {
				t.Errorf("a message of type %d, want %d", m.Type, want)
			}
		}
		if got != c.want {
			t.Errorf("vindex %q, aindex %q: tracks %x, want %x", c.vindex, c.aindex, got, c.want)
		}
	}
}
