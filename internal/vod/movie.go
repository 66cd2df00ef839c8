package vod

import (
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/rtmpd/rtmpd/internal/bmff"
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

	defaults bmff.Defaults // of the samples of fragments
}

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
	read, err := bmff.ReadMovie(r, moov)
	if err != nil {
		return m, err
	}
	m.fragmented = read.Fragmented
	if read.Scale > 0 {
		m.duration = uint32(min(scaled(read.Duration, 1000, read.Scale), 1<<31))
	}
	for i := range read.Tracks {
		t, err := readTrack(r, &read.Tracks[i], read.Scale)
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
	return m, nil
}

// readTrack takes a track. It is nil for what is neither picture nor sound.
func readTrack(r io.ReaderAt, track *bmff.Track, movieScale uint32) (*movieTrack, error) {
	t := &movieTrack{id: track.ID, scale: track.Scale, defaults: track.Defaults}
	kind := media.Audio
	switch track.Handler {
	case "vide":
		kind = media.Video
	case "soun":
	default:
		return nil, nil
	}
	switch {
	case t.scale == 0:
		return nil, errors.New("a track has no timescale")
	case track.Tables.Kind == "":
		return nil, errors.New("a track has no box \"stbl\"")
	}
	if track.Edits.Kind != "" {
		if err := t.readEdits(r, track.Edits, movieScale); err != nil {
			return nil, err
		}
	}
	return t, t.readTables(r, track.Tables, kind)
}

// readEdits reads how much later than its timestamps say the track begins (§8.6.6): an
// empty edit delays it, the beginning of the first other edit is what is left out.
func (t *movieTrack) readEdits(r io.ReaderAt, b box, movieScale uint32) error {
	c, err := bmff.Content(r, b, 8)
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
	err := bmff.Children(r, stbl, func(b box) (err error) {
		x := &t.tables
		switch b.Kind {
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
	if b.Size() < int64(len(h)) {
		return errors.New("box \"stsz\" is too short")
	}
	if _, err := r.ReadAt(h[:], b.Body); err != nil {
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
