package hls

import (
	"fmt"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segmenter"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A spec is an hls block, for streams in one directory.
type spec struct {
	d   *Directory
	cfg config.HLS
}

// Files implements packager.Spec.
func (s *spec) Files(_, stream string) []string { return []string{PlaylistName(stream, &s.cfg)} }

// Open implements packager.Spec.
func (s *spec) Open(w *packager.Writer) packager.Manifest {
	m := &manifest{d: s.d, w: w, cfg: s.cfg}
	_, name := w.Stream()
	m.names = namesFor(name, &m.cfg)
	m.variant = newRendition(&m.names, &m.cfg)
	return m
}

// A manifest is the media playlist of one stream, and its part of a multivariant
// playlist.
type manifest struct {
	d       *Directory
	w       *packager.Writer
	cfg     config.HLS
	names   names
	target  int  // EXT-X-TARGETDURATION in seconds; 0 until the first segment
	renew   bool // the first segment begins a new playlist, with a target of its own
	variant *rendition
}

// Resume implements packager.Manifest.
func (m *manifest) Resume() (packager.Window, error) {
	s := m.d.Store()
	s.Keep(m.names.playlist)
	body, _, err := s.Read(m.names.playlist, packager.MaxManifestSize)
	if err != nil {
		return packager.Window{}, err
	}
	l, err := parsePlaylist(body, prefixOf(m.names.playlist))
	m.target, m.renew = l.target, l.Ended
	if m.target > 0 && !m.renew {
		// RFC 8216 §4.3.3.1: TARGETDURATION must not change. Only a longer
		// hls.fragment raises it, between two runs.
		m.target = max(m.target, targetFor(m.cfg.Fragment, 0))
	}
	return l.Window, err
}

// Follow implements packager.Manifest.
func (m *manifest) Follow(from packager.Manifest) {
	old, ok := from.(*manifest)
	switch {
	case !ok:
	case old.w == m.w:
		m.target, m.renew = old.target, old.renew
		switch {
		case m.variant == nil && old.variant != nil:
			m.d.dropVariant(m.names.playlist)
		case m.variant != nil && old.variant != nil:
			m.variant.measured = old.variant.measured
		}
	case old.target > 0 && !m.renew:
		m.target = max(m.target, old.target, targetFor(m.cfg.Fragment, 0))
	}
}

// Limits implements packager.Manifest.
func (m *manifest) Limits() packager.Limits {
	target := time.Duration(m.target) * time.Second
	// RFC 8216 §6.2.2: a server must not leave less than three target durations.
	l := packager.Limits{Least: 3 * target, Late: 2 * target}
	if m.target > 0 && !m.renew {
		l.Fragment, l.Longest = target, limitFor(m.target)
	}
	return l
}

// Add implements packager.Manifest.
func (m *manifest) Add(s *packager.Segment, g *segmenter.Segment) {
	if m.renew {
		m.renew, m.target = false, 0
	}
	if m.target == 0 {
		m.target = targetFor(m.cfg.Fragment, g.Duration)
	}
	s.Files[media.Video].URI = m.names.uri + m.w.Tail(s.Files[media.Video])
	if m.variant != nil {
		m.variant.measure(g, s.Size(), m.target)
	}
}

// Publish implements packager.Manifest.
func (m *manifest) Publish() error {
	l := playlist{Window: m.w.Window, target: m.target, datetime: m.cfg.Datetime}
	if err := m.w.WriteText(m.names.playlist, packager.KindPlaylist, l.text(), time.Duration(m.target)*time.Second); err != nil {
		return fmt.Errorf("playlist: %w", err)
	}
	m.w.SetNumbers(m.names.playlist)
	if m.variant != nil {
		return m.d.updateMaster(m)
	}
	return nil
}

// codecsOf are the RFC 6381 names of a segment's tracks; empty when one is unknown.
func codecsOf(tracks [2]*media.Track) string {
	var s string
	for _, t := range tracks {
		if t == nil {
			continue
		}
		if t.CodecString == "" {
			return ""
		}
		if s != "" {
			s += ","
		}
		s += t.CodecString
	}
	return s
}

// Names implements packager.Format.
func (d *Directory) Names(rec segstore.Entry, body []byte) (files []string, n segstore.Numbers, ok bool) {
	if rec.Kind != packager.KindPlaylist {
		return nil, n, false
	}
	l, _ := parsePlaylist(body, prefixOf(rec.Name))
	for i := range l.Segments {
		files = append(files, l.Segments[i].Files[0].Name)
	}
	return files, segstore.Numbers{Next: l.Next(), Disc: l.NextDisc()}, true
}
