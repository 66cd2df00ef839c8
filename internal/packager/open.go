package packager

import (
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/segmenter"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A Part is a part of a segment's file, which players have before the file is complete. A
// segstore.PartName names it.
type Part struct {
	Duration    time.Duration
	Independent bool // it begins with a keyframe, or is sound
}

// An Open segment is one that still grows: its parts are shown already. They are in memory
// until the file is in place, and ranges of it afterwards. A crash loses the open segment
// and nothing else.
type Open struct {
	Seq           uint64
	Discontinuity bool
	Likely        time.Duration // how long it may be in the end
	Files         [2]File       // as far as they are known; with a name there is a part at least
	// Hints are the names of the parts that will come next, of this segment or the one
	// after it; zero: it can't be said.
	Hints [2]segstore.PartName

	id       uint64
	date     time.Time
	end      time.Duration // where it is likely to end, on the timeline
	bufs     segmenter.Files
	lent     segstore.Lent      // bufs, to who reads parts
	parts    [2]*segstore.Parts // as HTTP has them
	any      bool               // a part was shown
	complete bool               // there will be no other part
}

// A PartManifest is a Manifest that shows the parts of the open segment.
type PartManifest interface {
	Manifest
	// PublishParts shows the parts of o, which is new or has grown. Nothing is written to
	// the disk. targets are how long parts of each kind are at most.
	PublishParts(o *Open, targets [2]time.Duration)
	// EndParts says that no other part will come.
	EndParts()
}

// parter is a container that writes parts: *segmenter.FMP4.
type parter interface {
	segmenter.Container
	SetParts(time.Duration)
	SetAligned(bool)
	SetDay(*segmenter.Segment, time.Time)
	PartTarget(media.Kind) time.Duration
	Advance(*segmenter.Files, *segmenter.Segment)
	Abandon()
	Piece(*segmenter.Segment, media.Kind) segmenter.Piece
	Due(*segmenter.Segment) (media.Kind, time.Duration)
	Short(time.Duration) bool
	End(media.Kind) (tick uint64, at time.Duration, ok bool)
}

// begin makes g the open segment. date is that of its beginning. Of renditions of one
// publisher, the one that begins first decides which number a segment has; one that was
// away shows no parts of the segment with which it comes back.
func (w *Writer) begin(g *segmenter.Segment, date time.Time, x parter) error {
	if err := w.d.main.Settle(); err != nil {
		return err
	}
	likely := w.likely()
	at, broken := w.place(g, g.Start+likely, date)
	if w.Ladder() != nil && !w.next(at, broken) {
		return nil
	}
	date = at.date
	if w.set.Days {
		x.SetDay(g, date)
	}
	w.open = &Open{
		Seq: at.seq, id: w.nextName(at.seq, g, date, x), date: date, Likely: likely, end: g.Start + likely,
		Discontinuity: broken,
	}
	for i, n := range w.sizes {
		switch {
		case n <= cap(w.spare[i]) && cap(w.spare[i]) <= 4*n:
			w.open.bufs[i] = w.spare[i]
		case n > 0:
			w.open.bufs[i] = make([]byte, 0, n+n/8)
		}
		w.spare[i] = nil
	}
	return nil
}

// likely is how long the next segment may be: as long as the last one.
func (w *Writer) likely() time.Duration {
	if n := len(w.Window.Segments); n > 0 && !w.Window.Segments[n-1].Lost {
		return w.Window.Segments[n-1].Duration
	}
	return w.set.Fragment
}

// grow shows the parts of g that are complete by now. It returns whether there are new
// ones.
func (w *Writer) grow(g *segmenter.Segment, x parter) (bool, error) {
	x.Advance(&w.open.bufs, g)
	return w.show(g, x, false)
}

// show shows the parts that are in the open segment's buffers. A segment that may be so
// short that it is rationed shows none.
func (w *Writer) show(g *segmenter.Segment, x parter, complete bool) (changed bool, err error) {
	o := w.open
	for kind := range o.Files {
		k, f := media.Kind(kind), &o.Files[kind]
		p := x.Piece(g, k)
		f.Track, f.Start, f.Duration, f.Timescale = p.Track, p.Start, p.Duration, p.Timescale
		if x.PartTarget(k) == 0 || len(p.Parts) == len(f.Parts) || !o.any && !complete && f.at(p.Duration) < tinyDuration {
			continue
		}
		if f.Name == "" {
			if err := w.nameFile(f, k, o.id, &p); err != nil {
				return changed, err
			}
			f.Date = date(o.date, &p)
			o.parts[kind] = w.d.main.Grow(w.Entry(f.Name, ""), 2*w.set.PlaylistLength, &o.lent)
		}
		for _, part := range p.Parts[len(f.Parts):] {
			from, to := part.Offset, part.Offset+part.Size
			o.parts[kind].Add(from, o.bufs[kind][from:to:to], w.d.now())
			f.Parts = append(f.Parts, Part{part.Duration, part.Independent})
		}
		changed, o.any = true, true
	}
	return changed, nil
}

// shown says whether parts of the open segment are shown.
func (w *Writer) shown() bool { return w.open != nil && w.open.any }

// publishParts has the parts of the open segment, or without one the next segment, shown.
func (w *Writer) publishParts(x parter) {
	o := w.open
	if o == nil {
		o = &Open{Seq: w.Window.Next()}
	}
	w.hint(o, x)
	targets := [2]time.Duration{x.PartTarget(media.Video), x.PartTarget(media.Audio)}
	for _, m := range w.manifests {
		if m, ok := m.(PartManifest); ok && max(targets[0], targets[1]) > 0 {
			m.PublishParts(o, targets)
		}
	}
}

// hint says which parts come next: players ask for them before they are there.
func (w *Writer) hint(o *Open, x parter) {
	for kind := range o.Hints {
		k, f := media.Kind(kind), &o.Files[kind]
		if x.PartTarget(k) == 0 {
			continue
		}
		end, at, known := x.End(k)
		switch {
		case f.Name != "" && !o.complete && at < o.end-rounding:
			o.Hints[kind] = segstore.PartName{File: f.Name, Part: len(f.Parts)}
		case w.names.numbered() && f.Name != "":
			o.Hints[kind] = segstore.PartName{File: w.names.file(k, o.id+1), Part: 0}
		case w.names.numbered() && w.open != nil:
			o.Hints[kind] = segstore.PartName{File: w.names.file(k, o.id), Part: 0}
		case w.names.numbered():
			o.Hints[kind] = segstore.PartName{File: w.names.file(k, max(w.nextID, o.Seq)), Part: 0}
		case w.names.naming == NamingMedia && known:
			o.Hints[kind] = segstore.PartName{File: w.names.file(k, end), Part: 0}
		default:
			o.Hints[kind] = segstore.PartName{}
		}
		if w.hinted[kind] == o.Hints[kind] {
			continue
		}
		w.d.main.Hint(o.Hints[kind], w.hinted[kind])
		w.hinted[kind] = o.Hints[kind]
	}
}

// rounding is by how much times may be off that publishers have rounded.
const rounding = 5 * time.Millisecond

// completeOpen writes the files of the open segment, of which g is all.
func (w *Writer) completeOpen(s *Segment, seq uint64, g *segmenter.Segment, x parter) error {
	o := w.open
	pieces := x.Append(&o.bufs, g)
	o.complete = true
	changed, err := w.show(g, x, true)
	if err != nil {
		return err
	}
	if changed {
		w.publishParts(x)
	}
	listed := listedParts{seq: seq}
	for i := range o.bufs {
		if len(o.bufs[i]) == 0 {
			continue
		}
		f := &s.Files[i]
		if *f = o.Files[i]; f.Name == "" {
			if err := w.nameFile(f, media.Kind(i), o.id, &pieces[i]); err != nil {
				return err
			}
		}
		if err := w.writeFile(f, media.Kind(i), seq, &o.bufs[i], nil); err != nil {
			return err
		}
		if o.parts[i] != nil {
			o.parts[i].End(true)
			listed.parts = append(listed.parts, o.parts[i])
		}
		w.sizes[i] = len(o.bufs[i])
		f.timed(g, s.Date, &pieces[i])
	}
	w.listed = append(w.listed, listed)
	for i := range o.bufs {
		if cap(o.bufs[i]) <= maxScratch && !o.lent.Had() { // by now nobody can get it any more
			w.spare[i] = o.bufs[i][:0]
		}
	}
	return nil
}

// closeOpen ends the open segment. written: its files are in place.
func (w *Writer) closeOpen(written bool) {
	if o := w.open; o != nil && !written {
		for _, p := range o.parts {
			if p != nil {
				p.End(false)
				w.parts = append(w.parts, oldParts{w.d.now(), p})
			}
		}
	}
	w.open = nil
}

// listedParts are the parts of a complete segment, which manifests name for a while.
type listedParts struct {
	seq   uint64
	parts []*segstore.Parts
}

// retireParts has the parts go that no manifest names any more: rfc8216bis §4.4.4.9 lets
// those leave the playlist that are more than three target durations from its end. They
// stay for as long again: there are many, and a player that is so far behind has segments.
func (w *Writer) retireParts(now time.Time) {
	least := w.limits().Least
	from := w.Window.Seq + uint64(w.Window.older(least))
	n := 0
	for ; n < len(w.listed) && w.listed[n].seq < from; n++ {
		for _, p := range w.listed[n].parts {
			w.parts = append(w.parts, oldParts{now.Add(least + w.lateness()), p})
		}
	}
	w.listed = slices.Delete(w.listed, 0, n)
}

// oldParts are the parts of a file that no manifest names any more.
type oldParts struct {
	at    time.Time // when they go
	parts *segstore.Parts
}

// dropParts drops the parts that are due; all: every one.
func (w *Writer) dropParts(all bool) {
	now := w.d.now()
	w.parts = slices.DeleteFunc(w.parts, func(o oldParts) bool {
		if !all && now.Before(o.at) {
			return false
		}
		o.parts.Drop()
		return true
	})
}

// endParts ends all hints and drops all parts.
func (w *Writer) endParts() {
	for kind, name := range w.hinted {
		w.d.main.Hint(segstore.PartName{}, name)
		w.hinted[kind] = segstore.PartName{}
	}
	w.closeOpen(false)
	for _, l := range w.listed {
		for _, p := range l.parts {
			p.Drop()
		}
	}
	w.listed = nil
	w.dropParts(true)
	w.spare = segmenter.Files{}
	for _, m := range w.manifests {
		if m, ok := m.(PartManifest); ok {
			m.EndParts()
		}
	}
}
