package mp4

import (
	"errors"
	"io"
	"math"
	"time"
)

var (
	errIndex = errors.New("the index of samples is damaged")
	errLong  = errors.New("more samples than a plain MP4 has room for")
)

// A table is one of the boxes in stbl that say where and when the samples are
// (§8.6, §8.7). fill calls put with the words of each of its rows.
type table struct {
	kind    string
	version uint8
	columns int
	fill    func(w walker, put func(...uint32)) error
	rows    int
}

// A walker goes through the samples of a track; duration is that of each.
type walker func(f func(e entry, duration uint32)) error

// walker is that of x, whose last sample has the duration last.
func (x *index) walker(file io.ReaderAt, last int64) walker {
	return func(f func(entry, uint32)) error {
		var held entry
		has := false
		err := x.walk(file, func(e entry) error {
			if has {
				f(held, uint32(min(e.dts-held.dts, math.MaxUint32)))
			}
			held, has = e, true
			return nil
		})
		if err == nil && has {
			f(held, uint32(min(max(last-held.dts, 0), math.MaxUint32)))
		}
		return err
	}
}

// tables are those of a track.
func tables() []table {
	return []table{
		{kind: "stts", columns: 2, fill: durations},
		{kind: "ctts", version: 1, columns: 2, fill: offsets},
		{kind: "stss", columns: 1, fill: syncSamples},
		{kind: "stsc", columns: 3, fill: chunkSamples},
		{kind: "stsz", columns: 1, fill: sizes},
		{kind: "co64", columns: 2, fill: chunkPlaces},
	}
}

// A runLength puts (count, value) for equal values in a row.
type runLength struct {
	put   func(...uint32)
	count uint32
	value uint32
}

func (r *runLength) add(v uint32) {
	if r.count > 0 && v != r.value {
		r.flush()
	}
	r.value = v
	r.count++
}

func (r *runLength) flush() {
	if r.count > 0 {
		r.put(r.count, r.value)
	}
	r.count = 0
}

func durations(w walker, put func(...uint32)) error {
	r := runLength{put: put}
	err := w(func(_ entry, d uint32) { r.add(d) })
	r.flush()
	return err
}

// offsets are left out where all are 0.
func offsets(w walker, put func(...uint32)) error {
	any := false
	r := runLength{put: put}
	if err := w(func(e entry, _ uint32) { any = any || e.offset != 0 }); err != nil || !any {
		return err
	}
	err := w(func(e entry, _ uint32) { r.add(uint32(e.offset)) })
	r.flush()
	return err
}

// syncSamples are left out where all are.
func syncSamples(w walker, put func(...uint32)) error {
	all := true
	if err := w(func(e entry, _ uint32) { all = all && e.sync }); err != nil || all {
		return err
	}
	n := uint32(0)
	return w(func(e entry, _ uint32) {
		if n++; e.sync {
			put(n)
		}
	})
}

func sizes(w walker, put func(...uint32)) error {
	return w(func(e entry, _ uint32) { put(e.size) })
}

// chunkSamples has a row for each chunk with another number of samples than the
// one before. A chunk is samples without a gap.
func chunkSamples(w walker, put func(...uint32)) error {
	var chunk, samples, said uint32
	end := func() {
		if chunk > 0 && samples != said {
			put(chunk, samples, 1)
			said = samples
		}
	}
	err := w(func(e entry, _ uint32) {
		if e.moves {
			end()
			chunk++
			samples = 0
		}
		samples++
	})
	end()
	return err
}

func chunkPlaces(w walker, put func(...uint32)) error {
	return w(func(e entry, _ uint32) {
		if e.moves {
			put(uint32(uint64(e.place)>>32), uint32(e.place))
		}
	})
}

// header is how much stands in a table before its rows.
func (t *table) header() int {
	if t.kind == "stsz" {
		return boxHeader + 12
	}
	return boxHeader + 8
}

func (t *table) size() int64 {
	if t.rows == 0 && (t.kind == "ctts" || t.kind == "stss") {
		return 0 // absent
	}
	return int64(t.header()) + int64(t.rows)*int64(t.columns)*4
}

// A sink writes to a file from an offset on, in pieces.
type sink struct {
	file RecordingFile
	at   int64
	buf  []byte
	err  error
}

const sinkSize = 64 << 10

func (s *sink) flush() {
	if s.err == nil && len(s.buf) > 0 {
		_, s.err = s.file.WriteAt(s.buf, s.at)
		s.at += int64(len(s.buf))
	}
	s.buf = s.buf[:0]
}

func (s *sink) words(v ...uint32) {
	for _, w := range v {
		s.buf = be.AppendUint32(s.buf, w)
	}
	if len(s.buf) >= sinkSize {
		s.flush()
	}
}

// begins is when the first picture is shown, or the first sound heard.
func (t *recordedTrack) begins() time.Duration {
	return t.first + time.Duration(t.lead)*time.Second/time.Duration(Timescale(t.Media))
}

// begins is when the earlier of both is.
func (r *Recording) begins() time.Duration {
	first := time.Duration(math.MaxInt64)
	for _, t := range r.tracks {
		if t != nil {
			first = min(first, t.begins())
		}
	}
	return first
}

// writeMovie writes the moov of a plain MP4 at s.
func (r *Recording) writeMovie(s *sink) error {
	var longest, size int64
	var heads [2][]byte // of the tracks, without their tables
	begins := r.begins()
	var all [2][]table
	for i, t := range r.tracks {
		if t == nil {
			continue
		}
		rows := int64(0)
		all[i] = tables()
		for j := range all[i] {
			b := &all[i][j]
			if err := b.fill(t.index.walker(r.file, t.end), func(...uint32) { b.rows++ }); err != nil {
				return err
			}
			rows += b.size()
		}
		scale := int64(Timescale(t.Media))
		m := movieTrack{delay: Ticks(t.begins()-begins, scale), lead: t.lead, duration: t.end - t.start}
		longest = max(longest, (m.delay+m.duration)*movieTimescale/scale)
		b, boxes, err := appendTrack(nil, &t.Track, m)
		if err != nil {
			return err
		}
		if size += int64(len(b)) + rows; size > math.MaxInt32/2 {
			return errLong
		}
		shutAll(b, boxes, int(rows))
		heads[i] = b
	}
	b, moov := open(s.buf, "moov")
	b = appendMovieHeader(b, r.created, longest, 3)
	shut(b, moov, int(size))
	s.buf = b
	for i, t := range r.tracks {
		s.buf = append(s.buf, heads[i]...)
		for j := range all[i] {
			if err := all[i][j].write(s, t.index.walker(r.file, t.end)); err != nil {
				return err
			}
		}
	}
	s.flush()
	return s.err
}

func (t *table) write(s *sink, w walker) error {
	if t.size() == 0 {
		return nil
	}
	b, at := openFull(s.buf, t.kind, t.version, 0)
	if t.kind == "stsz" {
		b = be.AppendUint32(b, 0) // each has its own
	}
	b = be.AppendUint32(b, uint32(t.rows))
	be.PutUint32(b[at:], uint32(t.size()))
	s.buf = b
	err := t.fill(w, s.words)
	if err == nil {
		err = s.err
	}
	return err
}
