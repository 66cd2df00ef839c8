package vod

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/flv"
)

// flvFileOf is an FLV file with these tags (annex E.2 to E.4).
func flvFileOf(tags ...flv.FileTag) []byte {
	b := []byte("FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00")
	for _, t := range tags {
		n, ts := len(t.Body), t.Timestamp
		b = append(b, t.Type, byte(n>>16), byte(n>>8), byte(n), byte(ts>>16), byte(ts>>8), byte(ts), byte(ts>>24), 0, 0, 0)
		b = append(b, t.Body...)
		b = append(b, be32(uint32(11+n))...)
	}
	return b
}

// What a message is to a player that begins in the middle (annex E.4.2, E.4.3; Enhanced
// RTMP v2).
func TestKindsOfMessages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ  uint8
		body string // hex
		want kind
	}{
		{flv.TagVideo, "17 00", isHeader},
		{flv.TagVideo, "17 01", isKeyframe},
		{flv.TagVideo, "17 02", isOther}, // end of sequence
		{flv.TagVideo, "27 01", isOther},
		{flv.TagVideo, "27 00", isHeader},
		{flv.TagVideo, "1c 00", isHeader},
		{flv.TagVideo, "1c 01", isKeyframe},
		{flv.TagVideo, "2c 01", isOther},
		{flv.TagVideo, "12 00", isKeyframe},
		{flv.TagVideo, "22 00", isOther}, // H.263
		{flv.TagVideo, "57 00", isHeader},
		{flv.TagVideo, "52 00", isOther},
		{flv.TagVideo, "90 61", isHeader},
		{flv.TagVideo, "91 61", isKeyframe},
		{flv.TagVideo, "93 61", isKeyframe},
		{flv.TagVideo, "a1 61", isOther},
		{flv.TagVideo, "96 00", isHeader},
		{flv.TagVideo, "96 10", isHeader},
		{flv.TagVideo, "96 11", isKeyframe},
		{flv.TagVideo, "a6 01", isOther},
		{flv.TagAudio, "af 00", isHeader},
		{flv.TagAudio, "af 01", isSound},
		{flv.TagAudio, "2f 00", isSound},
		{flv.TagAudio, "90 4f", isHeader},
		{flv.TagAudio, "91 4f", isSound},
		{flv.TagAudio, "95 00", isHeader},
		{flv.TagAudio, "95 10", isHeader},
		{flv.TagAudio, "95 01", isSound},
		{flv.TagAudio, "96 00", isSound},
		{flv.TagScript, "02 00", isOther},
		{flv.TagVideo, "17", isOther},
		{flv.TagAudio, "2f", isOther},
		{flv.TagAudio, "", isOther},
	} {
		b := unhex(t, c.body)
		if got := kindOf(c.typ, b); got != c.want {
			t.Errorf("type %d, %s: %d, want %d", c.typ, c.body, got, c.want)
		}
		if got := IsHeader(flv.FileTag{Type: c.typ, Body: b}); got != (c.want == isHeader) {
			t.Errorf("type %d, %s: a header %t", c.typ, c.body, got)
		}
	}
}

// A tape is what a test's FLV file has, and what a seek in it comes to: the message
// that playing goes on with and the headers that it needs.
type tape struct {
	tags []flv.FileTag
}

func (x *tape) put(typ uint8, ms uint32, body ...byte) {
	x.tags = append(x.tags, flv.FileTag{Type: typ, Timestamp: ms, Body: body})
}

// sought says where a seek goes, and the headers of the tracks before it; those before
// the first 64 tags' end are in force from the beginning.
func (x *tape) sought(ms uint32, video bool) (at int, headers []string) {
	for i, tag := range x.tags {
		k := kindOf(tag.Type, tag.Body)
		begins := k == isKeyframe || k == isSound && !video
		if begins && tag.Timestamp > ms {
			break
		}
		if begins {
			at = i
		}
	}
	force := make(map[string]string)
	var order []string
	note := func(tags []flv.FileTag) {
		for _, tag := range tags {
			if kindOf(tag.Type, tag.Body) != isHeader {
				continue
			}
			track := fmt.Sprint(tag.Type)
			if b := tag.Body; tag.Type == flv.TagVideo && b[0]&0x8f == 0x86 || tag.Type == flv.TagAudio && b[0] == 0x95 {
				track += string(b[:7])
			}
			if _, known := force[track]; !known {
				order = append(order, track)
			}
			force[track] = string(tag.Body)
		}
	}
	note(x.tags[:max(at, min(64, len(x.tags)))])
	if at > 64 {
		clear(force)
		order = nil
		note(x.tags[:at])
	}
	for _, track := range order {
		headers = append(headers, force[track])
	}
	slices.Sort(headers)
	return at, headers
}

