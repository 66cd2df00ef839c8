package vod

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// fragmentedMoov is a moov whose samples are in fragments; trex says what holds where
// these say nothing (§8.8.3).
func fragmentedMoov(trex [][]uint32, tracks ...*filmTrack) []byte {
	boxes := [][]byte{mvhd(5000)}
	for _, tr := range tracks {
		none := *tr
		none.samples, none.perChunk, none.places = nil, nil, nil
		boxes = append(boxes, none.trak(rand.New(rand.NewPCG(1, 1))))
	}
	var defaults [][]byte
	for i, tr := range tracks {
		defaults = append(defaults, full("trex", 0, 0, be32(tr.id, 1), be32(trex[i]...)))
	}
	return bx("moov", append(boxes, bx("mvex", append([][]byte{full("mehd", 0, 0, be32(0))}, defaults...)...))...)
}

// Flags of samples (§8.8.3.1): whether others refer to it, and that it is no sync sample.
const (
	syncFlags  = 0x02000000
	interFlags = 0x01010000
)

func flagsOf(s filmSample) uint32 {
	if s.sync {
		return syncFlags
	}
	return interFlags
}

// A part is what a fragment has of a track: samples from one to another, in so many runs.
type part struct {
	tr       *filmTrack
	id       uint32
	from, to int
	dts      uint64 // of the first
	trex     []uint32
}

// fragment is a moof and its mdat (§8.8). How it says what its samples are like is
// left to chance.
func fragment(at int, parts []part) []byte {
	var b []byte
	for range 2 { // the first time for its size
		r := rand.New(rand.NewPCG(3, uint64(at)))
		data := at + len(b) + 8
		moof := [][]byte{full("mfhd", 0, 0, be32(1))}
		var mdat []byte
		for _, p := range parts {
			samples := p.tr.samples[p.from:p.to]
			duration, size, flags := p.trex[0], p.trex[1], p.trex[2]
			tfhd, tf := be32(p.id), uint32(0)
			base := at
			if r.IntN(2) == 0 {
				tf |= 1
				base = data + len(mdat) - 50
				tfhd = append(tfhd, be64(uint64(base))...)
			} else {
				tf |= 0x20000
			}
			if r.IntN(3) == 0 {
				tf |= 2
				tfhd = append(tfhd, be32(1)...)
			}
			if r.IntN(2) == 0 {
				tf |= 8
				duration = samples[0].delta
				tfhd = append(tfhd, be32(duration)...)
			}
			if r.IntN(2) == 0 {
				tf |= 0x10
				size = uint32(len(samples[0].data))
				tfhd = append(tfhd, be32(size)...)
			}
			if r.IntN(2) == 0 {
				tf |= 0x20
				flags = flagsOf(samples[len(samples)-1])
				tfhd = append(tfhd, be32(flags)...)
			}
			traf := [][]byte{full("tfhd", 0, tf, tfhd)}
			if r.IntN(2) == 0 {
				traf = append(traf, full("tfdt", 1, 0, be64(p.dts)))
			} else {
				traf = append(traf, full("tfdt", 0, 0, be32(uint32(p.dts))))
			}
			for first := true; len(samples) > 0; first = false {
				n := 1 + r.IntN(len(samples))
				run := samples[:n]
				samples = samples[n:]
				rf, head := uint32(0), be32(uint32(n))
				if first || r.IntN(2) == 0 { // else it follows the one before
					rf |= 1
					mdat = append(mdat, make([]byte, r.IntN(3))...)
					head = append(head, be32(uint32(data+len(mdat)-base))...)
				}
				others := func(f func(filmSample) uint32, v uint32) bool {
					return slices.ContainsFunc(run, func(s filmSample) bool { return f(s) != v })
				}
				if others(func(s filmSample) uint32 { return s.delta }, duration) || r.IntN(3) == 0 {
					rf |= 0x100
				}
				if others(func(s filmSample) uint32 { return uint32(len(s.data)) }, size) || r.IntN(3) == 0 {
					rf |= 0x200
				}
				if rest := run[1:]; slices.ContainsFunc(rest, func(s filmSample) bool { return flagsOf(s) != flags }) || r.IntN(3) == 0 {
					rf |= 0x400
				} else if flagsOf(run[0]) != flags {
					rf |= 4
					head = append(head, be32(flagsOf(run[0]))...)
				}
				if others(func(s filmSample) uint32 { return uint32(s.cts) }, 0) || r.IntN(3) == 0 {
					rf |= 0x800
				}
				var table []byte
				for _, s := range run {
					for i, v := range []uint32{s.delta, uint32(len(s.data)), flagsOf(s), uint32(s.cts)} {
						if rf&(0x100<<i) != 0 {
							table = append(table, be32(v)...)
						}
					}
					mdat = append(mdat, s.data...)
				}
				traf = append(traf, full("trun", 1, rf, head, table))
			}
			moof = append(moof, bx("traf", traf...))
		}
		b = bx("moof", moof...)
		if len(b)+at+8 == data {
			return append(b, bx("mdat", mdat)...)
		}
	}
	panic("the size of moof depends on the places in it")
}

