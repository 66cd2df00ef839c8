package bmff

import (
	"fmt"
	"io"
)

const maxTracks = 64

// A Movie is what moov says (ISO 14496-12 §8.2.1).
type Movie struct {
	Scale      uint32
	Duration   uint64
	Fragmented bool
	Tracks     []Track
}

// A Track is what trak says (§8.3.1), and trex (§8.8.3).
type Track struct {
	ID       uint32
	Scale    uint32
	Handler  string // "vide", "soun", …
	Tables   Box    // stbl; without a Kind: there is none
	Edits    Box    // elst
	Defaults Defaults
}

// ReadMovie reads moov.
func ReadMovie(r io.ReaderAt, moov Box) (m Movie, err error) {
	var extends []Box
	err = Children(r, moov, func(b Box) error {
		switch b.Kind {
		case "mvhd":
			m.Scale, m.Duration, err = readTimes(r, b)
			return err
		case "trak":
			if len(m.Tracks) == maxTracks {
				return nil
			}
			t, err := readTrack(r, b)
			m.Tracks = append(m.Tracks, t)
			return err
		case "mvex":
			m.Fragmented = true
			extends = append(extends[:0], b)
		}
		return nil
	})
	if err != nil || len(extends) == 0 {
		return m, err
	}
	return m, Children(r, extends[0], m.readDefaults(r))
}

// DefaultsOf finds the defaults of a track.
func (m *Movie) DefaultsOf(track uint32) (Defaults, bool) {
	for i := range m.Tracks {
		if m.Tracks[i].ID == track {
			return m.Tracks[i].Defaults, true
		}
	}
	return Defaults{}, false
}

// readDefaults reads a trex (§8.8.3).
func (m *Movie) readDefaults(r io.ReaderAt) func(Box) error {
	return func(b Box) error {
		if b.Kind != "trex" {
			return nil
		}
		c, err := Content(r, b, 24)
		if err != nil {
			return err
		}
		for i := range m.Tracks {
			if t := &m.Tracks[i]; t.ID == be.Uint32(c[4:]) {
				t.Defaults = Defaults{Duration: be.Uint32(c[12:]), Size: be.Uint32(c[16:]), Flags: be.Uint32(c[20:])}
			}
		}
		return nil
	}
}

// readTimes reads timescale and duration of mvhd (§8.2.2) or mdhd (§8.4.2):
//
//	version(8) flags(24) creation(32|64) modification(32|64) timescale(32) duration(32|64)
func readTimes(r io.ReaderAt, b Box) (timescale uint32, duration uint64, err error) {
	c, err := Content(r, b, 20)
	if err != nil {
		return 0, 0, err
	}
	if c[0] == 1 {
		if len(c) < 32 {
			return 0, 0, fmt.Errorf("box %q is too short", b.Kind)
		}
		timescale, duration = be.Uint32(c[20:]), be.Uint64(c[24:])
		if duration == 1<<64-1 {
			duration = 0
		}
		return timescale, duration, nil
	}
	timescale, duration = be.Uint32(c[12:]), uint64(be.Uint32(c[16:]))
	if duration == 1<<32-1 {
		duration = 0
	}
	return timescale, duration, nil
}

// readTrack reads trak.
func readTrack(r io.ReaderAt, trak Box) (t Track, err error) {
	err = descend(r, trak, func(b Box) error {
		switch b.Kind {
		case "tkhd":
			c, err := Content(r, b, 24)
			if err != nil {
				return err
			}
			if t.ID = be.Uint32(c[12:]); c[0] == 1 {
				t.ID = be.Uint32(c[20:])
			}
		case "mdhd":
			var err error
			if t.Scale, _, err = readTimes(r, b); err != nil {
				return err
			}
		case "hdlr":
			c, err := Content(r, b, 12)
			if err != nil {
				return err
			}
			t.Handler = string(c[8:12])
		case "stbl":
			t.Tables = b
		case "elst":
			t.Edits = b
		}
		return nil
	})
	return t, err
}

// descend calls f for the boxes in trak that hold no others, and for stbl.
func descend(r io.ReaderAt, parent Box, f func(Box) error) error {
	return Children(r, parent, func(b Box) error {
		switch b.Kind {
		case "mdia", "minf", "edts":
			return descend(r, b, f)
		}
		return f(b)
	})
}
