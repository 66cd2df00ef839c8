package mp4

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// same compares what was read with the beginning of what was written. Sound is at
// most a millisecond off: it is put on its grid of samples.
func same(got, want []sample) error {
	if len(got) > len(want) {
		return fmt.Errorf("%d samples of %d", len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		off := (g.dts - (w.dts - want[0].dts)).Abs()
		if g.data != w.data || g.sync != w.sync || (g.cts-w.cts).Abs() > time.Microsecond*20 || off > time.Millisecond || off > 20*time.Microsecond && w.kind == media.Video {
			return fmt.Errorf("sample %d at %v%+v sync %v, want %v%+v sync %v; data equal: %v", i, g.dts, g.cts, g.sync, w.dts, w.cts, w.sync, g.data == w.data)
		}
	}
	return nil
}

// readFragments reads the samples of a file that grows, as far as its fragments are
// whole, with another implementation.
func readFragments(t testing.TB, file []byte) (out [2][]sample) {
	t.Helper()
	var whole []byte
	var init fmp4.Init
	tops := boxes(file)
	for i, b := range tops {
		end := len(file)
		if i+1 < len(tops) {
			end = tops[i+1].at
		}
		switch {
		case b.kind == "moov":
			if err := init.Unmarshal(bytes.NewReader(file[:end])); err != nil {
				t.Fatal(err)
			}
		case b.kind == "moof" && i+1 < len(tops):
			mdat := tops[i+1]
			whole = file[b.at : mdat.at+8+len(mdat.body)]
			var parts fmp4.Parts
			if err := parts.Unmarshal(whole); err != nil {
				t.Fatal(err)
			}
			for _, tr := range parts[0].Tracks {
				kind := media.Kind(tr.ID - 1)
				scale := time.Duration(90000)
				for _, x := range init.Tracks {
					if x.ID == tr.ID {
						scale = time.Duration(x.TimeScale)
					}
				}
				at := time.Duration(tr.BaseTime)
				for _, s := range tr.Samples {
					out[kind] = append(out[kind], sample{kind, at * time.Second / scale, time.Duration(s.PTSOffset) * time.Second / scale, !s.IsNonSyncSample, string(s.Payload)})
					at += time.Duration(s.Duration)
				}
			}
		}
	}
	return out
}

// Wherever a file that grows is cut off, the fragments before that are all there;
// and once it is finished its tables name every sample that was written.
func TestARecordingHasWhatWasWritten(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		file := new(mediatest.MemFile)
		r := NewRecording(file, time.Unix(1_700_000_000, 0))
		s := newSource(t, seed)
		s.feed(t, r, 50+s.rng.IntN(2000))
		for range 20 {
			cut := s.rng.IntN(len(file.B) + 1)
			got := readFragments(t, file.B[:cut])
			for kind, g := range got {
				if err := same(g, s.of(media.Kind(kind))); err != nil {
					t.Fatalf("seed %d, cut at %d of %d, kind %d: %v", seed, cut, len(file.B), kind, err)
				}
			}
		}
		// A second and a frame is all that a crash takes.
		if got := readFragments(t, file.B); len(got[0]) > 0 && s.v-len(got[0]) > 27 || s.a-len(got[1]) > 46 {
			t.Errorf("seed %d: %d pictures of %d and %d sounds of %d are in the file", seed, len(got[0]), s.v, len(got[1]), s.a)
		}
		if err := r.Finish(); err != nil {
			t.Fatal(err)
		}
		got := readTables(t, file.B)
		for kind, g := range got {
			want := s.of(media.Kind(kind))
			if err := same(g, want); err != nil || len(g) != len(want) {
				t.Fatalf("seed %d, kind %d: %d samples of %d: %v", seed, kind, len(g), len(want), err)
			}
		}
		if r.Size() != int64(len(file.B)) {
			t.Errorf("size %d, the file has %d", r.Size(), len(file.B))
		}
	}
}

