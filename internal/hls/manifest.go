package hls

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segmenter"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A spec is an hls block, for streams in one directory.
type spec struct {
	d    *Directory
	cfg  config.HLS
	rung *Rung // nil: the stream is no rendition of one publisher
}

// Files implements packager.Spec.
func (s *spec) Files(_, stream string) []string {
	n := namesFor(stream, &s.cfg)
	files := []string{n.main}
	if fragmented(&s.cfg) {
		files = append(files, n.lists[:]...)
	}
	if s.cfg.DVR > 0 {
		files = append(files, n.dvrFiles(&s.cfg)...)
	}
	return files
}

// Open implements packager.Spec.
func (s *spec) Open(w *packager.Writer) packager.Manifest {
	_, name := w.Stream()
	m := &manifest{d: s.d, w: w, cfg: s.cfg, names: namesFor(name, &s.cfg)}
	m.variant = newRendition(&m.names, &m.cfg, s.rung)
	if fragmented(&s.cfg) {
		m.own = ownRendition(&m.names, &m.cfg)
		if s.cfg.LowLatency {
			m.low = [2]*segstore.Low{new(segstore.Low), new(segstore.Low)}
		}
	}
	return m
}

// A manifest is the media playlists of one stream, with fmp4 its multivariant playlist,
// and its part of a multivariant playlist of several streams.
type manifest struct {
	d       *Directory
	w       *packager.Writer
	cfg     config.HLS
	names   names
	target  int  // EXT-X-TARGETDURATION in seconds; 0 until the first segment
	renew   bool // the first segment begins a new playlist, with a target of its own
	listed  [2]bool
	past    [2]noted             // by media.Kind
	low     [2]*segstore.Low     // by media.Kind, with low_latency; nil: without
	hints   [2]segstore.PartName // in the newest editions
	renamed [2]*packager.Init    // see nameInit
	measured
	variant *rendition   // nil: the stream is no rendition of others
	own     *rendition   // nil: the main playlist is a media playlist
	text    multivariant // on disk; empty: not known
	dvrText multivariant // the same, of hls.dvr
}

// source is one of the media playlists.
func (m *manifest) source(kind media.Kind) found {
	return found{kind, prefixOf(m.names.lists[kind]), packager.Prefix(m.names.stream, m.names.nested)}
}

// Resume implements packager.Manifest.
func (m *manifest) Resume() (packager.Window, error) {
	l, err := m.read(media.Video)
	if fragmented(&m.cfg) {
		audio, aerr := m.read(media.Audio)
		l, err = m.merge(l, err, audio, aerr)
	}
	if m.target > 0 { // it is read again: players know the target
		return l.Window, err
	}
	m.target, m.renew = l.target, l.Ended
	if m.target > 0 && !m.renew {
		// RFC 8216 §4.3.3.1: TARGETDURATION must not change. Only a longer
		// hls.fragment raises it, between two runs.
		m.target = max(m.target, targetFor(m.cfg.Fragment, 0))
	}
	return l.Window, err
}

// read reads one of the media playlists, and cancels its removal: that of hls.dvr, which
// has more, if there is one.
func (m *manifest) read(kind media.Kind) (playlist, error) {
	m.d.Store().Keep(m.names.lists[kind])
	if m.cfg.DVR > 0 {
		m.d.Store().Keep(m.names.dvr(kind))
		if l, err := m.readFrom(m.names.dvr(kind), kind); err == nil {
			return l, nil
		}
	}
	return m.readFrom(m.names.lists[kind], kind)
}

func (m *manifest) readFrom(name string, kind media.Kind) (playlist, error) {
	body, _, err := m.d.Store().Read(name, packager.MaxManifestSize)
	if err != nil {
		return playlist{}, err
	}
	l, err := parsePlaylist(body, m.source(kind))
	if err == nil && l.fragmented != fragmented(&m.cfg) {
		err = packager.ErrForeign
	}
	m.listed[kind] = err == nil
	return l, err
}

// merge makes one window of the two media playlists. A crash between the two leaves one
// of them a segment behind.
func (m *manifest) merge(video playlist, verr error, audio playlist, aerr error) (playlist, error) {
	switch {
	case errors.Is(aerr, fs.ErrNotExist):
		return video, verr
	case errors.Is(verr, fs.ErrNotExist):
		return audio, aerr
	case verr != nil || aerr != nil:
		if audio.Next() > video.Next() {
			video = audio
		}
		return video, cmp.Or(verr, aerr)
	}
	l, other := video, audio
	if other.Next() > l.Next() {
		l, other = other, l
	}
	var init *packager.Init
	for i := range l.Segments {
		to, at := &l.Segments[i], int64(l.Seq+uint64(i))-int64(other.Seq)
		switch f := &to.Files[other.kind]; {
		case at < 0:
		case at < int64(len(other.Segments)):
			*f = other.Segments[at].Files[other.kind]
			if f.Init != nil {
				init = f.Init
			}
			if other.kind == media.Video {
				to.Duration, to.Date, to.Independent = other.Segments[at].Duration, other.Segments[at].Date, other.Segments[at].Independent
			}
		default:
			m.unlisted(f, to.Files[l.kind], init)
		}
	}
	l.Ended = l.Ended && other.Ended
	return l, nil
}

