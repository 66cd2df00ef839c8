package vod

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// Boxes of ISO 14496-12, written for tests.

func be16(v ...uint16) (b []byte) {
	for _, x := range v {
		b = be.AppendUint16(b, x)
	}
	return b
}

func be32(v ...uint32) (b []byte) {
	for _, x := range v {
		b = be.AppendUint32(b, x)
	}
	return b
}

func be64(v ...uint64) (b []byte) {
	for _, x := range v {
		b = be.AppendUint64(b, x)
	}
	return b
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// bx is a box; full one with version and flags (§4.2).
func bx(kind string, content ...[]byte) []byte {
	body := slices.Concat(content...)
	return slices.Concat(be32(uint32(8+len(body))), []byte(kind), body)
}

func full(kind string, version byte, flags uint32, content ...[]byte) []byte {
	return bx(kind, be32(uint32(version)<<24|flags), slices.Concat(content...))
}

// visual is a visual sample entry (§12.1.3), sound an audio one (§12.2.3).
func visual(kind string, boxes ...[]byte) []byte {
	return bx(kind, make([]byte, 6), be16(1), make([]byte, 16), be16(1920, 1080), make([]byte, 50), slices.Concat(boxes...))
}

func sound(kind string, channels, rate uint16, boxes ...[]byte) []byte {
	return bx(kind, make([]byte, 6), be16(1), make([]byte, 8), be16(channels, 16), make([]byte, 4), be16(rate, 0), slices.Concat(boxes...))
}

// descriptor is one of ISO 14496-1 §8.3.3, its length in as many bytes.
func descriptor(tag byte, width int, content ...[]byte) []byte {
	body := slices.Concat(content...)
	b := []byte{tag}
	for i := width - 1; i >= 0; i-- {
		c := byte(len(body)>>(7*i)) & 0x7f
		if i > 0 {
			c |= 0x80
		}
		b = append(b, c)
	}
	return append(b, body...)
}

// esds is the box of an elementary stream (ISO 14496-14 §5.6).
func esds(object byte, config []byte) []byte {
	decoder := [][]byte{{object, 0x15}, make([]byte, 11)}
	if config != nil {
		decoder = append(decoder, descriptor(5, 1, config))
	}
	return full("esds", 0, 0, descriptor(3, 1, be16(0), []byte{0}, descriptor(4, 1, decoder...), descriptor(6, 1, []byte{2})))
}

func avcEntry(t testing.TB) []byte {
	return visual("avc1", bx("avcC", unhex(t, mediatest.AVCHigh1080)))
}

func aacEntry(t testing.TB) []byte {
	return sound("mp4a", 2, 44100, esds(0x40, unhex(t, mediatest.AACLC44)))
}

// A filmSample is a sample of a filmTrack.
type filmSample struct {
	delta uint32
	cts   int32
	sync  bool
	data  []byte
}

// A filmTrack is a track of a film, as its boxes are to say it.
type filmTrack struct {
	handler  string // "vide", "soun"
	id       uint32
	scale    uint32
	entry    []byte
	samples  []filmSample
	perChunk []int // samples of each chunk
	edits    []byte
	version  byte // of tkhd and mdhd
	long     bool // co64
	extra    [][]byte

	places []int // of its chunks
}

// runs codes values with their run lengths, some of them in two entries, or behind
// one of no samples.
func runs(rnd *rand.Rand, values []uint32) (b []byte, n uint32) {
	add := func(count, v uint32) { b, n = append(b, be32(count, v)...), n+1 }
	for i := 0; i < len(values); {
		j := i + 1
		for j < len(values) && values[j] == values[i] && rnd.IntN(20) > 0 {
			j++
		}
		if rnd.IntN(30) == 0 {
			add(0, 77)
		}
		add(uint32(j-i), values[i])
		i = j
	}
	return b, n
}

// stbl is the sample table of tr (§8.5 to §8.7).
func (tr *filmTrack) stbl(rnd *rand.Rand) []byte {
	var deltas, shifts, sizes, syncs []uint32
	uniform, moved := true, false
	for i, s := range tr.samples {
		deltas, shifts, sizes = append(deltas, s.delta), append(shifts, uint32(s.cts)), append(sizes, uint32(len(s.data)))
		moved = moved || s.cts != 0
		uniform = uniform && len(s.data) == len(tr.samples[0].data)
		if s.sync {
			syncs = append(syncs, uint32(i+1))
		}
	}
	out := [][]byte{full("stsd", 0, 0, be32(1), tr.entry)}
	stts, n := runs(rnd, deltas)
	out = append(out, full("stts", 0, 0, be32(n), stts))
	if moved {
		ctts, n := runs(rnd, shifts)
		out = append(out, full("ctts", 1, 0, be32(n), ctts))
	}
	if uniform && len(sizes) > 0 && sizes[0] > 0 && rnd.IntN(2) == 0 {
		out = append(out, full("stsz", 0, 0, be32(sizes[0], uint32(len(sizes)))))
	} else {
		out = append(out, full("stsz", 0, 0, be32(0, uint32(len(sizes))), be32(sizes...)))
	}
	var stsc []byte
	entries := uint32(0)
	for i, n := range tr.perChunk {
		if i == 0 || n != tr.perChunk[i-1] || rnd.IntN(10) == 0 {
			stsc, entries = append(stsc, be32(uint32(i+1), uint32(n), 1)...), entries+1
		}
	}
	out = append(out, full("stsc", 0, 0, be32(entries), stsc))
	if tr.long {
		places := be32(uint32(len(tr.places)))
		for _, at := range tr.places {
			places = append(places, be64(uint64(at))...)
		}
		out = append(out, full("co64", 0, 0, places))
	} else {
		places := be32(uint32(len(tr.places)))
		for _, at := range tr.places {
			places = append(places, be32(uint32(at))...)
		}
		out = append(out, full("stco", 0, 0, places))
	}
	if len(syncs) < len(tr.samples) {
		out = append(out, full("stss", 0, 0, be32(uint32(len(syncs))), be32(syncs...)))
	}
	out = append(out, tr.extra...)
	return bx("stbl", out...)
}

// times are the fields of mvhd, mdhd and tkhd that both versions have, up to the
// duration; between is what stands before that in tkhd.
func times(version byte, first uint32, between []byte, duration uint64) []byte {
	if version == 1 {
		return slices.Concat(be64(1, 2), be32(first), between, be64(duration))
	}
	return slices.Concat(be32(1, 2, first), between, be32(uint32(duration)))
}

func (tr *filmTrack) trak(rnd *rand.Rand) []byte {
	trak := [][]byte{full("tkhd", tr.version, 3, times(tr.version, tr.id, be32(0), 0), make([]byte, 60))}
	if tr.edits != nil {
		trak = append(trak, bx("edts", tr.edits))
	}
	return bx("trak", append(trak, bx("mdia",
		full("mdhd", tr.version, 0, times(tr.version, tr.scale, nil, 0), be16(0x55c4, 0)),
		full("hdlr", 0, 0, be32(0), []byte(tr.handler), make([]byte, 13)),
		bx("minf", bx("dinf"), tr.stbl(rnd))))...)
}

// film is a file of these tracks, whose chunks take turns: mdat stands before moov.
func film(rnd *rand.Rand, mvhd []byte, tracks ...*filmTrack) []byte {
	b := bx("ftyp", []byte("isom"), be32(0), []byte("isom"))
	begin := len(b)
	b = append(b, bx("mdat")...)
	done := make([]int, len(tracks))
	for _, tr := range tracks {
		tr.places = nil
	}
	for more := true; more; {
		more = false
		for i, tr := range tracks {
			chunk := len(tr.places)
			if chunk == len(tr.perChunk) {
				continue
			}
			more = true
			b = append(b, make([]byte, rnd.IntN(3))...) // chunks need not touch
			tr.places = append(tr.places, len(b))
			for range tr.perChunk[chunk] {
				b = append(b, tr.samples[done[i]].data...)
				done[i]++
			}
		}
	}
	be.PutUint32(b[begin:], uint32(len(b)-begin))
	boxes := [][]byte{mvhd}
	for _, tr := range tracks {
		boxes = append(boxes, tr.trak(rnd))
	}
	return append(b, bx("moov", boxes...)...)
}

// mvhd is a movie header that counts milliseconds (§8.2.2).
func mvhd(ms uint32) []byte {
	return full("mvhd", 0, 0, times(0, 1000, nil, uint64(ms)), make([]byte, 80))
}

// messages reads to the end.
func messages(t testing.TB, f File) (out []flv.FileTag) {
	t.Helper()
	for {
		tag, err := f.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		tag.Body = bytes.Clone(tag.Body)
		out = append(out, tag)
	}
}

func openBytes(t testing.TB, b []byte, format Format) File {
	t.Helper()
	f, err := read(memFile{bytes.NewReader(b)}, format, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// same compares messages, and says where they differ.
func same(t testing.TB, what string, got, want []flv.FileTag) bool {
	t.Helper()
	for i := range min(len(got), len(want)) {
		g, w := got[i], want[i]
		if g.Type != w.Type || g.Timestamp != w.Timestamp || !bytes.Equal(g.Body, w.Body) {
			t.Errorf("%s: message %d is of type %d at %d: %.40x, want of type %d at %d: %.40x", what, i, g.Type, g.Timestamp, g.Body, w.Type, w.Timestamp, w.Body)
			return false
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d messages, want %d", what, len(got), len(want))
		return false
	}
	return true
}
