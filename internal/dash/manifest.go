package dash

import (
	"fmt"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segmenter"
)

// A manifest is the MPD of one stream. Media times are counted from
// packager.Window.Epoch, which is availabilityStartTime: the media at time t was at
// availabilityStartTime + t, as long as the publisher's clock agrees with ours.
type manifest struct {
	d    *Directory
	w    *packager.Writer
	cfg  config.DASH
	file string
	rung *Rung // nil: the stream is no rendition

	parts   []part        // of the window; the last one goes on
	longest time.Duration // the longest segment of the window
	past    time.Duration // the longest one before it
	lag     lagMeter
	low     *low // nil: without low latency
}

// Resume implements packager.Manifest.
func (m *manifest) Resume() (packager.Window, error) {
	m.d.Store().Keep(m.file)
	body, _, err := m.d.Store().Read(m.file, packager.MaxManifestSize)
	if err != nil {
		return packager.Window{}, err
	}
	old, err := parseMPD(body)
	if err != nil {
		return packager.Window{}, err
	}
	return m.resume(old)
}

// Follow implements packager.Manifest.
func (m *manifest) Follow(from packager.Manifest) {
	old, ok := from.(*manifest)
	if !ok {
		return
	}
	m.longest = max(m.longest, old.longest)
	if old.w == m.w {
		m.parts, m.past, m.lag = old.parts, old.past, old.lag
		if m.low != nil && old.low != nil {
			m.low = old.low
		}
	}
}

// Limits implements packager.Manifest. Players are some time behind, and the MPD that they
// have may be old.
func (m *manifest) Limits() packager.Limits {
	return packager.Limits{Least: m.delay() + m.longest, Late: 2 * m.longest, Refresh: m.longest + m.lag.tolerance(m.longest)}
}

// delay is how far players are to be behind the newest media: there is a segment that is
// being written, one that the player's MPD does not name so far, and one that it loads.
func (m *manifest) delay() time.Duration { return 3*m.longest + m.lag.tolerance(m.longest) }

// Add implements packager.Manifest.
func (m *manifest) Add(s *packager.Segment, g *segmenter.Segment) {
	seq := m.w.Window.Next() - 1
	m.measure()
	from, until, ok := span(s)
	if !ok {
		return
	}
	p := m.part()
	switch {
	case p != nil && p.first == seq && p.takes(s): // it began when the first part was there
		m.lag.reset()
	case p == nil || s.Discontinuity:
		p = m.begin(seq, s, from, from)
		m.lag.reset()
	case !p.takes(s) || m.newCaptions(p, g) && m.rung == nil:
		p = m.begin(seq, s, from, p.at(from))
	}
	end := m.w.Window.Epoch.Add(p.at(until))
	if off := m.lag.add(m.d.Now().Sub(end), m.longest); off != 0 {
		if m.low != nil && m.low.seq == seq { // players have it already
			m.low.shift = off
		} else {
			p = m.begin(seq, s, from, p.at(from)+off)
		}
		m.lag.reset()
	}
	if p.first == seq && m.newCaptions(p, g) {
		p.captions |= g.Captions
	}
	for kind := range s.Files {
		if f := &s.Files[kind]; f.Name != "" {
			p.tracks[kind].measure(f, g, s.Independent)
			if m.low != nil {
				m.low.open[kind] = opened{}
			}
		}
	}
}

// newCaptions says whether g has captions that p does not declare. A period declares those
// of its first segment: dash.js 5.0 goes on in no set that has changed within a period. The
// periods of renditions begin together, so none begins for captions.
//
// With low latency captions are not declared: dash.js looks for declared ones in every
// piece of a segment that it receives, and fails at pieces without a whole picture.
func (m *manifest) newCaptions(p *part, g *segmenter.Segment) bool {
	return m.low == nil && g != nil && g.Captions&^p.captions != 0
}

// Publish implements packager.Manifest.
func (m *manifest) Publish() error {
	doc := m.build(m.d.Now(), false)
	if len(doc.Periods) == 0 {
		return nil
	}
	text, err := doc.text()
	if err != nil {
		return err
	}
	// Viewers that do not ask for three of these durations count as gone.
	target := max(time.Duration(doc.MinimumUpdatePeriod), time.Second)
	if err := m.w.WriteText(m.file, packager.KindMPD, m.text(text, target)); err != nil {
		return fmt.Errorf("mpd: %w", err)
	}
	m.w.SetNumbers(m.file)
	if m.rung != nil {
		return m.d.updateLadder(m, doc, target)
	}
	switch {
	case m.low == nil || m.low.part == 0:
	case m.w.Window.Ended: // nothing more is written: it is the same for all
		m.low.open = [2]opened{}
		m.low.mpd.Publish(m.edition(text))
	default:
		m.publishLow()
	}
	return nil
}

// text is the MPD as it is written.
func (m *manifest) text(body []byte, target time.Duration) packager.Text {
	t := packager.Text{Body: body, Target: target}
	if m.low != nil {
		t.Low = &m.low.mpd
	}
	return t
}

// measure finds the longest segment.
func (m *manifest) measure() {
	m.longest = 0
	if m.w.Window.Past.Count > 0 {
		m.longest = m.past
	}
	for i := range m.w.Window.Segments {
		m.longest = max(m.longest, longest(&m.w.Window.Segments[i]))
	}
}

// longest is how long the longest file of s is.
func longest(s *packager.Segment) time.Duration {
	return max(s.Duration, s.Files[media.Video].Lasts, s.Files[media.Audio].Lasts)
}

// span is from when to when the media of s is, by its pictures if it has some.
func span(s *packager.Segment) (from, until time.Duration, ok bool) {
	for kind := range s.Files {
		if f := &s.Files[kind]; f.Name != "" && f.Timescale > 0 {
			return ticks(f.Start, f.Timescale), ticks(f.Start+f.Duration, f.Timescale), true
		}
	}
	return 0, 0, false
}

// ticks is n ticks, to the millisecond.
func ticks(n uint64, timescale uint32) time.Duration {
	scale := uint64(timescale)
	return time.Duration(n/scale*1000+(n%scale*1000+scale/2)/scale) * time.Millisecond
}
