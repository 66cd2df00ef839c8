package hls

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	m3u8 "github.com/bluenviron/gohlslib/v2/pkg/playlist"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
)

const (
	maxTarget   = 24 * 3600 // seconds; a larger value is an error
	maxSequence = 1 << 31   // larger numbers may be too large for players
)

var errNotMedia = errors.New("not a media playlist of ours")

// parsePlaylist reads a media playlist found on disk: ours, or nginx-rtmp's. prefix begins
// the names of its segments.
//
// Errors: with packager.ErrForeign the numbers of the playlist are right, but its entries can't
// be written again; after any other error nothing of it can be used.
func parsePlaylist(b []byte, prefix string) (playlist, error) {
	if len(b) > packager.MaxManifestSize || !bytes.HasPrefix(b, []byte("#EXTM3U")) {
		return playlist{}, errNotMedia
	}
	var m m3u8.Media
	if err := m.Unmarshal(b); err != nil {
		return playlist{}, fmt.Errorf("%w: %w", errNotMedia, err)
	}
	if m.TargetDuration <= 0 || m.TargetDuration > maxTarget || m.MediaSequence < 0 ||
		m.MediaSequence+len(m.Segments) >= maxSequence {
		return playlist{}, errNotMedia
	}
	l := playlist{target: m.TargetDuration, Window: packager.Window{
		Seq:   uint64(m.MediaSequence),
		Event: m.PlaylistType != nil && *m.PlaylistType == m3u8.MediaPlaylistTypeEvent,
		Ended: m.Endlist,
	}}
	if m.DiscontinuitySequence != nil && *m.DiscontinuitySequence > 0 {
		l.Disc = uint64(*m.DiscontinuitySequence)
	}
	foreign := m.Map != nil || m.PartInf != nil || m.Skip != nil
	keys := make(map[m3u8.MediaKey]*packager.Key)
	for _, s := range m.Segments {
		e := packager.Segment{
			Duration:      s.Duration.Round(time.Millisecond),
			Discontinuity: s.Discontinuity,
			Independent:   m.IndependentSegments,
		}
		if e.Duration <= 0 || e.Duration > time.Duration(maxTarget)*time.Second || !plainURI(s.URI) {
			return playlist{}, errNotMedia
		}
		e.Files[media.Video] = packager.File{URI: s.URI, Name: packager.LocalName(prefix, s.URI)}
		if s.DateTime != nil {
			e.Date = *s.DateTime
		}
		if s.Key != nil && s.Key.Method != m3u8.MediaKeyMethodNone {
			k := keys[*s.Key]
			if k == nil {
				k = &packager.Key{URI: s.Key.URI, IV: s.Key.IV, Local: packager.LocalName(prefix, s.Key.URI)}
				keys[*s.Key] = k
			}
			foreign = foreign || s.Key.Method != m3u8.MediaKeyMethodAES128 || s.Key.KeyFormat != "" ||
				!plainURI(k.URI) || !hexIV(k.IV)
			e.Key = k
		}
		foreign = foreign || s.Gap || len(s.Parts) > 0 || s.ByteRangeLength != nil
		l.Segments = append(l.Segments, e)
	}
	if foreign {
		return l, packager.ErrForeign
	}
	return l, nil
}

// plainURI says whether a URI found in a playlist can be written into one again.
func plainURI(s string) bool {
	return s != "" && len(s) <= 4096 && s[0] != '#' && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '"' })
}

func hexIV(s string) bool {
	digits, ok := strings.CutPrefix(strings.ToLower(s), "0x")
	return ok && len(digits) == 32 && strings.Trim(digits, "0123456789abcdef") == ""
}
