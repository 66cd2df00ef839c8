package dash

import (
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A Rung is a stream that is a rendition of one publisher's ladder.
type Rung struct {
	Base  string // what viewers of all renditions play
	Index int    // its place in the MPD of all
}

// RungSpec is the MPD of a dash block for a rendition in d. The MPD of its base names all
// renditions.
func (d *Directory) RungSpec(cfg config.DASH, r Rung) packager.Spec {
	return &spec{d: d, cfg: cfg, rung: &r}
}

// A ladder is the MPD of all renditions of a base name. Its fields are guarded by
// Directory.mu.
type ladder struct {
	rec     segstore.Entry
	rungs   map[string]rungDoc // by the file of their own MPD
	since   time.Time          // the first one came
	written bool
}

// A rungDoc is the newest MPD of one rendition.
type rungDoc struct {
	index int
	doc   *mpd
	dir   string    // of its files, as the MPD of all has it
	at    time.Time // it was written
}

// A ladderDoc is an mpd whose sets have several representations, each with segments of its
// own (ISO/IEC 23009-1 §5.3.9.1).
type ladderDoc struct {
	XMLName xml.Name `xml:"urn:mpeg:dash:schema:mpd:2011 MPD"`
	mpd
	Periods []ladderPeriod `xml:"Period"`
	Timings []urnPair      `xml:"UTCTiming"` // behind the periods
}

type ladderPeriod struct {
	ID    string      `xml:"id,attr"`
	Start duration    `xml:"start,attr"`
	Sets  []ladderSet `xml:"AdaptationSet"`
}

type ladderSet struct {
	ID               string           `xml:"id,attr"`
	ContentType      string           `xml:"contentType,attr"`
	MimeType         string           `xml:"mimeType,attr"`
	Lang             string           `xml:"lang,attr,omitempty"`
	SegmentAlignment bool             `xml:"segmentAlignment,attr"`
	StartWithSAP     int              `xml:"startWithSAP,attr,omitempty"`
	Accessibility    []urnPair        `xml:"Accessibility"`
	Representations  []ladderRendered `xml:"Representation"`
}

type ladderRendered struct {
	representation
	Template segmentTemplate `xml:"SegmentTemplate"`
}

// updateLadder puts the MPD of m, which was just written, into that of all renditions.
func (d *Directory) updateLadder(m *manifest, doc *mpd, target time.Duration) error {
	file := ManifestName(m.rung.Base, &m.cfg)
	now := d.Now()
	r := rungDoc{index: m.rung.Index, doc: doc, at: now}
	if dir, _, nested := strings.Cut(m.file, "/"); nested {
		r.dir = "../" + escape(dir) + "/"
	}
	d.Store().KeepIfDue(file)
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.ladders[file]
	if l == nil {
		l = &ladder{rungs: make(map[string]rungDoc), since: now}
		d.ladders[file] = l
	}
	l.rec = m.w.Entry(file, packager.KindMPD)
	l.rungs[m.file] = r
	maps.DeleteFunc(l.rungs, func(_ string, r rungDoc) bool { return r.doc.Type != static && now.Sub(r.at) > 3*target+m.longest })
	switch {
	case d.Claimed(file):
		return nil // its own MPD, from before there were renditions, is about to go
	case !l.written && len(l.rungs) < m.w.Siblings() && now.Sub(l.since) < 2*target:
		return nil // players should find all of them
	}
	text, err := textOf(l.build(timings(&m.cfg, file)))
	if err != nil {
		return err
	}
	// Files are written with the lock held: two renditions must not write one at once.
	if err := d.Store().Write(l.rec, text, d.TextFile(l.rec, text, now, target)); err != nil {
		return fmt.Errorf("mpd of all renditions: %w", err)
	}
	l.written = true
	return nil
}

// leaveLadder removes a rendition whose own MPD is gone. An MPD without renditions is
// removed.
func (d *Directory) leaveLadder(file string) {
	d.mu.Lock()
	gone := ""
	for name, l := range d.ladders {
		if _, ok := l.rungs[file]; !ok {
			continue
		}
		if delete(l.rungs, file); len(l.rungs) == 0 {
			delete(d.ladders, name)
			gone = name
		}
	}
	d.mu.Unlock()
	if gone != "" && !d.Claimed(gone) {
		d.Store().Schedule(d.Now(), gone)
	}
}

// build is the MPD of all renditions: that of the first one, with the pictures of the
// others beside its own. Periods of one ID begin with the same segment.
func (l *ladder) build(clocks []urnPair) *ladderDoc {
	all := slices.SortedFunc(maps.Values(l.rungs), func(a, b rungDoc) int { return a.index - b.index })
	first := all[0]
	doc := &ladderDoc{mpd: *first.doc}
	if doc.Type != static {
		doc.Timings = clocks
	}
	for i := range first.doc.Periods {
		p := &first.doc.Periods[i]
		x := ladderPeriod{ID: p.ID, Start: p.Start}
		for k := range p.Sets {
			s := &p.Sets[k]
			set := ladderSet{
				ID: s.ID, ContentType: s.ContentType, MimeType: s.MimeType, Lang: s.Lang,
				SegmentAlignment: s.SegmentAlignment, StartWithSAP: s.StartWithSAP, Accessibility: s.Accessibility,
			}
			set.add(s, first)
			if kindOf(s.ContentType) == int(media.Video) {
				for _, r := range all[1:] {
					if other := r.pictures(p); other != nil {
						set.add(other, r)
					}
				}
			}
			x.Sets = append(x.Sets, set)
		}
		doc.Periods = append(doc.Periods, x)
	}
	return doc
}

// pictures is the set of r's pictures in the period that begins with p; nil: there is
// none.
func (r *rungDoc) pictures(p *period) *adaptationSet {
	for i := range r.doc.Periods {
		if q := &r.doc.Periods[i]; q.ID == p.ID && q.Start == p.Start {
			for k := range q.Sets {
				if kindOf(q.Sets[k].ContentType) == int(media.Video) {
					return &q.Sets[k]
				}
			}
		}
	}
	return nil
}

// add adds what s has of r to the set.
func (x *ladderSet) add(s *adaptationSet, r rungDoc) {
	one := ladderRendered{representation: s.Representation, Template: s.Template}
	if kindOf(s.ContentType) == int(media.Video) {
		one.ID += strconv.Itoa(r.index)
	}
	one.Template.Initialization = r.dir + one.Template.Initialization
	one.Template.Media = r.dir + one.Template.Media
	x.StartWithSAP = min(x.StartWithSAP, s.StartWithSAP)
	x.Representations = append(x.Representations, one)
}