// A fragmentedFilm is one of two tracks, and where its fragments begin: indexes of the
// samples of both.
type fragmentedFilm struct {
	bytes        []byte
	video, audio *filmTrack
	cuts         [][2]int
}

func someFragments(t testing.TB, rnd *rand.Rand) *fragmentedFilm {
	x := &fragmentedFilm{
		video: &filmTrack{handler: "vide", id: 7, scale: 12800, entry: avcEntry(t)},
		audio: &filmTrack{handler: "soun", id: 3, scale: 44100, entry: aacEntry(t), samples: someSounds(100)},
	}
	x.video.samples = somePictures(rnd, 60, 12800)
	trex := [][]uint32{{512, 6, interFlags}, {1024, 6, syncFlags}}
	x.bytes = slices.Concat(bx("ftyp", []byte("iso6"), be32(0)), fragmentedMoov(trex, x.video, x.audio))
	var dts [2]uint64
	sum := func(samples []filmSample) (d uint64) {
		for _, s := range samples {
			d += uint64(s.delta)
		}
		return d
	}
	for v, a := 0, 0; v < 60 || a < 100; {
		x.cuts = append(x.cuts, [2]int{v, a})
		nv, na := min(1+rnd.IntN(20), 60-v), min(1+rnd.IntN(30), 100-a)
		var parts []part
		if nv > 0 {
			parts = append(parts, part{x.video, 7, v, v + nv, dts[0], trex[0]})
		}
		if na > 0 {
			parts = append(parts, part{x.audio, 3, a, a + na, dts[1], trex[1]})
		}
		if rnd.IntN(4) == 0 { // of a track that is not in moov
			parts = append(parts, part{x.audio, 9, 0, 3, 0, trex[1]})
		}
		dts[0] += sum(x.video.samples[v : v+nv])
		dts[1] += sum(x.audio.samples[a : a+na])
		x.bytes = append(x.bytes, fragment(len(x.bytes), parts)...)
		if rnd.IntN(3) == 0 {
			x.bytes = append(x.bytes, bx("sidx", be32(1, 2))...)
		}
		v, a = v+nv, a+na
	}
	return x
}

// Whatever fragments look like, their samples come in their order with their times,
// from the beginning and from each place that a seek goes to.
func TestSamplesComeAsTheFragmentsSay(t *testing.T) {
	t.Parallel()
	for seed := range uint64(80) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		x := someFragments(t, rnd)
		v, a := x.video.playedAs(0), x.audio.playedAs(0)
		// One fragment after the other: the tracks need not end together in one.
		from := func(video, audio int) (want []timed) {
			for i, cut := range x.cuts {
				next := [2]int{60, 100}
				if i+1 < len(x.cuts) {
					next = x.cuts[i+1]
				}
				if next[0] <= video && next[1] <= audio {
					continue
				}
				for _, m := range merged(v[min(max(cut[0], video), next[0]):next[0]], a[min(max(cut[1], audio), next[1]):next[1]]) {
					want = append(want, timed{tag: m})
				}
			}
			return want
		}
		f := openBytes(t, x.bytes, MP4)
		if !same(t, fmt.Sprintf("seed %d", seed), messages(t, f), merged(from(0, 0), nil)) {
			return
		}
		for range 30 {
			to := rnd.Uint32N(v[59].tag.Timestamp + 200)
			if err := f.Seek(context.Background(), to); err != nil {
				t.Fatalf("seed %d: seek to %d: %v", seed, to, err)
			}
			i := lastBefore(v, to)
			cut := 0 // the fragment of that keyframe; the sound begins at the same time in it
			for cut+1 < len(x.cuts) && x.cuts[cut+1][0] <= i {
				cut++
			}
			j, end := x.cuts[cut][1], 100
			if cut+1 < len(x.cuts) {
				end = x.cuts[cut+1][1]
			}
			for j < end && a[j].tag.Timestamp < v[i].tag.Timestamp {
				j++
			}
			if !same(t, fmt.Sprintf("seed %d, seek to %d", seed, to), messages(t, f), merged(from(i, j), nil)) {
				return
			}
		}
	}
}

