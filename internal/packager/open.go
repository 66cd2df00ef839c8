package packager

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/segmenter"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A Part is a part of a segment's file, which players have before the file is complete.
type Part struct {
	Name        string // in the directory; there is no file of that name on disk
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
	// after it; empty: it can't be said.
	Hints [2]string

	id       uint64
	date     time.Time
	end      time.Duration // where it is likely to end, on the timeline
	bufs     segmenter.Files
	lent     segstore.Lent        // bufs, to who reads parts
	growing  [2]*segstore.Growing // the files as HTTP has them meanwhile
	any      bool                 // a part was shown
	complete bool                 // there will be no other part
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
			file := w.Entry(f.Name, "")
			growing := file.MediaFile(segstore.Segment, 0, w.d.now(), 2*w.set.PlaylistLength)
			growing.Lent = &o.lent
			o.growing[kind] = w.d.main.Grow(f.Name, growing)
		}
		rec := w.Entry(f.Name, "")
		for i := len(f.Parts); i < len(p.Parts); i++ {
			part := Part{Name: partName(f.Name, i), Duration: p.Parts[i].Duration, Independent: p.Parts[i].Independent}
			from, to := p.Parts[i].Offset, p.Parts[i].Offset+p.Parts[i].Size
			live := rec.MediaFile(segstore.Part, int64(to-from), w.d.now(), 2*w.set.PlaylistLength)
			live.Body, live.Lent = o.bufs[kind][from:to:to], &o.lent
			w.d.main.Hold(part.Name, live)
			o.growing[kind].Add(live.Body)
			f.Parts = append(f.Parts, part)
		}
		changed, o.any = true, true
	}
	return changed, nil
}

// shown says whether parts of the open segment are shown.
func (w *Writer) shown() bool { return w.open != nil && w.open.any }

// partName is the name of part i of a segment's file.
func partName(file string, i int) string {
	dot := strings.LastIndexByte(file, '.')
	return file[:dot+1] + strconv.Itoa(i) + file[dot:]
}

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
			o.Hints[kind] = partName(f.Name, len(f.Parts))
		case w.names.numbered() && f.Name != "":
			o.Hints[kind] = partName(w.names.file(k, o.id+1), 0)
		case w.names.numbered() && w.open != nil:
			o.Hints[kind] = partName(w.names.file(k, o.id), 0)
		case w.names.numbered():
			o.Hints[kind] = partName(w.names.file(k, max(w.nextID, o.Seq)), 0)
		case w.names.naming == NamingMedia && known:
			o.Hints[kind] = partName(w.names.file(k, end), 0)
		default:
			o.Hints[kind] = ""
		}
		if w.hinted[kind] == o.Hints[kind] {
			continue
		}
		w.d.main.Unhint(w.hinted[kind])
		w.d.main.Hint(o.Hints[kind])
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
		w.grown(i, true)
		w.sizes[i] = len(o.bufs[i])
		f.timed(g, s.Date, &pieces[i])
		for k := range f.Parts {
			part := &pieces[i].Parts[k]
			rec := w.Entry(f.Name, "")
			live := rec.MediaFile(segstore.Part, int64(part.Size), w.d.now(), 2*w.set.PlaylistLength)
			live.Range = segstore.Range{Name: f.Name, Offset: int64(part.Offset)}
			w.d.main.Hold(f.Parts[k].Name, live)
			listed.names = append(listed.names, f.Parts[k].Name)
		}
	}
	w.listed = append(w.listed, listed)
	for i := range o.bufs {
		if cap(o.bufs[i]) <= maxScratch && !o.lent.Had() { // by now nobody can get it any more
			w.spare[i] = o.bufs[i][:0]
		}
	}
	return nil
}

// grown ends the file of a kind that HTTP had while it grew.
func (w *Writer) grown(kind int, whole bool) {
	o := w.open
	if o.growing[kind] == nil {
		return
	}
	o.growing[kind].End(whole)
	w.d.main.Drop(o.Files[kind].Name)
	o.growing[kind] = nil
}

// closeOpen ends the open segment. written: its file is in place.
func (w *Writer) closeOpen(written bool) {
	if o := w.open; o != nil && !written {
		for i := range o.Files {
			w.grown(i, false)
			w.forgetParts(w.d.now(), &o.Files[i])
		}
	}
	w.open = nil
}

// listedParts are the parts of a complete segment, which manifests name for a while.
type listedParts struct {
	seq   uint64
	names []string
}

// retireParts has the parts go that no manifest names any more: rfc8216bis §4.4.4.9 lets
// those leave the playlist that are more than three target durations from its end. They
// stay for as long again: there are many, and a player that is so far behind has segments.
func (w *Writer) retireParts(now time.Time) {
	least := w.limits().Least
	from := w.Window.Seq + uint64(w.Window.older(least))
	n := 0
	for ; n < len(w.listed) && w.listed[n].seq < from; n++ {
		w.parts = append(w.parts, oldParts{now.Add(least + w.lateness()), w.listed[n].names})
	}
	w.listed = slices.Delete(w.listed, 0, n)
}

// oldParts are parts that no manifest names any more.
type oldParts struct {
	at    time.Time // when they go
	names []string
}

// forgetParts drops the parts of f at a time.
func (w *Writer) forgetParts(at time.Time, f *File) {
	if len(f.Parts) == 0 {
		return
	}
	old := oldParts{at: at}
	for i := range f.Parts {
		old.names = append(old.names, f.Parts[i].Name)
	}
	f.Parts = nil
	w.parts = append(w.parts, old)
}

// dropParts drops the parts that are due; all: every one.
func (w *Writer) dropParts(all bool) {
	now := w.d.now()
	w.parts = slices.DeleteFunc(w.parts, func(o oldParts) bool {
		if !all && now.Before(o.at) {
			return false
		}
		w.d.main.Drop(o.names...)
		return true
	})
}

// endParts ends all hints and drops all parts.
func (w *Writer) endParts() {
	for kind, name := range w.hinted {
		w.d.main.Unhint(name)
		w.hinted[kind] = ""
	}
	w.closeOpen(false)
	for _, p := range w.listed {
		w.d.main.Drop(p.names...)
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
