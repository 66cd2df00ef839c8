package vod

import (
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A movie is what moov says (ISO 14496-12 §8.2.1).
type movie struct {
	tracks     []*movieTrack
	fragmented bool
	duration   uint32 // ms; 0: not known
	others     []string
}

// A movieTrack is a track that can be played.
type movieTrack struct {
	coding
	id     uint32
	scale  uint32
	shift  int64 // ms from the DTS of the track to that of the movie, by its edit list
	tables tables

	// Fragments: what trex says of samples.
	defaultDuration, defaultSize, defaultFlags uint32
}

const maxTracks = 64

// ms is a time of the track in ms.
func (t *movieTrack) ms(ticks uint64) int64 { return scaled(ticks, 1000, t.scale) }

// ticks is the last time of the track that is ms.
func (t *movieTrack) ticks(ms uint64) uint64 {
	at := uint64(scaled(ms+1, uint64(t.scale), 1000))
	if at > 0 && t.ms(at) > int64(ms) {
		at--
	}
	return at
}

// scaled is v × by / over, at most maxTicks.
func scaled(v, by uint64, over uint32) int64 {
	hi, lo := bits.Mul64(v, by)
	if over == 0 || hi >= uint64(over) {
		return maxTicks
	}
	q, _ := bits.Div64(hi, lo, uint64(over))
	return int64(min(q, maxTicks))
}

// readMovie reads moov.
func readMovie(r io.ReaderAt, moov box) (m movie, err error) {
	var timescale uint32
	var duration uint64
	var traks []box
	err = children(r, moov, func(b box) error {
		switch b.kind {
		case "mvhd":
			timescale, duration, err = readTimes(r, b)
			return err
		case "trak":
			if len(traks) < maxTracks {
				traks = append(traks, b)
			}
		case "mvex":
			m.fragmented = true
		}
		return nil
	})
	if err != nil {
		return m, err
	}
	if timescale > 0 {
		m.duration = uint32(min(scaled(duration, 1000, timescale), 1<<31))
	}
	for _, b := range traks {
		t, err := readTrack(r, b, timescale)
		var unknown errCodec
		switch {
		case errors.As(err, &unknown):
			m.others = append(m.others, unknown.what)
		case err != nil:
			return m, err
		case t != nil:
			m.tracks = append(m.tracks, t)
		}
	}
	if m.fragmented {
		return m, m.readDefaults(r, moov)
	}
	return m, nil
}

// readTimes reads timescale and duration of mvhd (§8.2.2) or mdhd (§8.4.2):
//
//	version(8) flags(24) creation(32|64) modification(32|64) timescale(32) duration(32|64)
func readTimes(r io.ReaderAt, b box) (timescale uint32, duration uint64, err error) {
	c, err := content(r, b, 20)
	if err != nil {
		return 0, 0, err
	}
	if c[0] == 1 {
		if len(c) < 32 {
			return 0, 0, fmt.Errorf("box %q is too short", b.kind)
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

// readTrack reads trak (§8.3.1). It is nil for what is neither picture nor sound.
func readTrack(r io.ReaderAt, trak box, movieScale uint32) (*movieTrack, error) {
	t := &movieTrack{}
	var stbl, elst box
	kind := media.Data
	err := descend(r, trak, func(b box) error {
		switch b.kind {
		case "tkhd":
			c, err := content(r, b, 24)
			if err != nil {
				return err
			}
			if t.id = be.Uint32(c[12:]); c[0] == 1 {
				t.id = be.Uint32(c[20:])
			}
		case "mdhd":
			var err error
			if t.scale, _, err = readTimes(r, b); err != nil {
				return err
			}
		case "hdlr":
			c, err := content(r, b, 12)
			if err != nil {
				return err
			}
			switch string(c[8:12]) {
			case "vide":
				kind = media.Video
			case "soun":
				kind = media.Audio
			}
		case "stbl":
			stbl = b
		case "elst":
			elst = b
		}
		return nil
	})
	if err != nil || kind == media.Data {
		return nil, err
	}
	switch {
	case t.scale == 0:
		return nil, errors.New("a track has no timescale")
	case stbl.kind == "":
		return nil, errors.New("a track has no box \"stbl\"")
	}
	if elst.kind != "" {
		if err := t.readEdits(r, elst, movieScale); err != nil {
			return nil, err
		}
	}
	return t, t.readTables(r, stbl, kind)
}

// descend calls f for the boxes in trak that hold no others, and for stbl.
func descend(r io.ReaderAt, parent box, f func(box) error) error {
	return children(r, parent, func(b box) error {
		switch b.kind {
		case "mdia", "minf", "edts":
			return descend(r, b, f)
		}
		return f(b)
	})
}

// readEdits reads how much later than its timestamps say the track begins (§8.6.6): an
// empty edit delays it, the beginning of the first other edit is what is left out.
func (t *movieTrack) readEdits(r io.ReaderAt, b box, movieScale uint32) error {
	c, err := content(r, b, 8)
	if err != nil {
		return err
	}
	entry := 12
	if c[0] == 1 {
		entry = 20
	}
	for rest := c[8:]; len(rest) >= entry; rest = rest[entry:] {
		duration, begin := uint64(be.Uint32(rest)), int64(int32(be.Uint32(rest[4:])))
		if c[0] == 1 {
			duration, begin = be.Uint64(rest), int64(be.Uint64(rest[8:]))
		}
		if begin >= 0 {
			t.shift -= t.ms(uint64(begin))
			break
		}
		if movieScale > 0 {
			t.shift += scaled(duration, 1000, movieScale)
		}
	}
	if t.shift < -maxShift || t.shift > maxShift {
		return errors.New("box \"elst\" moves a track by more than a day")
	}
	return nil
}

const maxShift = 24 * 3600 * 1000 // ms

func (t *movieTrack) readTables(r io.ReaderAt, stbl box, kind media.Kind) error {
	var codec error
	seen := false
	t.tables.allSync = true
	err := children(r, stbl, func(b box) (err error) {
		x := &t.tables
		switch b.kind {
		case "stsd":
			seen = true
			t.coding, err = readCoding(r, b, kind)
			if errors.As(err, new(errCodec)) {
				codec, err = err, nil
			}
		case "stts":
			x.times, err = readTable(r, b, 8, 0)
		case "ctts":
			x.offsets, err = readTable(r, b, 8, 0)
		case "stsc":
			x.chunks, err = readTable(r, b, 12, 0)
		case "stco":
			x.places, err = readTable(r, b, 4, 0)
		case "co64":
			x.places, err = readTable(r, b, 8, 0)
		case "stss":
			x.syncs, err = readTable(r, b, 4, 0)
			x.allSync = false
		case "stsz":
			err = x.readSizes(r, b)
		case "stz2":
			err = errors.New("box \"stz2\" is not read")
		}
		return err
	})
	if err != nil {
		return err
	}
	if codec == nil && !seen {
		return errors.New("a track has no box \"stsd\"")
	}
	if kind == media.Audio {
		t.tables.allSync = true
	}
	return codec
}

// readSizes reads stsz: sample_size(32) sample_count(32) [size(32)…]
func (x *tables) readSizes(r io.ReaderAt, b box) error {
	var h [12]byte
	if b.size() < int64(len(h)) {
		return errors.New("box \"stsz\" is too short")
	}
	if _, err := r.ReadAt(h[:], b.body); err != nil {
		return err
	}
	x.size, x.samples = be.Uint32(h[4:]), be.Uint32(h[8:])
	if x.samples > maxEntries {
		return fmt.Errorf("box \"stsz\" says that it has %d samples", x.samples)
	}
	if x.size > 0 {
		return nil
	}
	var err error
	x.sizes, err = readTable(r, b, 4, 4)
	return err
}

// readDefaults reads the trex boxes (§8.8.3).
func (m *movie) readDefaults(r io.ReaderAt, moov box) error {
	return children(r, moov, func(b box) error {
		if b.kind != "mvex" {
			return nil
		}
		return children(r, b, func(b box) error {
			if b.kind != "trex" {
				return nil
			}
			c, err := content(r, b, 24)
			if err != nil {
				return err
			}
			for _, t := range m.tracks {
				if t.id == be.Uint32(c[4:]) {
					t.defaultDuration, t.defaultSize, t.defaultFlags = be.Uint32(c[12:]), be.Uint32(c[16:]), be.Uint32(c[20:])
				}
			}
			return nil
		})
	})
}
