package dash

import "github.com/rtmpd/rtmpd/internal/packager"

// Settle implements packager.Manifest.
func (m *manifest) Settle(n int) {
	l := &m.w.Window
	if l.Past.Count == 0 {
		m.forgetPast()
	}
	at := 0 // in m.parts
	for i := range l.Segments[:n] {
		s := &l.Segments[i]
		m.past = max(m.past, longest(s))
		for at+1 < len(m.parts) && m.parts[at+1].first <= l.Seq+uint64(i) {
			at++
		}
		if at < len(m.parts) && m.parts[at].first <= l.Seq+uint64(i) {
			m.parts[at].settle(s)
		}
	}
}

// settle adds s to the past of p.
func (p *part) settle(s *packager.Segment) {
	for kind := range s.Files {
		if f := &s.Files[kind]; f.Name != "" && f.Timescale == p.tracks[kind].timescale {
			p.past[kind].add(f.Start, f.Duration)
		}
	}
}

func (m *manifest) forgetPast() {
	m.past = 0
	for i := range m.parts {
		m.parts[i].past = [2]timeline{}
	}
}
