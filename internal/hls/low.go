package hls

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A lowPlaylist is a media playlist with the parts of its newest segments (RFC 8216bis).
type lowPlaylist struct {
	playlist
	uri    uris
	open   openSegment
	part   time.Duration   // PART-TARGET
	hold   time.Duration   // PART-HOLD-BACK
	other  report          // of the playlist of the other track; without a URI there is none
	ladder func() []report // if there are more renditions: the playlists of all, in order
}

// An openSegment is what a playlist says of the segment that still grows.
type openSegment struct {
	packager.File // as far as it is known
	seq           uint64
	discontinuity bool
	hint          segstore.PartName // the part that will come next; zero: it can't be said
}

// A listEnd is where a media playlist with parts ends.
type listEnd struct {
	rendition string // in master.renditions
	seq       uint64
	part      int // negative: the segment has none so far
}

// A report is where the playlist of another rendition ends.
type report struct {
	uri string
	listEnd
}

const (
	// RFC 8216bis §4.4.3.8: at least six target durations.
	skipTargets = 6
	// §4.4.4.9: parts further from the end than three target durations leave the playlist.
	partTargets = 3
	// §4.4.3.8: PART-HOLD-BACK should be at least three part targets.
	holdParts = 3
	// rounding is more than what the durations in a playlist are off by together.
	rounding = 100 * time.Millisecond
)

// edition is a version of the playlist, which must not change any more.
func (l *lowPlaylist) edition(g *segstore.Gzipper) *segstore.Edition {
	if l.Ended { // it may stay for long, and what it is made of must not
		text := l.text()
		e := segstore.NewEdition(segstore.TextsFunc(func() (body, delta []byte) { return text, nil }), g)
		e.Ended = true
		return e
	}
	e := segstore.NewEdition(l, g)
	e.Next, e.Parts = l.open.seq, len(l.open.Parts)
	if n := len(l.Segments); n > 0 {
		e.Last = len(l.Segments[n-1].Files[l.kind].Parts)
	}
	// RFC 8216bis §6.2.5.2: the Advance Part Limit.
	e.Ahead = 3
	if l.part < time.Second {
		e.Ahead = int((3*time.Second + l.part - 1) / l.part)
	}
	return e
}

// Texts renders the playlist, in whole and as an update.
func (l *lowPlaylist) Texts() (body, delta []byte) {
	var others []report
	switch {
	case l.ladder != nil:
		others = l.ladder()
	case l.other.uri != "":
		others = []report{l.other}
	}
	if skip := l.newest(skipTargets*time.Duration(l.target)*time.Second + rounding); skip > 0 {
		delta = l.low(skip, others)
	}
	return l.low(0, others), delta
}

// newest is the first segment that ends less than that from the end.
func (l *lowPlaylist) newest(distance time.Duration) int {
	var fromEnd time.Duration
	for i := range l.open.Parts {
		fromEnd += l.open.Parts[i].Duration
	}
	n := len(l.Segments)
	for ; n > 0 && fromEnd < distance; n-- {
		s := &l.Segments[n-1]
		fromEnd += l.lasts(s, &s.Files[l.kind])
	}
	return n
}

