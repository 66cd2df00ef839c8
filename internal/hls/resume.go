package hls

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"time"

	m3u8 "github.com/bluenviron/gohlslib/v2/pkg/playlist"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

const (
	// maxPlaylistSize is more than a day of an event's fragments.
	maxPlaylistSize = 16 << 20
	maxTarget       = 24 * 3600 // seconds; a larger value is an error
	maxSequence     = 1 << 31   // larger numbers may be too large for players
)

var (
	errNotMedia = errors.New("not a media playlist of ours")
	errForeign  = errors.New("playlist uses features this packager does not write")
)

// parsePlaylist reads a media playlist found on disk: ours, or nginx-rtmp's.
//
// Errors: with errForeign the numbers of the playlist are right, but its entries can't
// be written again; after any other error nothing of it can be used.
func parsePlaylist(b []byte) (playlist, error) {
	if len(b) > maxPlaylistSize || !bytes.HasPrefix(b, []byte("#EXTM3U")) {
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
	l := playlist{
		seq:    uint64(m.MediaSequence),
		target: m.TargetDuration,
		event:  m.PlaylistType != nil && *m.PlaylistType == m3u8.MediaPlaylistTypeEvent,
		ended:  m.Endlist,
	}
	if m.DiscontinuitySequence != nil && *m.DiscontinuitySequence > 0 {
		l.disc = uint64(*m.DiscontinuitySequence)
	}
	foreign := m.Map != nil || m.PartInf != nil || m.Skip != nil
	keys := make(map[m3u8.MediaKey]*key)
	for _, s := range m.Segments {
		e := entry{
			uri:           s.URI,
			duration:      s.Duration.Round(time.Millisecond),
			discontinuity: s.Discontinuity,
			independent:   m.IndependentSegments,
		}
		if e.duration <= 0 || e.duration > time.Duration(maxTarget)*time.Second || !plainURI(e.uri) {
			return playlist{}, errNotMedia
		}
		if s.DateTime != nil {
			e.date = *s.DateTime
		}
		if s.Key != nil && s.Key.Method != m3u8.MediaKeyMethodNone {
			k := keys[*s.Key]
			if k == nil {
				k = &key{uri: s.Key.URI, iv: s.Key.IV}
				keys[*s.Key] = k
			}
			foreign = foreign || s.Key.Method != m3u8.MediaKeyMethodAES128 || s.Key.KeyFormat != "" ||
				!plainURI(k.uri) || !hexIV(k.iv)
			e.key = k
		}
		foreign = foreign || s.Gap || len(s.Parts) > 0 || s.ByteRangeLength != nil
		l.entries = append(l.entries, e)
	}
	if foreign {
		return l, errForeign
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

// resume reads the stream's playlist on disk and cancels the removal of its files.
// Numbers never go back: if the playlist can't be used they begin beyond every number
// that it or its fragments may have used. continuous says whether old entries stay. gone
// are entries that the playlist on disk names and the next one will not.
func (d *Directory) resume(n *names, continuous bool) (l playlist, gone []entry) {
	s := d.main
	s.Keep(n.playlist)
	body, _, err := s.Read(n.playlist, maxPlaylistSize)
	if errors.Is(err, fs.ErrNotExist) {
		return d.afresh(n, false), nil
	}
	if err == nil {
		l, err = parsePlaylist(body)
	}
	if err != nil && !errors.Is(err, errForeign) {
		return d.afresh(n, true), nil
	}
	sum := l.duration()
	last := -1 // newest entry whose file has gone
	for i := range l.entries {
		e := &l.entries[i]
		e.longest = sum
		name := localName(n.playlist, e.uri)
		if name != "" && s.Ours(name) {
			s.Keep(name)
			e.name = name
		}
		if name == "" || !s.Whole(name) {
			last = i
		}
	}
	if err != nil || !continuous {
		last = len(l.entries) - 1
	}
	return l, l.remove(last + 1)
}

// afresh is an empty playlist whose numbers were not used before. garbage: there is a
// playlist that can't be read, and players may know its numbers.
func (d *Directory) afresh(n *names, garbage bool) playlist {
	var l playlist
	d.main.Each(func(r segstore.Entry, _ segstore.Numbers) {
		if r.App != n.app || r.Stream != n.stream {
			return
		}
		switch r.Kind {
		case kindSegment:
			l.seq = max(l.seq, r.Seq+1)
		case kindRetired:
			l.seq, l.disc = max(l.seq, r.Seq), max(l.disc, r.Disc)
		}
	})
	if !garbage {
		return l
	}
	// The next discontinuity sequence number is unknown. It is not above the one that
	// every fragment would have led to.
	if n.naming == "sequential" {
		l.seq = max(l.seq, d.highest(n)+1)
	} else if l.seq == 0 {
		// The names of files say nothing about numbers here. One number a second
		// since 2020 is more than any playlist has used.
		l.seq = uint64(max(d.now().Unix()-1577836800, 0))
	}
	l.disc = max(l.disc, l.seq)
	return l
}

// highest is the highest number of a fragment of the stream, ours or not.
func (d *Directory) highest(n *names) uint64 {
	dir := "."
	if n.nested {
		dir = n.stream
	}
	files, err := d.main.List(dir)
	if err != nil {
		return 0
	}
	var top uint64
	for _, f := range files {
		if n.nested {
			f = n.stream + "/" + f
		}
		id, ok := strings.CutPrefix(f, n.prefix)
		if !ok || !numbered(id) {
			continue
		}
		if v, err := strconv.ParseUint(id[:strings.IndexByte(id, '.')], 10, 64); err == nil && v < math.MaxInt32 {
			top = max(top, v)
		}
	}
	return top
}
