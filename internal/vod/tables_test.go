package vod

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/flv"
)

// A timed is a message as it is to come out, with what a seek looks at.
type timed struct {
	tag  flv.FileTag
	sync bool
}

// playedAs are the messages of a track whose times are moved by so many ms: H.264 and
// AAC in the form of FLV (annex E.4.2.1, E.4.3.1).
func (tr *filmTrack) playedAs(moved int64) (out []timed) {
	dts := int64(0)
	in := func(ticks int64) int64 { return ticks * 1000 / int64(tr.scale) }
	for _, s := range tr.samples {
		m := timed{tag: flv.FileTag{Type: flv.TagAudio, Timestamp: uint32(in(dts) + moved)}, sync: s.sync}
		m.tag.Body = []byte{0xaf, 1}
		if tr.handler == "vide" {
			cts := int64(0)
			if dts+int64(s.cts) > 0 {
				cts = in(dts+int64(s.cts)) - in(dts)
			}
			m.tag.Type, m.tag.Body = flv.TagVideo, []byte{0x27, 1, byte(cts >> 16), byte(cts >> 8), byte(cts)}
			if s.sync {
				m.tag.Body[0] = 0x17
			}
		}
		m.tag.Body = append(m.tag.Body, s.data...)
		out = append(out, m)
		dts += int64(s.delta)
	}
	return out
}

// merged are the messages of two tracks in the order of their timestamps.
func merged(a, b []timed) (out []flv.FileTag) {
	for len(a)+len(b) > 0 {
		if len(b) == 0 || len(a) > 0 && a[0].tag.Timestamp <= b[0].tag.Timestamp {
			out, a = append(out, a[0].tag), a[1:]
		} else {
			out, b = append(out, b[0].tag), b[1:]
		}
	}
	return out
}

// lastBefore is the index of the last message that is not behind ms, and that playing
// may begin with; 0 if there is none.
func lastBefore(list []timed, ms uint32) (at int) {
	for i, m := range list {
		if m.tag.Timestamp <= ms {
			at = i
		}
	}
	for at > 0 && !list[at].sync {
		at--
	}
	return at
}

// somePictures are n samples of video, someSounds of audio; serial makes them distinct.
func somePictures(rnd *rand.Rand, n int, scale uint32) (out []filmSample) {
	for i := range n {
		s := filmSample{delta: scale / 25, sync: i == 0 || rnd.IntN(8) == 0, data: fmt.Appendf(nil, "V%05d%s", i, strings.Repeat("v", rnd.IntN(9)))}
		switch rnd.IntN(6) {
		case 0:
			s.delta = rnd.Uint32N(scale / 5)
		case 1:
			s.delta = 0
		}
		s.cts = []int32{0, 0, int32(scale / 25), int32(scale / 12), -int32(scale / 50)}[rnd.IntN(5)]
		if i == 0 {
			s.cts = max(s.cts, 0)
		}
		out = append(out, s)
	}
	return out
}

func someSounds(n int) (out []filmSample) {
	for i := range n {
		out = append(out, filmSample{delta: 1024, sync: true, data: fmt.Appendf(nil, "A%05d", i)})
	}
	return out
}

// someChunks are sizes of chunks that hold n samples.
func someChunks(rnd *rand.Rand, n int) (out []int) {
	size := 1 + rnd.IntN(5)
	for n > 0 {
		if rnd.IntN(3) == 0 {
			size = 1 + rnd.IntN(5)
		}
		k := min(size, n)
		out = append(out, k)
		n -= k
	}
	return out
}

// Whatever the tables of a file look like, its samples come in their order with their
// times, from the beginning and from each place that a seek goes to.
func TestSamplesComeAsTheTablesSay(t *testing.T) {
	t.Parallel()
	for seed := range uint64(80) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		n := 20 + rnd.IntN(60)
		if seed%30 == 0 {
			n = 3000 // tables are longer than what is read of them at once
		}
		video := &filmTrack{handler: "vide", id: 1, scale: []uint32{90000, 12800, 1000}[rnd.IntN(3)], entry: avcEntry(t), long: rnd.IntN(2) == 0, version: byte(rnd.IntN(2))}
		video.samples = somePictures(rnd, n, video.scale)
		video.perChunk = someChunks(rnd, n)
		audio := &filmTrack{handler: "soun", id: 2, scale: 44100, entry: aacEntry(t), samples: someSounds(n), perChunk: someChunks(rnd, n), version: byte(rnd.IntN(2))}
		if rnd.IntN(4) == 0 {
			audio.samples = audio.samples[:5]
			audio.perChunk = []int{5}
		}
		b := film(rnd, mvhd(5000), video, audio)
		v, a := video.playedAs(0), audio.playedAs(0)
		f := openBytes(t, b, MP4)
		if !same(t, fmt.Sprintf("seed %d", seed), messages(t, f), merged(v, a)) {
			return
		}
		end := v[len(v)-1].tag.Timestamp + 100
		for k := range 40 {
			to := rnd.Uint32N(end)
			if k < 5 {
				to = v[rnd.IntN(len(v))].tag.Timestamp
			}
			if err := f.Seek(context.Background(), to); err != nil {
				t.Fatalf("seed %d: seek to %d: %v", seed, to, err)
			}
			i := lastBefore(v, to)
			j := lastBefore(a, v[i].tag.Timestamp)
			want := merged(v[i:], a[j:])
			got := messages(t, f)
			if n > 1000 && k > 3 {
				break // long enough
			}
			if !same(t, fmt.Sprintf("seed %d, seek to %d", seed, to), got, want) {
				return
			}
		}
	}
}