// A seek finds its keyframe and the headers in force, in a file without an index,
// whatever is in it and in whatever order it is sought.
func TestSeekFindsKeyframesAndHeaders(t *testing.T) {
	t.Parallel()
	for seed := range uint64(80) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		x := &tape{}
		video := seed%4 != 0
		n := byte(0)
		ms := uint32(0)
		head := func() {
			n++
			switch k := rnd.IntN(5); {
			case k == 0 && video:
				x.put(flv.TagVideo, ms, 0x96, 0x00, 'h', 'v', 'c', '1', n%3, n)
			case k == 1:
				x.put(flv.TagAudio, ms, 0x95, 0x00, 'O', 'p', 'u', 's', n%3, n)
			case k < 4 && video:
				x.put(flv.TagVideo, ms, 0x17, 0, 0, 0, 0, n)
			default:
				x.put(flv.TagAudio, ms, 0xaf, 0, n)
			}
		}
		first := rnd.IntN(3) > 0 // else the headers come late
		if first {
			x.put(flv.TagAudio, 0, 0xaf, 0, 200)
		}
		if video {
			if first {
				x.put(flv.TagVideo, 0, 0x17, 0, 0, 0, 0, 201)
			}
			x.put(flv.TagVideo, 0, 0x17, 1, 0, 0, 0, 1)
		}
		for i := range 300 {
			ms += rnd.Uint32N(60)
			if rnd.IntN(25) == 0 && (first || i > 100) {
				head()
			}
			if video {
				key := byte(0x27)
				if rnd.IntN(12) == 0 {
					key = 0x17
				}
				x.put(flv.TagVideo, ms, key, 1, 0, 0, 0, byte(i))
			}
			x.put(flv.TagAudio, ms, 0xaf, 1, byte(i))
		}
		f := openBytes(t, flvFileOf(x.tags...), FLV)
		if got := f.Duration(); got != ms {
			t.Errorf("seed %d: it lasts %d ms, want %d", seed, got, ms)
		}
		for range 25 {
			to := rnd.Uint32N(ms + 100)
			if err := f.Seek(context.Background(), to); err != nil {
				t.Fatal(err)
			}
			at, headers := x.sought(to, video)
			var got []string
			for _, h := range f.Headers() {
				got = append(got, string(h.Body))
			}
			slices.Sort(got)
			if !slices.Equal(got, headers) {
				t.Errorf("seed %d: a seek to %d has the headers %x, want %x", seed, to, got, headers)
				return
			}
			if rnd.IntN(2) == 0 { // else the next seek begins at once
				some := []flv.FileTag{}
				for range min(20, len(x.tags)-at) {
					tag, err := f.Next()
					if err != nil {
						t.Fatal(err)
					}
					tag.Body = bytes.Clone(tag.Body)
					some = append(some, tag)
				}
				if !same(t, fmt.Sprintf("seed %d: a seek to %d", seed, to), some, x.tags[at:at+len(some)]) {
					return
				}
			}
		}
	}
}

// Headers of up to 64 KiB are kept, of 16 tracks.
func TestHowManyHeadersAreKept(t *testing.T) {
	t.Parallel()
	x := &tape{}
	for i := range byte(20) {
		x.put(flv.TagVideo, 0, 0x96, 0x00, 'h', 'v', 'c', '1', i, i)
	}
	x.put(flv.TagVideo, 0, 0x91, 'h', 'v', 'c', '1')
	if n := len(openBytes(t, flvFileOf(x.tags...), FLV).Headers()); n != 16 {
		t.Errorf("%d headers, want 16", n)
	}
	for size, want := range map[int]int{64 << 10: 1, 64<<10 + 1: 0} {
		x := &tape{}
		x.put(flv.TagVideo, 0, append([]byte{0x17, 0, 0, 0, 0}, make([]byte, size-5)...)...)
		x.put(flv.TagVideo, 0, 0x17, 1, 0, 0, 0)
		f := openBytes(t, flvFileOf(x.tags...), FLV)
		if n := len(f.Headers()); n != want {
			t.Errorf("a header of %d bytes: %d are kept, want %d", size, n, want)
		}
		// Also where a seek finds it.
		x = &tape{}
		for i := range uint32(100) {
			x.put(flv.TagVideo, i, 0x17, 1, 0, 0, 0)
		}
		x.put(flv.TagVideo, 100, append([]byte{0x17, 0, 0, 0, 0}, make([]byte, size-5)...)...)
		x.put(flv.TagVideo, 100, 0x17, 1, 0, 0, 0)
		f = openBytes(t, flvFileOf(x.tags...), FLV)
		if err := f.Seek(context.Background(), 200); err != nil {
			t.Fatal(err)
		}
		if n := len(f.Headers()); n != want {
			t.Errorf("a header of %d bytes, sought: %d are kept, want %d", size, n, want)
		}
	}
}