// low is the text without the first skip segments.
func (l *lowPlaylist) low(skip int, others []report) []byte {
	past := l.past
	if skip > 0 {
		past = noted{}
	}
	b := make([]byte, 0, 1600+len(past.text)+200*(len(l.Segments)-skip))
	b = l.appendHeader(b, true)
	b = append(b, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL="...)
	b = strconv.AppendInt(b, int64(skipTargets*l.target), 10)
	b = append(b, ".0,PART-HOLD-BACK="...)
	b = appendMicros(b, l.hold)
	b = append(b, "\n#EXT-X-PART-INF:PART-TARGET="...)
	b = appendMicros(b, l.part)
	b = append(b, '\n')
	if skip > 0 {
		b = append(b, "#EXT-X-SKIP:SKIPPED-SEGMENTS="...)
		b = strconv.AppendUint(b, l.Past.Count+uint64(skip), 10)
		b = append(b, '\n')
	}
	parts := l.newest(partTargets * time.Duration(l.target) * time.Second)
	b = append(b, past.text...)
	state := past.tags
	for i := skip; i < len(l.Segments); i++ {
		s := &l.Segments[i]
		f := &s.Files[l.kind]
		b = l.appendTags(b, f, s.Discontinuity, s.Key, &state)
		if i >= parts {
			b = l.appendParts(b, f)
		}
		b = l.appendFile(b, s, f)
	}
	if f := &l.open.File; len(f.Parts) > 0 {
		b = l.appendTags(b, f, l.open.discontinuity, nil, &state)
		b = l.appendParts(b, f)
	}
	if l.open.hint.File != "" {
		b = append(b, `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="`...)
		b = l.uri.append(b, l.open.hint)
		b = append(b, "\"\n"...)
	}
	for i := range others {
		b = others[i].append(b)
	}
	return clip(b)
}

func (l *lowPlaylist) appendParts(b []byte, f *packager.File) []byte {
	for i := range f.Parts {
		p := &f.Parts[i]
		b = append(b, "#EXT-X-PART:DURATION="...)
		b = appendMicros(b, min(p.Duration, l.part)) // the picture after it came late
		b = append(b, `,URI="`...)
		b = l.uri.append(b, segstore.PartName{File: f.Name, Part: i})
		b = append(b, '"')
		if p.Independent {
			b = append(b, ",INDEPENDENT=YES"...)
		}
		b = append(b, '\n')
	}
	return b
}

// append appends the EXT-X-RENDITION-REPORT.
func (r *report) append(b []byte) []byte {
	b = append(b, `#EXT-X-RENDITION-REPORT:URI="`...)
	b = append(b, r.uri...)
	b = append(b, `",LAST-MSN=`...)
	b = strconv.AppendUint(b, r.seq, 10)
	if r.part >= 0 {
		b = append(b, ",LAST-PART="...)
		b = strconv.AppendInt(b, int64(r.part), 10)
	}
	return append(b, '\n')
}

// endOf is where the playlist of a kind ends, with o as the open segment.
func (m *manifest) endOf(kind media.Kind, o *packager.Open) listEnd {
	e := listEnd{rendition: m.names.lists[media.Video], seq: o.Seq, part: len(o.Files[kind].Parts) - 1}
	if all := m.w.Window.Segments; e.part < 0 && len(all) > 0 {
		e.seq, e.part = e.seq-1, len(all[len(all)-1].Files[kind].Parts)-1
	}
	return e
}

// reports are where the playlists of a multivariant one end, but for that of one kind of n.
func (d *Directory) reports(master string, n names, kind media.Kind) func() []report {
	return func() (all []report) {
		d.mu.Lock()
		defer d.mu.Unlock()
		x := d.masters[master]
		if x == nil {
			return nil // it is not written yet
		}
		for list, e := range x.ends {
			if r, ok := x.renditions[e.rendition]; ok && !r.ended && list != n.lists[kind] {
				all = append(all, report{n.beside(list), e})
			}
		}
		slices.SortFunc(all, func(a, b report) int { return strings.Compare(a.uri, b.uri) })
		return all
	}
}

// report says in l where the other playlists end that players may change to: that of the
// other track, or those of all renditions (RFC 8216bis §4.4.5.4).
func (m *manifest) report(l *lowPlaylist, targets [2]time.Duration, o *packager.Open) {
	if m.variant != nil {
		l.ladder = m.d.reports(m.variant.master(&m.cfg), m.names, l.kind)
	} else if other := 1 - l.kind; m.listed[other] && targets[other] > 0 {
		l.other = report{path.Base(m.names.lists[other]), m.endOf(other, o)}
	}
}

// note notes where the playlists end, for the other renditions.
func (m *manifest) note(o *packager.Open, targets [2]time.Duration) {
	if m.variant == nil {
		return
	}
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	x := m.d.masters[m.variant.master(&m.cfg)]
	if x == nil {
		return
	}
	if x.ends == nil {
		x.ends = make(map[string]listEnd)
	}
	for kind, target := range targets {
		if list := m.names.lists[kind]; m.listed[kind] && target > 0 {
			x.ends[list] = m.endOf(media.Kind(kind), o)
		} else {
			delete(x.ends, list)
		}
	}
}

// appendMicros appends seconds with six decimals.
func appendMicros(b []byte, d time.Duration) []byte {
	us := int64((d + time.Microsecond/2) / time.Microsecond)
	b = strconv.AppendInt(b, us/1e6, 10)
	b = append(b, '.')
	for n := int64(1e5); n > 0; n /= 10 {
		b = append(b, byte('0'+us/n%10))
	}
	return b
}

// PublishParts implements packager.PartManifest.
func (m *manifest) PublishParts(o *packager.Open, targets [2]time.Duration) {
	m.note(o, targets)
	for kind, low := range m.low {
		if low == nil || targets[kind] == 0 || !m.listed[kind] || m.shown(kind, o) {
			continue
		}
		l := &lowPlaylist{
			playlist: m.playlist(media.Kind(kind)), part: targets[kind],
			open: openSegment{o.Files[kind], o.Seq, o.Discontinuity, o.Hints[kind]},
			uri:  m.names.uri,
		}
		m.report(l, targets, o)
		// It must not change when the sound comes, whose parts are usually so much longer.
		l.hold = holdParts * (m.cfg.Part + m.cfg.Part/20)
		for _, t := range targets {
			l.hold = max(l.hold, (holdParts*t + time.Millisecond).Truncate(time.Millisecond))
		}
		if l.open.Name != "" {
			l.open.URI = l.open.Name // only that there is one matters
			m.nameInit(media.Kind(kind), &l.open.File)
		}
		low.Publish(l.edition(m.d.Gzipper()))
		m.hints[kind] = o.Hints[kind]
	}
}

// EndParts implements packager.PartManifest.
func (m *manifest) EndParts() {
	for _, low := range m.low {
		if low == nil {
			continue
		}
		if e := low.Newest(); e != nil {
			e.Body() // from now on it has its text, and not what it is made of
		}
	}
}

// shown says whether the newest edition of a kind has all that o has.
func (m *manifest) shown(kind int, o *packager.Open) bool {
	e := m.low[kind].Newest()
	return e != nil && !m.w.Window.Ended && e.Next == o.Seq && e.Parts == len(o.Files[kind].Parts) && m.hints[kind] == o.Hints[kind]
}