// The index of a long recording is in the file, not in memory.
func TestTheIndexOfALongRecordingIsInTheFile(t *testing.T) {
	t.Parallel()
	file := new(mediatest.MemFile)
	r := NewRecording(file, time.Now())
	s := newSource(t, 7)
	s.feed(t, r, 60_000)
	for _, tr := range r.tracks {
		if len(tr.index.list) > spillAt+4096 || len(tr.index.spilled) == 0 {
			t.Errorf("%d bytes in memory, %d parts in the file", len(tr.index.list), len(tr.index.spilled))
		}
	}
	if err := r.Finish(); err != nil {
		t.Fatal(err)
	}
	got := readTables(t, file.B)
	for kind, g := range got {
		if err := same(g, s.of(media.Kind(kind))); err != nil || len(g) != len(s.of(media.Kind(kind))) {
			t.Errorf("kind %d: %d samples: %v", kind, len(g), err)
		}
	}
}

// A disk that is full leaves the fragments before, finished if there is room.
func TestAFullDiskLeavesWholeFragments(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	for range rounds {
		file := &mediatest.MemFile{Room: 500 + rng.IntN(1_500_000)}
		r := NewRecording(file, time.Now())
		s := newSource(t, rng.Uint64())
		var err error
		for range 1000 {
			p := s.next()
			s.wrote = append(s.wrote, sample{p.Track.Kind, p.DTS, p.CTS, p.Keyframe || p.Track == s.audio, string(p.Data)})
			if err = r.Write(p); err != nil {
				break
			}
		}
		if err != nil {
			if r.Write(s.next()) == nil {
				t.Fatal("it goes on after an error")
			}
			if rng.IntN(2) == 0 {
				file.Room = 0 // somebody made room
			}
		}
		err = r.Finish()
		var got [2][]sample
		if top := boxes(file.B); err == nil && len(top) == 3 {
			got = readTables(t, file.B)
		} else {
			got = readFragments(t, file.B)
		}
		if n := len(boxes(file.B)); n > 0 {
			if last := boxes(file.B)[n-1]; last.at+8+len(last.body) != len(file.B) && last.kind != "mdat" {
				t.Errorf("the file ends in the middle of a box")
			}
		}
		for kind, g := range got {
			if err := same(g, s.of(media.Kind(kind))); err != nil {
				t.Errorf("kind %d: %v", kind, err)
			}
		}
	}
}

// Steady recording allocates nothing: a second of it is one write of a buffer.
func TestARecordingAllocatesNothing(t *testing.T) {
	file := &nullFile{}
	r := NewRecording(file, time.Now())
	s := newSource(t, 3)
	packets := make([]*media.Packet, 4000)
	for i := range packets {
		packets[i] = s.next()
	}
	for _, p := range packets[:2000] {
		if err := r.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	i := 2000
	if n := testing.AllocsPerRun(1900, func() {
		if err := r.Write(packets[i]); err != nil {
			t.Fatal(err)
		}
		i++
	}); n > 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

type nullFile struct{ mediatest.MemFile }

func (n *nullFile) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// The index is read back from the file, where anybody may have written: whatever
// stands there, it is read or refused.
func FuzzIndex(f *testing.F) {
	var x index
	x.add(entry{place: 100, size: 7, dts: 0, sync: true})
	x.add(entry{place: 107, size: 300, dts: 3600, offset: -7200})
	x.add(entry{place: 5000, size: 1 << 20, dts: 7200, offset: 7200})
	f.Add(x.list)
	f.Fuzz(func(t *testing.T, list []byte) {
		fuzztime.Bound(t)
		n, y := 0, index{}
		err := (&index{}).decode(list, func(entry) error { n++; return nil })
		if n > len(list)/3 {
			t.Fatalf("%d samples in %d bytes", n, len(list))
		}
		if err != nil {
			return
		}
		// What is read is written alike, and read again.
		if err := (&index{}).decode(list, func(e entry) error { y.add(e); return nil }); err != nil {
			t.Fatal(err)
		}
		m := 0
		if err := (&index{}).decode(y.list, func(entry) error { m++; return nil }); err != nil || m != n {
			t.Fatalf("%d samples of %d: %v", m, n, err)
		}
	})
}
