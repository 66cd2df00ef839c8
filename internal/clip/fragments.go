package clip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

var be = binary.BigEndian

const (
	maxMoof = 4 << 20
	maxInit = 64 << 10
)

var errBoxes = errors.New("a fragment is damaged")

// fragments copies segments of fragmented MP4: only their times are changed.
type fragments struct {
	open   Open
	number uint32
	scales [2]int64 // of the tracks
	shift  [2]int64 // is added to their times
	moof   []byte   // scratch
}

// A box is one in memory: the whole of it, and what is in it.
type box struct {
	kind       string
	all, inner []byte
}

// next takes the first box off b; ok is false if there is none.
func next(b []byte) (x box, rest []byte, ok bool) {
	if len(b) < 8 {
		return x, nil, false
	}
	n := int64(be.Uint32(b))
	if n < 8 || n > int64(len(b)) {
		return x, nil, false
	}
	return box{string(b[4:8]), b[:n:n], b[8:n:n]}, b[n:], true
}

// child is the first box of a kind in b; nil: there is none.
func child(b []byte, path ...string) []byte {
	for x, rest, ok := next(b); ok; x, rest, ok = next(rest) {
		if x.kind == path[0] {
			if len(path) == 1 {
				return x.inner
			}
			return child(x.inner, path[1:]...)
		}
	}
	return nil
}

func appendBox(b []byte, kind string, inner ...[]byte) []byte {
	n := 8
	for _, x := range inner {
		n += len(x)
	}
	b = be.AppendUint32(b, uint32(n))
	b = append(b, kind...)
	for _, x := range inner {
		b = append(b, x...)
	}
	return b
}

// header puts the initialisation sections of both tracks into one.
func (f *fragments) header(s *Segment) ([]byte, error) {
	var all [][]byte
	for kind, name := range s.Init {
		if name == "" || s.Files[kind] == "" {
			continue
		}
		b, err := readInit(f.open, name)
		if err != nil {
			return nil, err
		}
		mdhd := child(b, "moov", "trak", "mdia", "mdhd")
		switch {
		case len(mdhd) >= 16 && mdhd[0] == 0:
			f.scales[kind] = int64(be.Uint32(mdhd[12:]))
		case len(mdhd) >= 24 && mdhd[0] == 1:
			f.scales[kind] = int64(be.Uint32(mdhd[20:]))
		}
		if f.scales[kind] == 0 {
			return nil, fmt.Errorf("%s: %w", name, errBoxes)
		}
		all = append(all, b)
	}
	return join(all)
}

// join makes one initialisation section of several, each with a track of its own.
func join(inits [][]byte) ([]byte, error) {
	var file, movie, tracks, extends []byte
	for _, b := range inits {
		for x, rest, ok := next(b); ok; x, rest, ok = next(rest) {
			switch x.kind {
			case "ftyp":
				file = x.all
			case "moov":
				for y, more, ok := next(x.inner); ok; y, more, ok = next(more) {
					switch y.kind {
					case "mvhd":
						movie = slices.Clone(y.all)
					case "trak":
						tracks = append(tracks, y.all...)
					case "mvex":
						for z, last, ok := next(y.inner); ok; z, last, ok = next(last) {
							if z.kind == "trex" {
								extends = append(extends, z.all...)
							}
						}
					}
				}
			}
		}
	}
	if file == nil || len(movie) < 100 || tracks == nil || extends == nil {
		return nil, errBoxes
	}
	be.PutUint32(movie[len(movie)-4:], 3) // next_track_ID
	out := slices.Clone(file)
	return appendBox(out, "moov", movie, tracks, appendBox(nil, "mvex", extends)), nil
}

func readInit(open Open, name string) ([]byte, error) {
	r, size, err := open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	if size > maxInit {
		return nil, errBoxes
	}
	b := make([]byte, size)
	if _, err := r.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b, nil
}

// begin implements source: whichever track is first begins there.
func (f *fragments) begin(s *Segment, at time.Duration) error {
	var from [2]time.Duration
	first := time.Duration(-1)
	for kind, name := range s.Files {
		if name == "" || f.scales[kind] == 0 {
			continue
		}
		ticks, err := f.starts(name)
		if err != nil {
			return err
		}
		from[kind] = time.Duration(ticks/f.scales[kind])*time.Second + time.Duration(ticks%f.scales[kind])*time.Second/time.Duration(f.scales[kind])
		if first < 0 || from[kind] < first {
			first = from[kind]
		}
	}
	for kind, scale := range f.scales {
		d := at - first
		f.shift[kind] = int64(d/time.Second)*scale + int64(d%time.Second)*scale/int64(time.Second)
	}
	return nil
}

// starts is the time of the first frame of a file.
func (f *fragments) starts(name string) (ticks int64, err error) {
	errDone := errors.New("done")
	err = f.each(name, func(b []byte) error {
		tfdt := child(b, "moof", "traf", "tfdt")
		if len(tfdt) < 12 || tfdt[0] != 1 {
			return errBoxes
		}
		ticks = int64(be.Uint64(tfdt[4:]) & (1<<52 - 1))
		return errDone
	}, nil)
	if errors.Is(err, errDone) {
		err = nil
	}
	return ticks, err
}

// write implements source.
func (f *fragments) write(w io.Writer, s *Segment) error {
	for kind, name := range s.Files {
		if name == "" || f.scales[kind] == 0 {
			continue
		}
		err := f.each(name, func(b []byte) error {
			if err := f.move(b, kind); err != nil {
				return err
			}
			_, err := w.Write(b)
			return err
		}, w)
		if err != nil {
			return err
		}
	}
	return nil
}

// move changes the times and the number of a moof.
func (f *fragments) move(moof []byte, kind int) error {
	mfhd, tfdt := child(moof, "moof", "mfhd"), child(moof, "moof", "traf", "tfdt")
	if len(mfhd) < 8 || len(tfdt) < 12 || tfdt[0] != 1 {
		return errBoxes
	}
	f.number++
	be.PutUint32(mfhd[4:], f.number)
	be.PutUint64(tfdt[4:], uint64(max(int64(be.Uint64(tfdt[4:]))+f.shift[kind], 0)))
	return nil
}

// each calls moof for every moof of a file, and copies every mdat to w, if there is one.
func (f *fragments) each(name string, moof func([]byte) error, w io.Writer) error {
	r, size, err := f.open(name)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	var head [8]byte
	for at := int64(0); at < size; {
		if _, err := r.ReadAt(head[:], at); err != nil {
			return fmt.Errorf("%s: %w", name, errBoxes)
		}
		n := int64(be.Uint32(head[:]))
		if n < 8 || n > size-at {
			return fmt.Errorf("%s: %w", name, errBoxes)
		}
		switch string(head[4:]) {
		case "moof":
			if n > maxMoof {
				return fmt.Errorf("%s: %w", name, errBoxes)
			}
			f.moof = slices.Grow(f.moof[:0], int(n))[:n]
			if _, err := r.ReadAt(f.moof, at); err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if err := moof(f.moof); err != nil {
				return err
			}
		case "mdat":
			if w != nil {
				if _, err := io.Copy(w, io.NewSectionReader(r, at, n)); err != nil {
					return err
				}
			}
		}
		at += n
	}
	return nil
}
