package mkv

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// An element is one of a file. at is where its ID stands.
type element struct {
	id      uint32
	at, end int
	body    []byte
	unknown bool
}

// elements are those of b, whose first byte is at base, as far as they are whole; one
// of unknown size goes to the end.
func elements(b []byte, base int) (out []element) {
	for at := 0; at < len(b); {
		e := element{at: base + at}
		n := 1
		for mask := byte(0x80); n <= 4 && b[at]&mask == 0; mask >>= 1 {
			n++
		}
		if at+n >= len(b) {
			return out
		}
		for _, c := range b[at : at+n] {
			e.id = e.id<<8 | uint32(c)
		}
		at += n
		n = 1
		for mask := byte(0x80); n <= 8 && b[at]&mask == 0; mask >>= 1 {
			n++
		}
		if at+n > len(b) {
			return out
		}
		size := uint64(b[at]) & (0xff >> n)
		ones := size == 0xff>>n
		for _, c := range b[at+1 : at+n] {
			size = size<<8 | uint64(c)
			ones = ones && c == 0xff
		}
		at += n
		switch {
		case ones:
			e.unknown, size = true, uint64(len(b)-at)
		case size > uint64(len(b)-at):
			return out
		}
		e.body = b[at : at+int(size)]
		at += int(size)
		e.end = base + at
		out = append(out, e)
	}
	return out
}

func child(es []element, id uint32) *element {
	if i := slices.IndexFunc(es, func(e element) bool { return e.id == id }); i >= 0 {
		return &es[i]
	}
	return nil
}

func number(e *element) (v uint64) {
	for _, c := range e.body {
		v = v<<8 | uint64(c)
	}
	return v
}

// A block is one that was written, or read back.
type block struct {
	kind media.Kind
	at   time.Duration
	key  bool
	data string
}

// read reads the blocks of a file, and checks what a finished one says of itself.
func read(t *testing.T, file []byte, finished bool) (out []block) {
	t.Helper()
	top := elements(file, 0)
	if len(top) < 2 || top[0].id != idEBML || top[1].id != idSegment {
		return nil
	}
	begin := top[1].end - len(top[1].body)
	inside := elements(top[1].body, begin)
	clusters := map[int]block{} // by where they stand: their first block
	for _, c := range inside {
		if c.id != idCluster {
			continue
		}
		es := elements(c.body, c.end-len(c.body))
		base := time.Duration(number(child(es, idTimestamp))) * time.Millisecond
		for _, e := range es {
			if e.id != idSimpleBlock {
				continue
			}
			b := block{kind: media.Kind(e.body[0]&0x7f - 1), at: base + time.Duration(int16(be.Uint16(e.body[1:])))*time.Millisecond, key: e.body[3]&0x80 != 0, data: string(e.body[4:])}
			if _, ok := clusters[c.at-begin]; !ok {
				clusters[c.at-begin] = b
			}
			out = append(out, b)
		}
	}
	if top[1].unknown == finished {
		t.Errorf("the size of the segment is unknown: %v", top[1].unknown)
	}
	if !finished {
		return out
	}
	for _, seek := range elements(child(inside, idSeekHead).body, 0) {
		parts := elements(seek.body, 0)
		id, at := uint32(number(child(parts, idSeekID))), int(number(child(parts, idSeekPosition)))
		if e := child(inside, id); e == nil || e.at-begin != at {
			t.Errorf("the seek head says that %x is at %d", id, at)
		}
	}
	duration := math.Float64frombits(number(child(elements(child(inside, idInfo).body, 0), idDuration)))
	last := time.Duration(0)
	for _, b := range out {
		last = max(last, b.at)
	}
	if d := time.Duration(duration*float64(time.Millisecond)) - last; d < 0 || d > 100*time.Millisecond {
		t.Errorf("duration %.1f ms, the last block is at %v", duration, last)
	}
	for _, point := range elements(child(inside, idCues).body, 0) {
		es := elements(point.body, 0)
		at := int(number(child(elements(child(es, idCuePositions).body, 0), idCueCluster)))
		if b, ok := clusters[at]; !ok || !b.key || b.at != time.Duration(number(child(es, idCueTime)))*time.Millisecond {
			t.Errorf("a cue of %d ms leads to kind %d at %v, keyframe %v", number(child(es, idCueTime)), b.kind, b.at, b.key)
		}
	}
	return out
}

