package packager

import (
	"bytes"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/segmenter"
)

// write muxes g in one of the directory's scratch buffers and writes its files.
func (w *Writer) write(s *Segment, id, seq uint64, g *segmenter.Segment, x segmenter.Container) error {
	bufs := <-w.d.slots
	defer func() { w.d.slots <- bufs }()
	sizes := x.Size(g)
	for i := range bufs {
		bufs[i] = bufs[i][:0]
		if cap(bufs[i]) < sizes[i] {
			bufs[i] = make([]byte, 0, sizes[i])
		}
	}
	pieces := x.Append(&bufs, g)
	for i := range bufs {
		if len(bufs[i]) == 0 {
			continue
		}
		f := &s.Files[i]
		err := w.nameFile(f, media.Kind(i), id, &pieces[i])
		if err == nil {
			err = w.writeFile(f, media.Kind(i), seq, &bufs[i], s.Key)
		}
		if cap(bufs[i]) > maxScratch {
			bufs[i] = nil
		}
		if err != nil {
			return err
		}
		f.timed(g, s.Date, &pieces[i])
	}
	return nil
}

// timed sets how long the media of f lasts, and of when it is.
func (f *File) timed(g *segmenter.Segment, begins time.Time, p *segmenter.Piece) {
	f.Lasts = g.Duration
	if f.Init != nil {
		f.Lasts = f.at(f.Start+f.Duration) - f.at(f.Start)
	}
	f.Date = date(begins, p)
}

// date is when the media of p begins, in a segment that begins then.
func date(begins time.Time, p *segmenter.Piece) time.Time {
	if begins.IsZero() {
		return begins
	}
	return begins.Add(p.Later.Round(time.Millisecond))
}

// maxScratch is the largest buffer kept between two segments.
const maxScratch = 8 << 20

// nameFile says which file f is, whose content is p. The initialisation section that it
// needs is written.
func (w *Writer) nameFile(f *File, kind media.Kind, id uint64, p *segmenter.Piece) (err error) {
	f.Track, f.Start, f.Duration, f.Timescale = p.Track, p.Start, p.Duration, p.Timescale
	if w.names.naming == NamingMedia {
		id = p.Start
	}
	if p.Init != nil {
		if f.Init, err = w.initFor(kind, id, p.Init); err != nil {
			return err
		}
	}
	f.Name = w.names.file(kind, id)
	return nil
}

// writeFile writes f, whose content is *b.
func (w *Writer) writeFile(f *File, kind media.Kind, seq uint64, b *[]byte, k *Key) error {
	if k != nil {
		*b = k.encrypt(*b)
	}
	f.Size = len(*b)
	segment, _ := w.names.kinds(kind)
	rec := w.Entry(f.Name, segment)
	rec.Seq = seq
	return w.d.main.Write(rec, *b, liveFile(rec, int64(f.Size), w.d.now(), 2*w.set.PlaylistLength))
}

// at is the time of a tick of f in whole milliseconds.
func (f *File) at(tick uint64) time.Duration {
	scale := uint64(max(f.Timescale, 1))
	return time.Duration(tick/scale*1000+(tick%scale*1000+scale/2)/scale) * time.Millisecond
}

// initFor returns the initialisation section with that content. It is written if it is
// not there, under a name that no other one had.
func (w *Writer) initFor(kind media.Kind, id uint64, body []byte) (*Init, error) {
	if i := w.inits[kind]; i != nil && bytes.Equal(i.body, body) && w.d.main.Whole(i.Name) {
		w.d.main.KeepIfDue(i.Name)
		return i, nil
	}
	name, maxAge := w.names.init(kind, id), 2*w.set.PlaylistLength
	if w.names.dash {
		// nginx-rtmp has this one only. It comes again with the next publisher, so caches
		// must ask.
		name, maxAge = w.names.prefix+"init"+dashSuffix[kind], 0
	}
	for w.d.main.Taken(name) {
		name = w.names.init(kind, id)
		id++
	}
	i := &Init{Name: name, body: bytes.Clone(body)}
	_, init := w.names.kinds(kind)
	rec := w.Entry(i.Name, init)
	if err := w.d.main.Write(rec, body, liveFile(rec, int64(len(body)), w.d.now(), maxAge)); err != nil {
		return nil, err
	}
	w.inits[kind] = i
	return i, nil
}

// maxInit is larger than any initialisation section.
const maxInit = 64 << 10

// findInits reads the initialisation sections that the newest segments of an earlier run
// need, and cancels the removal of all that segments need.
func (w *Writer) findInits() {
	for _, i := range unusedInits(w.Window.Segments, nil) {
		if w.d.main.Ours(i.Name) {
			w.d.main.Keep(i.Name)
		}
	}
	for n := range w.Window.Segments {
		for kind, f := range w.Window.Segments[n].Files {
			if f.Init != nil {
				w.inits[kind] = f.Init
			}
		}
	}
	for _, i := range w.inits {
		if i != nil {
			i.body, _, _ = w.d.main.Read(i.Name, maxInit)
		}
	}
}

// unusedInits returns the initialisation sections of gone that no segment in listed
// needs.
func unusedInits(gone, listed []Segment) (all []*Init) {
	used := make(map[string]bool)
	for n := range listed {
		for _, f := range listed[n].Files {
			if f.Init != nil {
				used[f.Init.Name] = true
			}
		}
	}
	for n := range gone {
		for _, f := range gone[n].Files {
			if f.Init != nil && !used[f.Init.Name] {
				used[f.Init.Name] = true
				all = append(all, f.Init)
			}
		}
	}
	return all
}