// unlisted fills in f, a file that its media playlist does not name although that of the
// other file of the segment does, if it is there.
func (m *manifest) unlisted(f *packager.File, other packager.File, init *packager.Init) {
	from, to := trackOf(other.Name), ""
	switch from {
	case "audio-":
		to = "video-"
	case "video-":
		to = "audio-"
	}
	i := strings.LastIndex(other.Name, from)
	if to == "" || init == nil || i < 0 {
		return
	}
	if name := other.Name[:i] + to + other.Name[i+len(from):]; m.d.Store().Whole(name) {
		*f = packager.File{Name: name, Init: init, Lasts: other.Lasts, Date: other.Date}
		f.URI = m.names.uri.of(f.Name)
		if m.w.Reread(f) == nil && m.w.Reread(&other) == nil { // else it is about like the other
			f.Date = f.Date.Add(f.Begins() - other.Begins())
		}
	}
}

// trackOf is the part of a segment's name that says which track it has.
func trackOf(name string) string {
	if i := strings.LastIndex(name, "-"); i >= len("video") {
		return name[i-len("video") : i+1]
	}
	return ""
}

// Follow implements packager.Manifest.
func (m *manifest) Follow(from packager.Manifest) {
	old, ok := from.(*manifest)
	switch {
	case !ok:
	case old.w == m.w:
		m.target, m.renew, m.listed, m.past, m.measured, m.text, m.dvrText = old.target, old.renew, old.listed, old.past, old.measured, old.text, old.dvrText
		if m.cfg.LowLatency && old.cfg.LowLatency {
			m.low = old.low
		}
		if m.variant == nil && old.variant != nil {
			m.d.dropVariant(m.names.lists[media.Video])
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
		if fragmented(&m.cfg) {
			l.Longest -= frameSlack
		}
	}
	return l
}

// frameSlack is how much longer the sound of a segment may be than its pictures: it ends
// with a whole frame.
const frameSlack = 100 * time.Millisecond

// Add implements packager.Manifest.
func (m *manifest) Add(s *packager.Segment, g *segmenter.Segment) {
	if m.renew {
		m.renew, m.target, m.listed = false, 0, [2]bool{}
	}
	if m.target == 0 {
		m.target = m.w.Ladder().Target(targetFor(m.cfg.Fragment, s.Duration))
	}
	for kind := range s.Files {
		f := &s.Files[kind]
		if f.Name == "" {
			continue
		}
		f.URI = m.names.uri.of(f.Name)
		m.nameInit(media.Kind(kind), f)
		m.listed[kind] = true
	}
	m.measure(s, g, m.target)
}

// nameInit says what playlists call the initialisation section of f. What others may be
// reading is not changed: under another hls.base_url it is another one.
func (m *manifest) nameInit(kind media.Kind, f *packager.File) {
	if f.Init == nil {
		return
	}
	switch {
	case m.names.uri.match(f.Init.URI, f.Init.Name):
	case f.Init.URI == "":
		f.Init.URI = m.names.uri.of(f.Init.Name)
	default:
		if n := m.renamed[kind]; n == nil || n.Name != f.Init.Name {
			other := *f.Init
			other.URI = m.names.uri.of(f.Init.Name)
			m.renamed[kind] = &other
		}
		f.Init = m.renamed[kind]
	}
}

// Publish implements packager.Manifest.
func (m *manifest) Publish() error {
	if m.cfg.DVR > 0 {
		if err := m.publishDVR(); err != nil {
			return err
		}
	}
	for kind, name := range m.names.lists {
		if !m.listed[kind] {
			continue
		}
		l := m.playlist(media.Kind(kind))
		text := packager.Text{Low: m.low[kind], Target: time.Duration(m.target) * time.Second}
		text.Body, m.past[kind].text = l.render() // one copy of it
		if err := m.w.WriteText(name, packager.KindPlaylist, text); err != nil {
			return fmt.Errorf("playlist: %w", err)
		}
		m.w.SetNumbers(name)
	}
	if m.own != nil {
		if err := m.publishOwn(); err != nil {
			return err
		}
	}
	if m.variant != nil {
		return m.d.updateMaster(m)
	}
	return nil
}

// playlist is the media playlist of a kind.
func (m *manifest) playlist(kind media.Kind) playlist {
	l := playlist{kind: kind, fragmented: fragmented(&m.cfg), Window: m.window(), target: m.target, datetime: m.cfg.Datetime}
	if l.Past.Count > 0 {
		l.past = m.past[kind]
	}
	return l
}

// publishOwn writes the multivariant playlist of the stream itself, if it is not what is
// on disk.
func (m *manifest) publishOwn() error {
	r := *m.own
	r.measured, r.listed = m.measured, m.listed
	text := multivariantOf([]rendition{r})
	m.d.Store().KeepIfDue(m.names.main)
	if text.same(m.text) && m.d.Store().Whole(m.names.main) {
		return nil
	}
	file := packager.Text{Body: text.plain, Full: text.full, Target: time.Duration(m.target) * time.Second}
	if err := m.w.WriteText(m.names.main, packager.KindMaster, file); err != nil {
		return fmt.Errorf("multivariant playlist: %w", err)
	}
	m.text = text
	return nil
}

// Names implements packager.Format.
func (d *Directory) Names(rec segstore.Entry, body []byte) (files []string, n segstore.Numbers, ok bool) {
	if rec.Kind != packager.KindPlaylist {
		return nil, n, false
	}
	l, _ := parsePlaylist(body, found{prefix: prefixOf(rec.Name)})
	for i := range l.Segments {
		f := &l.Segments[i].Files[0]
		files = append(files, f.Name)
		if f.Init != nil {
			files = append(files, f.Init.Name)
		}
	}
	return files, segstore.Numbers{Next: l.Next(), Disc: l.NextDisc()}, true
}
