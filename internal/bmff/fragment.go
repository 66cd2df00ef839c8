package bmff

import (
	"errors"
	"fmt"
	"io"
)

const (
	maxMoof            = 4 << 20 // bytes
	maxFragmentSamples = 1 << 16 // of all tracks
	// MaxTicks bounds timestamps: calculations with them do not overflow.
	MaxTicks = 1 << 52
)

// Defaults are what trex says of the samples of a track (§8.8.3).
type Defaults struct{ Duration, Size, Flags uint32 }

// A Sample is one of a fragment.
type Sample struct {
	At             int64 // in the file
	Size, Duration uint32
	DTS            uint64 // in the track's timescale
	CTS            int32  // PTS - DTS
	Sync           bool
}

// A TrackFragment is what a fragment has of a track (§8.8.6).
type TrackFragment struct {
	Track   uint32
	Timed   bool // it has a tfdt; without one DTS is 0
	Based   bool // it says where its data are in the file, not in the fragment
	DTS     uint64
	Samples []Sample
}

// End is the DTS of what has to follow.
func (t *TrackFragment) End() uint64 {
	if n := len(t.Samples); n > 0 {
		return t.Samples[n-1].DTS + uint64(t.Samples[n-1].Duration)
	}
	return t.DTS
}

// ReadFragment reads a moof (§8.8.4). Tracks for which defaults returns false are left
// out. tfdt comes before trun.
func ReadFragment(r io.ReaderAt, moof Box, defaults func(track uint32) (Defaults, bool)) (tracks []TrackFragment, err error) {
	if moof.Size() > maxMoof {
		return nil, fmt.Errorf("box \"moof\" of %d bytes, at most %d are read", moof.Size(), maxMoof)
	}
	total := 0
	err = Children(r, moof, func(traf Box) error {
		if traf.Kind != "traf" {
			return nil
		}
		t, ok, err := readTrackFragment(r, moof, traf, defaults, &total)
		if ok {
			tracks = append(tracks, t)
		}
		return err
	})
	return tracks, err
}

// Flags of tfhd and trun (§8.8.7, §8.8.8).
const (
	hasBase        = 1
	hasDescription = 2
	hasDuration    = 8
	hasSize        = 0x10
	hasFlags       = 0x20

	runOffset     = 1
	runFirstFlags = 4
	runDuration   = 0x100
	runSize       = 0x200
	runFlags      = 0x400
	runShift      = 0x800

	notSync = 0x10000
)

// A fields is what is left of a box's content.
type fields struct {
	b     []byte
	short bool
}

func (f *fields) uint32() uint32 {
	if len(f.b) < 4 {
		f.b, f.short = nil, true
		return 0
	}
	v := be.Uint32(f.b)
	f.b = f.b[4:]
	return v
}

func (f *fields) uint64() uint64 { return uint64(f.uint32())<<32 | uint64(f.uint32()) }

func (f *fields) optional(flags, flag, otherwise uint32) uint32 {
	if flags&flag == 0 {
		return otherwise
	}
	return f.uint32()
}

func readTrackFragment(r io.ReaderAt, moof, traf Box, defaults func(uint32) (Defaults, bool), total *int) (t TrackFragment, ok bool, err error) {
	var d Defaults
	base, data := moof.At, int64(-1)
	err = Children(r, traf, func(b Box) error {
		switch b.Kind {
		case "tfhd", "tfdt", "trun":
		default:
			return nil
		}
		c, err := Content(r, b, 4)
		if err != nil {
			return err
		}
		flags := be.Uint32(c) & 0xffffff
		x := &fields{b: c[4:]}
		switch b.Kind {
		case "tfhd":
			t.Track = x.uint32()
			if d, ok = defaults(t.Track); !ok {
				return nil
			}
			if t.Based = flags&hasBase != 0; t.Based {
				base = int64(x.uint64())
			}
			x.optional(flags, hasDescription, 0)
			d.Duration = x.optional(flags, hasDuration, d.Duration)
			d.Size = x.optional(flags, hasSize, d.Size)
			d.Flags = x.optional(flags, hasFlags, d.Flags)
		case "tfdt":
			t.Timed = true
			if c[0] == 1 {
				t.DTS = x.uint64()
			} else {
				t.DTS = uint64(x.uint32())
			}
		case "trun":
			if !ok {
				return nil
			}
			if data < 0 {
				data = base
			}
			data, err = t.readRun(x, flags, base, data, d, total)
			if err != nil {
				return err
			}
		}
		if x.short {
			return fmt.Errorf("box %q is too short", b.Kind)
		}
		return nil
	})
	return t, ok, err
}

// readRun reads a trun, whose samples are at data unless it says where.
func (t *TrackFragment) readRun(x *fields, flags uint32, base, data int64, d Defaults, total *int) (int64, error) {
	n := x.uint32()
	if flags&runOffset != 0 {
		data = base + int64(int32(x.uint32()))
	}
	first := x.optional(flags, runFirstFlags, d.Flags)
	each := int64(0)
	for _, flag := range []uint32{runDuration, runSize, runFlags, runShift} {
		if flags&flag != 0 {
			each += 4
		}
	}
	if *total += int(min(n, maxFragmentSamples+1)); *total > maxFragmentSamples || int64(n)*each > int64(len(x.b)) {
		return 0, fmt.Errorf("box \"trun\" says that it has %d samples", n)
	}
	dts := t.End()
	for i := range n {
		s := Sample{At: data, DTS: dts}
		s.Duration = x.optional(flags, runDuration, d.Duration)
		s.Size = x.optional(flags, runSize, d.Size)
		other := d.Flags
		if i == 0 {
			other = first
		}
		s.Sync = x.optional(flags, runFlags, other)&notSync == 0
		s.CTS = int32(x.optional(flags, runShift, 0))
		if data < 0 || dts > MaxTicks {
			return 0, errors.New("box \"trun\" has a sample where or when none can be")
		}
		t.Samples = append(t.Samples, s)
		data += int64(s.Size)
		dts += uint64(s.Duration)
	}
	return data, nil
}