// Where an FLV file is not one, or has nothing to play.
func TestFLVFilesThatCantBePlayed(t *testing.T) {
	t.Parallel()
	media := flvFileOf(flv.FileTag{Type: flv.TagAudio, Body: []byte{0xaf, 1, 2}})
	for name, c := range map[string]struct {
		b   []byte
		why string
	}{
		"nothing":       {nil, "it is too short for an FLV file"},
		"eight bytes":   {media[:8], "it is too short for an FLV file"},
		"nine bytes":    {media[:9], "it has no media"},
		"another file":  {bytes.Repeat([]byte("x"), 100), "not an FLV file"},
		"a script only": {flvFileOf(flv.FileTag{Type: flv.TagScript, Body: []byte{2, 0, 0}}), "it has no media"},
		"no tag":        {flvFileOf(), "it has no media"},
		"encrypted":     {flvFileOf(flv.FileTag{Type: flv.TagVideo | 0x20, Body: []byte{1, 2}}), "encrypted tag"},
	} {
		_, err := read(memFile{bytes.NewReader(c.b)}, FLV, nil)
		if err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v, want %s", name, err, c.why)
		}
	}
}

// The duration is what onMetaData says, or the last tag by the size that stands behind
// it; a file that was cut off has none.
func TestHowLongAnFLVFileIs(t *testing.T) {
	t.Parallel()
	script := func(props ...amf.Property) flv.FileTag {
		return flv.FileTag{Type: flv.TagScript, Body: message(props)}
	}
	sound := func(ms uint32) flv.FileTag {
		return flv.FileTag{Type: flv.TagAudio, Timestamp: ms, Body: []byte{0xaf, 1, 2}}
	}
	var tags []flv.FileTag
	for i := range uint32(100) { // more than are looked at in the beginning
		tags = append(tags, sound(i*10))
	}
	plain := flvFileOf(append(tags, sound(0x01020304))...)
	changed := func(at int, v byte) []byte {
		b := bytes.Clone(plain)
		b[len(b)+at] = v
		return b
	}
	for name, c := range map[string]struct {
		b    []byte
		want uint32
	}{
		"the last tag":            {plain, 0x01020304},
		"without its size":        {plain[:len(plain)-4], 0},
		"cut off":                 {plain[:len(plain)-1], 0},
		"a size that is too much": {changed(-1, 200), 0},
		"of another tag":          {changed(-1, 15), 0},
		"encrypted":               {changed(-18, 0x28), 0},
		"onMetaData":              {flvFileOf(script(amf.Property{Name: "duration", Value: 12.3456}), sound(7)), 12346},
		"of 0":                    {flvFileOf(script(amf.Property{Name: "duration", Value: 0.0}), sound(7)), 7},
		"below 0":                 {flvFileOf(script(amf.Property{Name: "duration", Value: -5.0}), sound(7)), 7},
		"beyond 2^32 ms":          {flvFileOf(script(amf.Property{Name: "duration", Value: 4294967.5}), sound(7)), 7},
		"a text":                  {flvFileOf(script(amf.Property{Name: "duration", Value: "12"}), sound(7)), 7},
		"only the first counts":   {flvFileOf(script(amf.Property{Name: "duration", Value: 1.0}), script(amf.Property{Name: "duration", Value: 2.0}), sound(7)), 1000},
		"another message":         {flvFileOf(flv.FileTag{Type: flv.TagScript, Body: amf.Append(amf.Append(nil, "onCuePoint"), amf.ECMAArray{{Name: "duration", Value: 3.0}})}, sound(7)), 7},
	} {
		f := openBytes(t, c.b, FLV)
		if got := f.Duration(); got != c.want {
			t.Errorf("%s: %d ms, want %d", name, got, c.want)
		}
		if got := described(t, f.Metadata()).Get("duration"); got != float64(c.want)/1000 {
			t.Errorf("%s: onMetaData says %v", name, got)
		}
		if int64(len(c.b)) != f.Size() {
			t.Errorf("%s: %d bytes", name, f.Size())
		}
	}
}

