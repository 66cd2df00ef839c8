package mp4

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// A sample is what a test wrote, or read back.
type sample struct {
	kind media.Kind
	dts  time.Duration
	cts  time.Duration
	sync bool
	data string
}

// A source makes packets: 25 pictures and, at 44.1 kHz, 43 frames of sound a second,
// with the timestamps of RTMP.
type source struct {
	rng          *rand.Rand
	video, audio *media.Track
	v, a         int
	gop          int
	b            bool // pictures are out of order
	wrote        []sample
}

func newSource(t testing.TB, seed uint64) *source {
	rng := rand.New(rand.NewPCG(seed, 1))
	return &source{rng: rng, video: mediatest.Track(t, media.CodecH264, mediatest.AVCHigh1080), audio: mediatest.Track(t, media.CodecAAC, mediatest.AACLC44), gop: 1 + rng.IntN(80), b: rng.IntN(2) == 0}
}

func (s *source) next() *media.Packet {
	vt := time.Duration(s.v) * 40 * time.Millisecond
	at := (time.Duration(s.a) * 1024 * time.Second / 44100).Round(time.Millisecond)
	p := &media.Packet{Track: s.video, DTS: vt, Keyframe: s.v%s.gop == 0}
	if at < vt {
		p = &media.Packet{Track: s.audio, DTS: at}
		s.a++
	} else {
		if s.b {
			p.CTS = time.Duration([3]int{2, 5, 0}[s.v%3]) * 40 * time.Millisecond
		}
		s.v++
	}
	p.Data = make([]byte, 1+s.rng.IntN(2000))
	for i := range p.Data {
		p.Data[i] = byte(s.rng.Uint32())
	}
	return p
}

func (s *source) feed(t testing.TB, r *Recording, n int) {
	t.Helper()
	for range n {
		p := s.next()
		if !r.Accepts(p.Track) {
			t.Fatalf("%s is not accepted", p.Track.CodecName())
		}
		if err := r.Write(p); err != nil {
			t.Fatal(err)
		}
		s.wrote = append(s.wrote, sample{p.Track.Kind, p.DTS, p.CTS, p.Keyframe || p.Track == s.audio, string(p.Data)})
	}
}

func (s *source) of(k media.Kind) (out []sample) {
	for _, w := range s.wrote {
		if w.kind == k {
			out = append(out, w)
		}
	}
	return out
}

// A box is one of a file.
type box struct {
	kind string
	at   int // of its header
	body []byte
}

// boxes are those in b, as far as they are whole.
func boxes(b []byte) (out []box) {
	for at := 0; at+8 <= len(b); {
		size, head := int(be.Uint32(b[at:])), 8
		if size == 1 && at+16 <= len(b) {
			size, head = int(be.Uint64(b[at+8:])), 16
		}
		if size < head || at+size > len(b) {
			return out
		}
		out = append(out, box{string(b[at+4 : at+8]), at, b[at+head : at+size]})
		at += size
	}
	return out
}

// find follows a path of boxes; nil: there is none.
func find(b []byte, path ...string) []byte {
	for _, kind := range path {
		i := slices.IndexFunc(boxes(b), func(x box) bool { return x.kind == kind })
		if i < 0 {
			return nil
		}
		b = boxes(b)[i].body
	}
	return b
}

// words are the rows of a table behind its version and count.
func words(b []byte, skip int) (out []uint32) {
	for b = b[min(skip, len(b)):]; len(b) >= 4; b = b[4:] {
		out = append(out, be.Uint32(b))
	}
	return out
}

// readTables reads the samples that the moov of a plain MP4 names, in order.
func readTables(t testing.TB, file []byte) (out [2][]sample) {
	t.Helper()
	top := boxes(file)
	if len(top) != 3 || top[1].kind != "mdat" || top[2].kind != "moov" {
		t.Fatalf("it is no plain MP4: %d boxes", len(top))
	}
	for _, trak := range boxes(top[2].body) {
		if trak.kind != "trak" {
			continue
		}
		kind := media.Audio
		if bytes.Contains(find(trak.body, "mdia", "hdlr"), []byte("vide")) {
			kind = media.Video
		}
		mdhd, stbl := find(trak.body, "mdia", "mdhd"), find(trak.body, "mdia", "minf", "stbl")
		scale := time.Duration(be.Uint32(mdhd[20:]))
		var starts, offsets []uint32
		dts, n := uint32(0), words(find(stbl, "stts"), 8)
		for ; len(n) > 1; n = n[2:] {
			for range n[0] {
				starts = append(starts, dts)
				dts += n[1]
			}
		}
		if uint64(dts) != be.Uint64(mdhd[24:]) {
			t.Errorf("%v: durations add up to %d, mdhd says %d", kind, dts, be.Uint64(mdhd[24:]))
		}
		for n = words(find(stbl, "ctts"), 8); len(n) > 1; n = n[2:] {
			offsets = append(offsets, slices.Repeat(n[1:2], int(n[0]))...)
		}
		sync, hasSync := words(find(stbl, "stss"), 8), find(stbl, "stss") != nil
		sizes, places, per := words(find(stbl, "stsz"), 12), words(find(stbl, "co64"), 8), words(find(stbl, "stsc"), 8)
		i := 0
		for chunk := 1; len(places) > 1; chunk, places = chunk+1, places[2:] {
			for len(per) > 3 && per[3] <= uint32(chunk) {
				per = per[3:]
			}
			at := int(places[0])<<32 | int(places[1])
			for range per[1] {
				s := sample{kind: kind, sync: !hasSync || slices.Contains(sync, uint32(i+1)), data: string(file[at : at+int(sizes[i])])}
				s.dts = time.Duration(starts[i]) * time.Second / scale
				if offsets != nil {
					s.cts = time.Duration(int32(offsets[i])) * time.Second / scale
				}
				out[kind] = append(out[kind], s)
				at += int(sizes[i])
				i++
			}
		}
		if i != len(sizes) || i != len(starts) {
			t.Errorf("%v: %d samples in chunks, %d sizes, %d times", kind, i, len(sizes), len(starts))
		}
	}
	return out
}