// same compares what was read with the beginning of what was written.
func same(got, want []block) error {
	if len(got) > len(want) {
		return fmt.Errorf("%d blocks of %d", len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		if g.kind != w.kind || g.data != w.data || g.key != w.key || (g.at-w.at).Abs() > time.Millisecond {
			return fmt.Errorf("block %d is of kind %d at %v, want %d at %v", i, g.kind, g.at, w.kind, w.at)
		}
	}
	return nil
}

// Wherever a file that grows is cut off, the clusters before that are all there; and
// once it is finished its cues lead to keyframes.
func TestARecordingHasWhatWasWritten(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		file := new(mediatest.MemFile)
		if seed%3 == 0 {
			file.Room = 10_000 + rng.IntN(1_000_000)
		}
		packets := minute()
		n := 200 + rng.IntN(2000)
		gop := 1 + rng.IntN(90)
		var want []block
		r := NewRecording(file, time.Now(), packets[0].Track, packets[1].Track, nil)
		var err error
		for i, p := range packets[:n] {
			q := *p
			q.Data = make([]byte, 1+rng.IntN(1500))
			for j := range q.Data {
				q.Data[j] = byte(rng.Uint32())
			}
			at := q.DTS
			if q.Track.Kind == media.Video {
				q.Keyframe = i%gop == 0
				at += time.Duration(rng.IntN(3)) * 33 * time.Millisecond
			}
			if err = r.Write(&q, at); err != nil {
				break
			}
			want = append(want, block{q.Track.Kind, at.Round(time.Millisecond), q.Keyframe || q.Track.Kind == media.Audio, string(q.Data)})
		}
		for range 20 {
			if cut := rng.IntN(len(file.B) + 1); err == nil {
				if err := same(read(t, file.B[:cut], false), want); err != nil {
					t.Fatalf("seed %d, cut at %d: %v", seed, cut, err)
				}
			}
		}
		if err != nil {
			file.Room = 0
		}
		ferr := r.Finish()
		if len(file.B) == 0 {
			continue
		}
		finished := ferr == nil
		got := read(t, file.B, finished)
		if serr := same(got, want); serr != nil || err == nil && finished && len(got) != len(want) {
			t.Fatalf("seed %d: %d blocks of %d: %v; %v, %v", seed, len(got), len(want), serr, err, ferr)
		}
	}
}

// Steady recording allocates nothing.
func TestARecordingAllocatesNothing(t *testing.T) {
	packets := minute()
	r := NewRecording(nullFile{}, time.Now(), packets[0].Track, packets[1].Track, nil)
	i := 0
	write := func() {
		if err := r.Write(packets[i], packets[i].DTS); err != nil {
			t.Fatal(err)
		}
		i++
	}
	for range 1000 {
		write()
	}
	if n := testing.AllocsPerRun(2000, write); n > 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

// The cues of a recording of days are some of very many, evenly spread.
func TestCuesAreBounded(t *testing.T) {
	t.Parallel()
	var c cues
	for i := range 5 * maxCues {
		c.add(cue{time.Duration(i) * time.Second, int64(i)})
	}
	if len(c.all) > maxCues || len(c.all) < maxCues/2 {
		t.Errorf("%d cues", len(c.all))
	}
	for i := 1; i < len(c.all); i++ {
		if d := c.all[i].time - c.all[i-1].time; d != time.Duration(c.stride)*time.Second {
			t.Fatalf("cue %d is %v after the one before, want %d s", i, d, c.stride)
		}
	}
}