// What onMetaData says goes to players, without what is for readers of files.
func TestMetadataOfAnFLVFile(t *testing.T) {
	t.Parallel()
	in := amf.ECMAArray{
		{Name: "width", Value: 640.0},
		{Name: "duration", Value: 2.0},
		{Name: "filesize", Value: 99.0},
		{Name: "lastkeyframelocation", Value: 1.0},
		{Name: "keyframes", Value: amf.Object{}},
		{Name: "filler", Value: "xx"},
		{Name: "title", Value: "A film"},
	}
	b := flvFileOf(flv.FileTag{Type: flv.TagScript, Body: message(in)}, flv.FileTag{Type: flv.TagAudio, Body: []byte{0xaf, 1, 2}})
	o := described(t, openBytes(t, b, FLV).Metadata())
	if len(o) != 3 || o.Get("duration") != 2.0 || o.Get("width") != 640.0 || o.Get("title") != "A film" {
		t.Errorf("%v", o)
	}
	// Of a megabyte it is read, of more it is not.
	for pad, want := range map[int]int{0: 2, 1: 1} {
		long := message(amf.ECMAArray{{Name: "a", Value: "b"}, {Name: "filler", Value: ""}})
		text := strings.Repeat("x", 1<<20-len(long)-2+pad)
		long = message(amf.ECMAArray{{Name: "a", Value: "b"}, {Name: "filler", Value: text}})
		if len(long) != 1<<20+pad {
			t.Fatalf("%d bytes", len(long))
		}
		b := flvFileOf(flv.FileTag{Type: flv.TagScript, Body: long}, flv.FileTag{Type: flv.TagAudio, Body: []byte{0xaf, 1, 2}})
		if o := described(t, openBytes(t, b, FLV).Metadata()); len(o) != want {
			t.Errorf("%d bytes: %d properties, want %d", len(long), len(o), want)
		}
	}
}

