package hls

import (
	"fmt"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
)

// With hls.dvr the window of a stream is long. The playlists that players open name the
// end of it, and a second set of playlists all of it:
//
//	plain              nested
//	NAME-dvr.m3u8      NAME/dvr.m3u8
//	NAME-dvr-video.m3u8  …           with fmp4, and audio

// dvrOf is the file of hls.dvr beside a playlist.
func (n *names) dvrOf(file string) string {
	prefix := packager.Prefix(n.stream, n.nested)
	if file == n.main {
		return prefix + "dvr.m3u8"
	}
	return prefix + "dvr-" + strings.TrimPrefix(file, prefix)
}

func (n *names) dvr(kind media.Kind) string { return n.dvrOf(n.lists[kind]) }

// dvrFiles are all of them.
func (n *names) dvrFiles(cfg *config.HLS) []string {
	files := []string{n.dvrOf(n.main)}
	if fragmented(cfg) {
		files = append(files, n.dvr(media.Video), n.dvr(media.Audio))
	}
	return files
}

// window is what the playlists name that players open.
func (m *manifest) window() packager.Window {
	if m.cfg.DVR == 0 {
		return m.w.Window
	}
	return m.w.Window.Tail(max(m.cfg.PlaylistLength, m.Limits().Least))
}

// publishDVR writes the playlists of all that is there. They are written first: they may
// have a segment that the others have not, and not the other way round.
func (m *manifest) publishDVR() error {
	target := time.Duration(m.target) * time.Second
	for kind := range m.names.lists {
		if !m.listed[kind] {
			continue
		}
		l := m.playlist(media.Kind(kind))
		l.Window = m.w.Window
		if err := m.w.WriteText(m.names.dvr(media.Kind(kind)), packager.KindPlaylist, packager.Text{Body: l.text(), Target: target}); err != nil {
			return fmt.Errorf("dvr playlist: %w", err)
		}
	}
	if m.own == nil {
		return nil
	}
	r := *m.own
	r.measured, r.listed = m.measured, m.listed
	for kind := range r.uris {
		r.uris[kind] = m.names.ownURI(m.names.dvr(media.Kind(kind)), &m.cfg)
	}
	name, text := m.names.dvrOf(m.names.main), multivariantOf([]rendition{r})
	m.d.Store().KeepIfDue(name)
	if text.same(m.dvrText) && m.d.Store().Whole(name) {
		return nil
	}
	if err := m.w.WriteText(name, packager.KindMaster, packager.Text{Body: text.plain, Full: text.full, Target: target}); err != nil {
		return fmt.Errorf("dvr multivariant playlist: %w", err)
	}
	m.dvrText = text
	return nil
}
