package bmff

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

func make32(v ...uint32) (b []byte) {
	for _, x := range v {
		b = be.AppendUint32(b, x)
	}
	return b
}

func makeBox(kind string, content ...[]byte) []byte {
	body := bytes.Join(content, nil)
	return append(append(make32(uint32(8+len(body))), kind...), body...)
}

// readFirst reads the first moof of b, with defaults for track 1.
func readFirst(b []byte, d Defaults) ([]TrackFragment, error) {
	r := bytes.NewReader(b)
	moof, err := At(r, 0, int64(len(b)))
	if err != nil {
		return nil, err
	}
	return ReadFragment(r, moof, func(id uint32) (Defaults, bool) { return d, id == 1 })
}

func TestFragmentsGoByTheirDefaults(t *testing.T) {
	t.Parallel()
	b := makeBox(
		"moof",
		makeBox("mfhd", make32(0, 1)),
		makeBox(
			"traf",
			makeBox("tfhd", make32(0x20000|hasSize, 1, 100)),
			makeBox("tfdt", make32(1<<24, 0, 9000)),
			makeBox("trun", make32(1<<24|runOffset|runFirstFlags|runShift, 3, 500, 0, 7, 0xffffffff, 9)),
			makeBox("trun", make32(runDuration, 1, 42)),
		),
		makeBox("traf", makeBox("tfhd", make32(0, 2)), makeBox("trun", make32(0, 1))),
	)
	tracks, err := readFirst(b, Defaults{Duration: 3000, Size: 1, Flags: notSync})
	if err != nil || len(tracks) != 1 {
		t.Fatalf("%d tracks, %v", len(tracks), err)
	}
	f := tracks[0]
	if !f.Timed || f.DTS != 9000 || f.End() != 9000+3*3000+42 || len(f.Samples) != 4 {
		t.Fatalf("%+v ends at %d", f, f.End())
	}
	want := []Sample{
		{At: 500, Size: 100, Duration: 3000, DTS: 9000, CTS: 7, Sync: true},
		{At: 600, Size: 100, Duration: 3000, DTS: 12000, CTS: -1},
		{At: 700, Size: 100, Duration: 3000, DTS: 15000, CTS: 9},
		{At: 800, Size: 100, Duration: 42, DTS: 18000},
	}
	for i := range want {
		if f.Samples[i] != want[i] {
			t.Errorf("sample %d is %+v, want %+v", i, f.Samples[i], want[i])
		}
	}
}

func TestBoxesAreBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"no header", []byte{0, 0, 0}, io.EOF},
		{"a box longer than the file", append(make32(100), "moof"...), io.ErrUnexpectedEOF},
	} {
		if _, err := readFirst(c.b, Defaults{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	many := makeBox("moof", makeBox("traf", makeBox("tfhd", make32(0, 1)), makeBox("trun", make32(0, 1<<20))))
	if tracks, err := readFirst(many, Defaults{}); err == nil {
		t.Errorf("a million samples without a byte: %d tracks", len(tracks))
	}
	if _, err := readFirst(append(make32(4), "moof"...), Defaults{}); err == nil {
		t.Error("a box of 4 bytes is read")
	}
}

// Whatever the boxes are, reading ends, and samples are bounded.
func FuzzFragment(f *testing.F) {
	f.Add(makeBox("moof", makeBox("traf", makeBox("tfhd", make32(0, 1)), makeBox("tfdt", make32(0, 5)), makeBox("trun", make32(runDuration, 2, 7, 8)))))
	f.Add(makeBox(
		"moov", makeBox("mvhd", make32(0, 0, 0, 1000, 0)),
		makeBox("trak", makeBox("tkhd", make32(0, 0, 0, 1, 0, 0)), makeBox("mdia", makeBox("mdhd", make32(0, 0, 0, 90000, 0)), makeBox("hdlr", make32(0, 0), []byte("vide"), make32(0, 0, 0)))),
		makeBox("mvex", makeBox("trex", make32(0, 1, 1, 2, 3, 4))),
	))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztime.Bound(t)
		r := bytes.NewReader(b)
		box, err := At(r, 0, int64(len(b)))
		if err != nil {
			return
		}
		m, _ := ReadMovie(r, box)
		tracks, _ := ReadFragment(r, box, func(id uint32) (Defaults, bool) {
			d, ok := m.DefaultsOf(id)
			return d, ok || id == 1
		})
		n := 0
		for _, x := range tracks {
			n += len(x.Samples)
			if len(x.Samples) > 0 && x.End() < x.DTS {
				t.Errorf("from %d to %d", x.DTS, x.End())
			}
		}
		if n > maxFragmentSamples || len(m.Tracks) > maxTracks {
			t.Errorf("%d samples, %d tracks", n, len(m.Tracks))
		}
		_, _, _ = ReadESDS(b)
	})
}