// An index of keyframes is used where its places hold keyframes of these times, and
// no further.
func TestAnIndexIsUsedAsFarAsItIsRight(t *testing.T) {
	t.Parallel()
	const n, frames = 300, 10 // keyframes, and what follows each
	build := func(times, places func(i int, at int64) any) []byte {
		var index []byte
		var at []int64
		for pass := range 2 {
			var ts, ps amf.StrictArray
			for i := range n {
				place := int64(0)
				if pass > 0 {
					place = at[i]
				}
				ts, ps = append(ts, times(i, place)), append(ps, places(i, place))
			}
			index = message(amf.ECMAArray{{Name: "keyframes", Value: amf.Object{{Name: "times", Value: ts}, {Name: "filepositions", Value: ps}}}})
			at = at[:0]
			where := int64(13 + 11 + len(index) + 4)
			for range n {
				at = append(at, where)
				where += (frames + 1) * (11 + 205 + 4)
			}
		}
		tags := []flv.FileTag{{Type: flv.TagScript, Body: index}}
		for i := range n {
			tags = append(tags, flv.FileTag{Type: flv.TagVideo, Timestamp: uint32(i * 2000), Body: picture(true)})
			for k := range frames {
				tags = append(tags, flv.FileTag{Type: flv.TagVideo, Timestamp: uint32(i*2000 + 100*(k+1)), Body: append(picture(false), make([]byte, 100)...)})
			}
		}
		return flvFileOf(tags...)
	}
	seconds := func(i int, _ int64) any { return float64(i) * 2 }
	right := func(_ int, at int64) any { return float64(at) }
	for name, c := range map[string]struct {
		times, places func(i int, at int64) any
		cheap         bool
	}{
		"right":                     {seconds, right, true},
		"a second off":              {func(i int, _ int64) any { return float64(i)*2 + 1 }, right, true},
		"more than a second off":    {func(i int, _ int64) any { return float64(i)*2 + 1.001 }, right, false},
		"of the frames between":     {seconds, func(_ int, at int64) any { return float64(at + 220) }, false},
		"a byte off":                {seconds, func(_ int, at int64) any { return float64(at + 1) }, false},
		"before the first tag":      {func(int, int64) any { return 0.001 }, func(int, int64) any { return 5.0 }, false},
		"texts":                     {seconds, func(int, int64) any { return "x" }, false},
		"of infinity":               {seconds, func(_ int, at int64) any { return float64(at) * 1e300 }, false},
		"below 0":                   {seconds, func(_ int, at int64) any { return -float64(at) }, false},
		"times that do not go up":   {func(int, int64) any { return 1.0 }, right, false},
		"times that nobody can use": {func(int, int64) any { return nil }, right, false},
	} {
		b := build(c.times, c.places)
		counted := &countedFile{Reader: bytes.NewReader(b)}
		f, err := read(counted, FLV, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range []int{n - 10, 3, n / 2} {
			counted.reads = 0
			if err := f.Seek(context.Background(), uint32(to*2000+1500)); err != nil {
				t.Fatal(err)
			}
			reads := counted.reads
			tag, err := f.Next()
			if err != nil || tag.Timestamp != uint32(to*2000) {
				t.Errorf("%s: a seek to %d goes to %d, %v", name, to*2000, tag.Timestamp, err)
			}
			if cheap := reads < 3*n; to == n-10 && cheap != c.cheap { // two for each keyframe; else one for each frame
				t.Errorf("%s: %d reads", name, reads)
			}
		}
	}
}

// Many keyframes are thinned out: those that stay are evenly apart, and a seek still
// finds the right one.
func TestManyKeyframesAreThinnedOut(t *testing.T) {
	t.Parallel()
	var p places
	for i := range 100_000 {
		p.add(uint32(i*10), int64(100+i))
		if len(p.list) > maxPlaces {
			t.Fatalf("%d are kept", len(p.list))
		}
	}
	if n := len(p.list); n < maxPlaces/4 || p.list[0].ms != 0 {
		t.Errorf("%d are kept, from %d on", n, p.list[0].ms)
	}
	for i, k := range p.list {
		if int64(k.ms/10) != k.at-100 || i > 0 && k.ms-p.list[i-1].ms < p.gap {
			t.Fatalf("place %d: %+v, the gap is %d", i, k, p.gap)
		}
	}
	if last := p.list[len(p.list)-1]; 999_990-last.ms > 2*p.gap {
		t.Errorf("the last is at %d", last.ms)
	}
	for _, ms := range []uint32{0, 5, 777_777, 1 << 31} {
		k, ok := p.before(ms)
		if !ok || k.ms > ms || ms < 900_000 && ms-k.ms > p.gap+10 {
			t.Errorf("before %d: %+v, %t", ms, k, ok)
		}
	}
	p = places{}
	p.add(100, 50)
	p.add(100, 60)
	p.add(90, 70)
	p.add(200, 50)
	p.add(200, 40)
	if len(p.list) != 1 {
		t.Errorf("%v", p.list)
	}
	if _, ok := p.before(99); ok {
		t.Error("there is none before the first")
	}
	if k, ok := p.before(100); !ok || k.at != 50 {
		t.Errorf("%+v, %t", k, ok)
	}
}

// A message of a megabyte is read into a buffer of its own; afterwards the buffer is a
// small one again.
func TestLargeMessagesAreNotKept(t *testing.T) {
	t.Parallel()
	big := append([]byte{0x27, 1, 0, 0, 0}, bytes.Repeat([]byte{7}, 3<<20)...)
	small := flv.FileTag{Type: flv.TagVideo, Timestamp: 40, Body: []byte{0x17, 1, 0, 0, 0, 1}}
	f := openBytes(t, flvFileOf(small, flv.FileTag{Type: flv.TagVideo, Timestamp: 80, Body: big}, small), FLV)
	got := messages(t, f)
	if len(got) != 3 || !bytes.Equal(got[1].Body, big) {
		t.Errorf("%d messages", len(got))
	}
	if n := cap(f.(*flvFile).body); n > maxKept {
		t.Errorf("%d bytes are kept", n)
	}
	if _, err := f.Next(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	film := &filmTrack{handler: "vide", id: 1, scale: 1000, entry: avcEntry(t), perChunk: []int{3}, samples: []filmSample{{40, 0, true, []byte("a")}, {40, 0, false, big}, {40, 0, false, []byte("b")}}}
	m := openBytes(t, filmOf(film), MP4)
	if got := messages(t, m); len(got) != 3 || !bytes.Equal(got[1].Body[5:], big) || string(got[2].Body[5:]) != "b" {
		t.Errorf("%d messages", len(got))
	}
	if n := cap(m.(*mp4File).body); n > maxKept {
		t.Errorf("%d bytes are kept", n)
	}
}

func filmOf(tracks ...*filmTrack) []byte {
	return film(rand.New(rand.NewPCG(1, 1)), mvhd(0), tracks...)
}
