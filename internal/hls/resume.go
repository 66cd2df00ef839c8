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

// found is a media playlist on disk.
type found struct {
	kind   media.Kind // what it has
	prefix string     // begins the names of its segments
	keys   string     // begins the names of its keys
}

// parsePlaylist reads a media playlist: ours, or nginx-rtmp's.
//
// Errors: with packager.ErrForeign the numbers of the playlist are right, but its entries can't
// be written again; after any other error nothing of it can be used.
func parsePlaylist(b []byte, in found) (playlist, error) {
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
	l := playlist{kind: in.kind, fragmented: m.Map != nil, target: m.TargetDuration, Window: packager.Window{
		Seq:   uint64(m.MediaSequence),
		Event: m.PlaylistType != nil, // one that has ended is VOD
		Ended: m.Endlist,
	}}
	if m.DiscontinuitySequence != nil && *m.DiscontinuitySequence > 0 {
		l.Disc = uint64(*m.DiscontinuitySequence)
	}
	foreign := m.PartInf != nil || m.Skip != nil
	var inits []*packager.Init
	if l.fragmented {
		inits, foreign = initsOf(b, in.prefix, len(m.Segments))
	}
	keys := make(map[m3u8.MediaKey]*packager.Key)
	for i, s := range m.Segments {
		e := packager.Segment{
			Duration:      s.Duration.Round(time.Millisecond),
			Discontinuity: s.Discontinuity,
			Independent:   m.IndependentSegments,
		}
		if e.Duration <= 0 || e.Duration > time.Duration(maxTarget)*time.Second || !plainURI(s.URI) {
			return playlist{}, errNotMedia
		}
		f := &e.Files[in.kind]
		f.Lasts = e.Duration
		if s.DateTime != nil {
			e.Date, f.Date = *s.DateTime, *s.DateTime
		}
		switch {
		case !s.Gap:
			f.URI, f.Name = s.URI, packager.LocalName(in.prefix, s.URI)
			if l.fragmented {
				f.Init = inits[i]
			}
		case !l.fragmented:
			foreign = true
		}
		if s.Key != nil && s.Key.Method != m3u8.MediaKeyMethodNone {
			k := keys[*s.Key]
			if k == nil {
				k = &packager.Key{URI: s.Key.URI, IV: s.Key.IV, Local: packager.LocalName(in.keys, s.Key.URI)}
				keys[*s.Key] = k
			}
			foreign = foreign || s.Key.Method != m3u8.MediaKeyMethodAES128 || s.Key.KeyFormat != "" ||
				!plainURI(k.URI) || !hexIV(k.IV)
			e.Key = k
		}
		foreign = foreign || len(s.Parts) > 0 || s.ByteRangeLength != nil
		l.Segments = append(l.Segments, e)
	}
	if foreign {
		return l, packager.ErrForeign
	}
	return l, nil
}

// initsOf returns the initialisation section of each of n segments. The parser knows only
// one for the whole playlist. foreign: one is not ours.
func initsOf(b []byte, prefix string, n int) (all []*packager.Init, foreign bool) {
	var init *packager.Init
	all = make([]*packager.Init, n)
	i := 0
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if attrs, ok := strings.CutPrefix(line, "#EXT-X-MAP:"); ok {
			_, rest, _ := strings.Cut(attrs, `URI="`)
			uri, _, _ := strings.Cut(rest, `"`)
			init = &packager.Init{Name: packager.LocalName(prefix, uri), URI: uri}
			foreign = foreign || init.Name == "" || !plainURI(uri) || strings.Contains(attrs, "BYTERANGE=")
		}
		if line == "" || line[0] == '#' {
			continue
		}
		if i == n || init == nil && line != gapURI { // sound may come later
			return all, true
		}
		all[i] = init
		i++
	}
	return all, foreign || i < n
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
