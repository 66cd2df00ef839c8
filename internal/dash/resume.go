package dash

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// files are the names of the files that s names; mpd is the MPD's. Names that can't be
// ours are left out.
func (s *adaptationSet) files(mpd string) (names []string) {
	dir := mpd[:strings.LastIndexByte(mpd, '/')+1]
	if init := unescape(s.Template.Initialization); init != "" {
		names = append(names, dir+init)
	}
	if n, ok := parsePattern(dir, s.Template.Media); ok {
		s.Template.Timeline.each(func(t, _ uint64) { names = append(names, n.file(t)) })
	}
	return names
}

// each calls f with each segment.
func (l *timeline) each(f func(t, d uint64)) {
	for _, r := range l.S {
		for i := range r.R + 1 {
			f(r.T+i*r.D, r.D)
		}
	}
}

var errUnknownFiles = errors.New("the MPD names files that are not known")

// resume takes over the periods of old, and returns its segments: the files whose ledger
// entries have the same media sequence number are of one segment.
//
// Errors: none of them is known.
func (m *manifest) resume(old *mpd) (packager.Window, error) {
	l := packager.Window{Epoch: old.AvailabilityStartTime.Time, Ended: old.Type == static}
	numbers := m.numbers()
	segments := make(map[uint64]*packager.Segment)
	m.parts = nil
	for i := range old.Periods {
		if p, ok := m.resumePart(&old.Periods[i], numbers, segments); ok {
			m.parts = append(m.parts, p)
		}
	}
	if len(segments) == 0 {
		m.parts = nil
		return l, errUnknownFiles
	}
	type numbered struct {
		seq uint64
		*packager.Segment
	}
	var all []numbered
	for seq, s := range segments {
		all = append(all, numbered{seq, s})
	}
	slices.SortFunc(all, func(a, b numbered) int { return cmp.Compare(a.seq, b.seq) })
	from := len(all) - 1 // numbers have no gaps
	for from > 0 && all[from-1].seq+1 == all[from].seq {
		from--
	}
	l.Seq = all[from].seq
	for _, s := range all[from:] {
		l.Segments = append(l.Segments, *s.Segment)
	}
	return l, nil
}

// numbers are the media sequence numbers of the stream's files.
func (m *manifest) numbers() map[string]uint64 {
	of := m.w.Entry("", "")
	n := make(map[string]uint64)
	m.d.Store().Each(func(r segstore.Entry, _ segstore.Numbers) {
		if r.App == of.App && r.Stream == of.Stream {
			n[r.Name] = r.Seq
		}
	})
	l := &m.w.Window // as another manifest has it: the past of an event has no entries
	for i := range l.Segments {
		for k := range l.Segments[i].Files {
			n[l.Segments[i].Files[k].Name] = l.Seq + uint64(i)
		}
	}
	return n
}

// resumePart adds the segments of x that have numbers to all. It returns whether there is
// one.
func (m *manifest) resumePart(x *period, numbers map[string]uint64, all map[uint64]*packager.Segment) (p part, some bool) {
	p = part{id: x.ID, first: math.MaxUint64, start: time.Duration(x.Start)}
	dir := m.file[:strings.LastIndexByte(m.file, '/')+1]
	for i := range x.Sets {
		s := &x.Sets[i]
		kind, init := kindOf(s.ContentType), unescape(s.Template.Initialization)
		n, ok := parsePattern(dir, s.Template.Media)
		if !ok || init == "" {
			continue
		}
		t := track{timescale: s.Template.Timescale, init: dir + init, media: n, independent: s.StartWithSAP == 1, coding: s.Representation}
		if !some || kind == int(media.Video) {
			p.from = ticks(s.Template.Offset, t.timescale)
		}
		header := &packager.Init{Name: t.init}
		s.Template.Timeline.each(func(start, d uint64) {
			f := packager.File{
				Name: n.file(start), Init: header,
				Start: start, Duration: d, Timescale: t.timescale, Lasts: ticks(start+d, t.timescale) - ticks(start, t.timescale),
			}
			seq, ok := numbers[f.Name]
			if !ok {
				return
			}
			p.first, some = min(p.first, seq), true
			e := all[seq]
			if e == nil {
				e = &packager.Segment{Duration: f.Lasts, Independent: t.independent}
				all[seq] = e
			}
			e.Files[kind] = f
		})
		p.tracks[kind] = t
		p.captions |= captionsOf(s.Accessibility)
	}
	return p, some
}
