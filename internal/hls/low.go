package hls

import (
	"path"
	"strconv"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A lowPlaylist is a media playlist with the parts of its newest segments (RFC 8216bis).
type lowPlaylist struct {
	playlist
	uri   func(name string) string // of a file
	open  *packager.Open
	part  time.Duration // PART-TARGET
	hold  time.Duration // PART-HOLD-BACK
	other string        // the playlist of the other track; empty: there is none
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

// edition renders the playlist, in whole and as an update.
func (l *lowPlaylist) edition(d *packager.Directory) *segstore.Edition {
	if l.Ended {
		e := segstore.NewEdition(l.text(), nil, d.Gzipper())
		e.Ended = true
		return e
	}
	file, target := &l.open.Files[l.kind], time.Duration(l.target)*time.Second
	skip := l.newest(file, skipTargets*target+rounding)
	var delta []byte
	if skip > 0 {
		delta = l.low(skip)
	}
	e := segstore.NewEdition(l.low(0), delta, d.Gzipper())
	e.Next, e.Parts = l.open.Seq, len(file.Parts)
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

// newest is the first segment that ends less than that from the end.
func (l *lowPlaylist) newest(open *packager.File, distance time.Duration) int {
	var fromEnd time.Duration
	for i := range open.Parts {
		fromEnd += open.Parts[i].Duration
	}
	n := len(l.Segments)
	for ; n > 0 && fromEnd < distance; n-- {
		s := &l.Segments[n-1]
		fromEnd += l.lasts(s, &s.Files[l.kind])
	}
	return n
}

// low is the text without the first skip segments.
func (l *lowPlaylist) low(skip int) []byte {
	b := make([]byte, 0, 600+200*len(l.Segments)+1000)
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
		b = strconv.AppendInt(b, int64(skip), 10)
		b = append(b, '\n')
	}
	parts := l.newest(&l.open.Files[l.kind], partTargets*time.Duration(l.target)*time.Second)
	var state tagState
	for i := skip; i < len(l.Segments); i++ {
		s := &l.Segments[i]
		f := &s.Files[l.kind]
		b = l.appendTags(b, f, s.Discontinuity, s.Key, &state)
		if i >= parts {
			b = l.appendParts(b, f)
		}
		b = l.appendFile(b, s, f)
	}
	if f := &l.open.Files[l.kind]; len(f.Parts) > 0 {
		open := *f
		open.URI = l.uri(f.Name)
		b = l.appendTags(b, &open, l.open.Discontinuity, nil, &state)
		b = l.appendParts(b, f)
	}
	if hint := l.open.Hints[l.kind]; hint != "" {
		b = append(b, `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="`...)
		b = append(b, l.uri(hint)...)
		b = append(b, "\"\n"...)
	}
	if l.other != "" {
		b = l.appendReport(b, 1-l.kind)
	}
	return b
}

func (l *lowPlaylist) appendParts(b []byte, f *packager.File) []byte {
	for i := range f.Parts {
		p := &f.Parts[i]
		b = append(b, "#EXT-X-PART:DURATION="...)
		b = appendMicros(b, min(p.Duration, l.part)) // the picture after it came late
		b = append(b, `,URI="`...)
		b = append(b, l.uri(p.Name)...)
		b = append(b, '"')
		if p.Independent {
			b = append(b, ",INDEPENDENT=YES"...)
		}
		b = append(b, '\n')
	}
	return b
}

// appendReport appends where the playlist of another kind ends.
func (l *lowPlaylist) appendReport(b []byte, kind media.Kind) []byte {
	segment, part := l.open.Seq, len(l.open.Files[kind].Parts)-1
	if n := len(l.Segments); part < 0 && n > 0 {
		segment, part = segment-1, len(l.Segments[n-1].Files[kind].Parts)-1
	}
	b = append(b, `#EXT-X-RENDITION-REPORT:URI="`...)
	b = append(b, l.other...)
	b = append(b, `",LAST-MSN=`...)
	b = strconv.AppendUint(b, segment, 10)
	if part >= 0 {
		b = append(b, ",LAST-PART="...)
		b = strconv.AppendInt(b, int64(part), 10)
	}
	return append(b, '\n')
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
	for kind, low := range m.low {
		if low == nil || targets[kind] == 0 || !m.listed[kind] || m.shown(kind, o) {
			continue
		}
		l := lowPlaylist{
			playlist: m.playlist(media.Kind(kind)), open: o, part: targets[kind],
			uri: func(name string) string { return m.names.uri + m.w.Tail(packager.File{Name: name}) },
		}
		for _, t := range targets {
			l.hold = max(l.hold, (holdParts*t + time.Millisecond).Truncate(time.Millisecond))
		}
		if m.listed[1-kind] && targets[1-kind] > 0 {
			l.other = path.Base(m.names.lists[1-kind])
		}
		if init := o.Files[kind].Init; init != nil {
			init.URI = m.names.uri + m.w.Tail(packager.File{Name: init.Name})
		}
		low.Publish(l.edition(m.d.Directory))
		m.hints[kind] = o.Hints[kind]
	}
}

// shown says whether the newest edition of a kind has all that o has.
func (m *manifest) shown(kind int, o *packager.Open) bool {
	e := m.low[kind].Newest()
	return e != nil && !m.w.Window.Ended && e.Next == o.Seq && e.Parts == len(o.Files[kind].Parts) && m.hints[kind] == o.Hints[kind]
}