// A player that leaves ends a seek in a long table.
func TestASeekEndsWithItsPlayer(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 1))
	video := &filmTrack{handler: "vide", id: 1, scale: 1000, entry: avcEntry(t), samples: somePictures(rnd, 50, 1000), perChunk: []int{50}}
	f := openBytes(t, film(rnd, mvhd(5000), video), MP4)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Seek(ctx, 100); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Edit lists (§8.6.6): an empty edit delays a track, the beginning of the first other
// one is left out. No timestamp is below 0: then everything comes later.
func TestEditLists(t *testing.T) {
	t.Parallel()
	const empty = 0xffffffff // media_time -1
	list := func(entries ...[]byte) []byte {
		return full("elst", 0, 0, be32(uint32(len(entries))), joined(entries))
	}
	entry := func(duration, begin uint32) []byte { return append(be32(duration, begin), be16(1, 0)...) }
	long := func(duration, begin uint64) []byte { return append(be64(duration, begin), be16(1, 0)...) }
	for _, c := range []struct {
		name         string
		video, audio []byte
		v, a         int64 // timestamps of the first messages
	}{
		{name: "none"},
		{name: "a list without entries", video: list()},
		{name: "a delay of the sound", audio: list(entry(250, empty), entry(5000, 0)), a: 250},
		{name: "two delays", video: list(entry(250, empty), entry(100, empty), entry(5000, 0)), v: 350},
		{name: "a beginning that is left out", video: list(entry(5000, 40)), a: 40},
		{name: "of both", video: list(entry(5000, 40)), audio: list(entry(5000, 4410)), v: 60, a: 0},
		{name: "a delay and a beginning", video: list(entry(250, empty), entry(5000, 40)), v: 210},
		{name: "only the first counts", video: list(entry(1000, 0), entry(250, empty), entry(1000, 500))},
		{name: "version 1", video: full("elst", 1, 0, be32(2), long(250, 1<<64-1), long(5000, 40)), v: 210},
		{name: "a day", video: list(entry(24*3600*1000, empty)), v: 24 * 3600 * 1000},
		{name: "a day less", audio: full("elst", 1, 0, be32(1), long(0, 44100*24*3600)), v: 24 * 3600 * 1000},
	} {
		rnd := rand.New(rand.NewPCG(1, 1))
		video := &filmTrack{handler: "vide", id: 1, scale: 1000, entry: avcEntry(t), samples: somePictures(rnd, 20, 1000), perChunk: []int{20}, edits: c.video}
		audio := &filmTrack{handler: "soun", id: 2, scale: 44100, entry: aacEntry(t), samples: someSounds(20), perChunk: []int{20}, edits: c.audio}
		f := openBytes(t, film(rnd, mvhd(5000), video, audio), MP4)
		same(t, c.name, messages(t, f), merged(video.playedAs(c.v), audio.playedAs(c.a)))
		if err := f.Seek(context.Background(), uint32(c.v)); err != nil {
			t.Fatal(err)
		}
		if tag, err := f.Next(); err != nil || tag.Type == flv.TagVideo && tag.Timestamp != uint32(c.v) {
			t.Errorf("%s: a seek to %d goes to %d, %v", c.name, c.v, tag.Timestamp, err)
		}
	}
	for name, edits := range map[string][]byte{
		"a day and 1 ms":      list(entry(24*3600*1000+1, empty)),
		"a day and 1 ms less": list(entry(0, 24*3600*1000+1)),
	} {
		rnd := rand.New(rand.NewPCG(1, 1))
		video := &filmTrack{handler: "vide", id: 1, scale: 1000, entry: avcEntry(t), samples: somePictures(rnd, 20, 1000), perChunk: []int{20}, edits: edits}
		refused(t, name, film(rnd, mvhd(5000), video), "moves a track by more than a day")
	}
}
