package hls

import "github.com/rtmpd/rtmpd/internal/media"

// A noted is what a playlist says of the past.
type noted struct {
	text        []byte
	tags        tagState // in force behind it
	independent bool
}

// Settle implements packager.Manifest.
func (m *manifest) Settle(n int) {
	for kind := range m.past {
		if kind == int(media.Audio) && !fragmented(&m.cfg) {
			continue
		}
		l := m.playlist(media.Kind(kind))
		p := noted{independent: true}
		if l.Past.Count > 0 {
			p = l.past
		}
		for i := range l.Segments[:n] {
			p.text = l.appendSegment(p.text, &l.Segments[i], &p.tags)
			p.independent = p.independent && l.Segments[i].Independent
		}
		m.past[kind] = p
	}
}