// A file that is being written goes up to the last whole fragment, wherever its end is.
func TestAFragmentedFileThatGrows(t *testing.T) {
	t.Parallel()
	x := someFragments(t, rand.New(rand.NewPCG(5, 2)))
	whole := messages(t, openBytes(t, x.bytes, MP4))
	grown := &growing{}
	moov := bytes.Index(x.bytes, []byte("moof")) - 4
	grown.b = x.bytes[:moov]
	f, err := read(grown, MP4, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got int
	for n := moov; n <= len(x.bytes); n += 13 {
		grown.b = x.bytes[:n]
		for _, m := range messages(t, f) {
			if w := whole[got]; w.Timestamp != m.Timestamp || !bytes.Equal(w.Body, m.Body) {
				t.Fatalf("%d bytes: message %d is at %d, want %d", n, got, m.Timestamp, w.Timestamp)
			}
			got++
		}
		fresh := len(messages(t, openBytes(t, grown.b, MP4)))
		if fresh < got {
			t.Fatalf("%d bytes: %d messages for who comes now, %d for who was there", n, fresh, got)
		}
	}
	grown.b = x.bytes
	if got += len(messages(t, f)); got != len(whole) {
		t.Errorf("%d messages, want %d", got, len(whole))
	}
}

// growing is a file that grows.
type growing struct{ b []byte }

func (g *growing) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(g.b).ReadAt(p, off)
}
func (g *growing) Size() int64 { return int64(len(g.b)) }
func (*growing) Close() error  { return nil }

// What a fragment may not say.
func TestFragmentsThatCantBeRead(t *testing.T) {
	t.Parallel()
	video := &filmTrack{handler: "vide", id: 1, scale: 1000, entry: avcEntry(t)}
	moov := fragmentedMoov([][]uint32{{40, 4, 0}}, video)
	tfhd := full("tfhd", 0, 0x20000, be32(1))
	traf := func(boxes ...[]byte) []byte { return bx("moof", bx("traf", boxes...)) }
	for name, c := range map[string]struct {
		moof []byte
		why  string
	}{
		"a moof of 4 MiB":           {bx("moof", bx("free", make([]byte, 4<<20-8))), "EOF"},
		"of a byte more":            {bx("moof", bx("free", make([]byte, 4<<20-7))), `box "moof" of 4194305 bytes, at most 4194304 are read`},
		"tfhd too short":            {traf(full("tfhd", 0, 1, be32(1, 0))), `box "tfhd" is too short`},
		"no flags":                  {traf(bx("tfhd", []byte{0, 0, 0})), `box "tfhd" of 3 bytes is too short`},
		"tfdt too short":            {traf(tfhd, full("tfdt", 1, 0, be32(0))), `box "tfdt" is too short`},
		"trun too short":            {traf(tfhd, full("trun", 0, 1, be32(0))), `box "trun" is too short`},
		"more samples than it has":  {traf(tfhd, full("trun", 0, 0x201, be32(2, 0, 9))), `box "trun" says that it has 2 samples`},
		"too many samples":          {traf(tfhd, full("trun", 0, 0, be32(1<<16+1))), `box "trun" says that it has 65537 samples`},
		"too many in two":           {traf(tfhd, full("trun", 0, 0, be32(1<<16)), full("trun", 0, 0, be32(1))), `box "trun" says that it has 1 samples`},
		"a place below 0":           {traf(tfhd, full("trun", 0, 1, be32(1, 0x80000000))), `box "trun" has a sample where or when none can be`},
		"a time that is too late":   {traf(tfhd, full("tfdt", 1, 0, be64(1<<52+1)), full("trun", 0, 1, be32(1, 0))), `box "trun" has a sample where or when none can be`},
		"a frame that is too large": {traf(full("tfhd", 0, 0x20010, be32(1, 10<<20+1)), full("trun", 0, 1, be32(1, 0))), "it has a frame of 10485761 bytes"},
	} {
		refused(t, name, slices.Concat(moov, c.moof), c.why)
	}
	// What is read before tfhd, or of another track, is not looked at.
	trun := full("trun", 0, 1, be32(1, 8))
	b := slices.Concat(moov, bx("moof", bx("free"), bx("traf", bx("sbgp"), trun), bx("traf", full("tfhd", 0, 1, be32(2)), trun)), traf(tfhd, trun), bx("mdat", []byte("film")))
	if n := len(messages(t, openBytes(t, b, MP4))); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
	// Samples of all tracks count, up to 65536 of them.
	many := slices.Concat(moov, traf(tfhd, full("trun", 0, 1, be32(1<<16, 8))), make([]byte, 8+4<<16))
	be.PutUint32(many[len(many)-8-4<<16:], 8+4<<16)
	copy(many[len(many)-4-4<<16:], "mdat")
	if n := len(messages(t, openBytes(t, many, MP4))); n != 1<<16 {
		t.Errorf("%d messages, want %d", n, 1<<16)
	}
	f := openBytes(t, moov, MP4)
	if _, err := f.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("no fragment so far: %v", err)
	}
	if err := f.Seek(context.Background(), 100); err != nil {
		t.Errorf("a seek where there is no fragment so far: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Seek(ctx, 100); !errors.Is(err, context.Canceled) {
		t.Errorf("a seek of who has left: %v", err)
	}
}
