package hls

import (
	"bytes"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
)

// A playlist is one media playlist (RFC 8216 §4.3.3).
type playlist struct {
	packager.Window
	kind       media.Kind // which files it names; media.Video if they have all media
	fragmented bool       // it names fragmented MP4
	target     int        // EXT-X-TARGETDURATION in seconds; 0 until the first segment
	datetime   bool       // segments have their dates
	past       noted      // what comes before Segments
}

// targetFor is the TARGETDURATION of a playlist that begins with a fragment of
// duration first. RFC 8216 §4.3.3.1: EXTINF, rounded, must never exceed it.
func targetFor(fragment, first time.Duration) int {
	return max(int((fragment+time.Second-1)/time.Second), int((first+time.Second/2)/time.Second), 1)
}

// limitFor is the longest duration that rounds to at most target seconds, in
// the three decimals of EXTINF.
func limitFor(target int) time.Duration {
	return time.Duration(target)*time.Second + 499*time.Millisecond
}

// text is the playlist as it goes to disk.
func (l *playlist) text() []byte {
	b, _ := l.render()
	return b
}

// render is text, and what of it says l.past.
func (l *playlist) render() (b, past []byte) {
	b = make([]byte, 0, 300+len(l.past.text)+160*len(l.Segments))
	b = l.appendHeader(b, false)
	from := len(b)
	b = append(b, l.past.text...)
	to, state := len(b), l.past.tags
	for i := range l.Segments {
		b = l.appendSegment(b, &l.Segments[i], &state)
	}
	if l.Ended {
		b = append(b, "#EXT-X-ENDLIST\n"...)
	}
	b = clip(b)
	return b, b[from:to:to]
}

// clip is b without room for more: a playlist stays in memory, and may be long.
func clip(b []byte) []byte {
	if cap(b)-len(b) < 2000 {
		return b
	}
	return bytes.Clone(b)
}

// appendHeader appends what stands before the first segment.
func (l *playlist) appendHeader(b []byte, low bool) []byte {
	version := "3"
	switch {
	case low:
		version = "9" // RFC 8216bis §7: EXT-X-SKIP
	case l.fragmented:
		version = "7"
	}
	b = append(b, "#EXTM3U\n#EXT-X-VERSION:"...)
	b = append(b, version...)
	b = append(b, "\n#EXT-X-TARGETDURATION:"...)
	b = strconv.AppendInt(b, int64(l.target), 10)
	b = append(b, "\n#EXT-X-MEDIA-SEQUENCE:"...)
	seq, disc := l.Begins()
	b = strconv.AppendUint(b, seq, 10)
	b = append(b, "\n#EXT-X-DISCONTINUITY-SEQUENCE:"...)
	b = strconv.AppendUint(b, disc, 10)
	b = append(b, '\n')
	switch {
	case l.Event && l.Ended: // in place: nothing will be added (RFC 8216 §4.3.3.5)
		b = append(b, "#EXT-X-PLAYLIST-TYPE:VOD\n"...)
	case l.Event:
		b = append(b, "#EXT-X-PLAYLIST-TYPE:EVENT\n"...)
	}
	if l.independent() {
		b = append(b, "#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	}
	return b
}

// A tagState is which tags are in force.
type tagState struct {
	key  *packager.Key
	init string // URI
}

func (l *playlist) appendSegment(b []byte, s *packager.Segment, state *tagState) []byte {
	f := &s.Files[l.kind]
	b = l.appendTags(b, f, s.Discontinuity, s.Key, state)
	return l.appendFile(b, s, f)
}

// appendTags appends the tags before a segment, or before the first part of it.
func (l *playlist) appendTags(b []byte, f *packager.File, discontinuity bool, key *packager.Key, state *tagState) []byte {
	if discontinuity {
		b = append(b, "#EXT-X-DISCONTINUITY\n"...)
	}
	if f.Init != nil && f.Init.URI != state.init {
		// A key is in force for the sections behind it (RFC 8216 §4.3.2.4). They are in
		// the clear.
		if state.key != nil {
			b = appendKey(b, nil)
			state.key = nil
		}
		b = append(b, `#EXT-X-MAP:URI="`...)
		b = append(b, f.Init.URI...)
		b = append(b, "\"\n"...)
		state.init = f.Init.URI
	}
	if !sameKey(key, state.key) && f.URI != "" {
		b = appendKey(b, key)
		state.key = key
	}
	if date := f.Date; !date.IsZero() && l.datetime && f.URI != "" {
		b = append(b, "#EXT-X-PROGRAM-DATE-TIME:"...)
		b = date.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
		b = append(b, '\n')
	}
	return b
}

// lasts is the EXTINF of f in s.
func (l *playlist) lasts(s *packager.Segment, f *packager.File) time.Duration {
	switch {
	case f.URI == "":
		return s.Duration
	case l.fragmented:
		// Sound may come much later or earlier than its pictures. EXTINF is not above
		// TARGETDURATION even then; the dates of segments are right.
		return min(f.Lasts, limitFor(l.target))
	}
	return f.Lasts
}

// appendFile appends the file of a segment.
func (l *playlist) appendFile(b []byte, s *packager.Segment, f *packager.File) []byte {
	uri := f.URI
	if uri == "" {
		// There is no media of this kind in the segment. The numbers go on.
		b = append(b, "#EXT-X-GAP\n"...)
		uri = gapURI
	}
	b = append(b, "#EXTINF:"...)
	b = appendSeconds(b, l.lasts(s, f))
	b = append(b, ",\n"...)
	b = append(b, uri...)
	return append(b, '\n')
}

// gapURI stands where EXT-X-GAP says that there is no file.
const gapURI = "gap.m4s"

// sameKey says whether two keys, either of which may be nil, have the same tag.
func sameKey(k, l *packager.Key) bool {
	if k == nil || l == nil {
		return k == l
	}
	return k.URI == l.URI && k.IV == l.IV
}

func appendKey(b []byte, k *packager.Key) []byte {
	if k == nil {
		return append(b, "#EXT-X-KEY:METHOD=NONE\n"...)
	}
	b = append(b, `#EXT-X-KEY:METHOD=AES-128,URI="`...)
	b = append(b, k.URI...)
	b = append(b, `",IV=`...)
	b = append(b, k.IV...)
	return append(b, '\n')
}

func (l *playlist) independent() bool {
	if l.kind == media.Audio {
		return true
	}
	if l.Past.Count > 0 && !l.past.independent {
		return false
	}
	for i := range l.Segments {
		if !l.Segments[i].Independent {
			return false
		}
	}
	return true
}

func appendSeconds(b []byte, d time.Duration) []byte {
	ms := int64(d / time.Millisecond)
	b = strconv.AppendInt(b, ms/1000, 10)
	return append(b, '.', byte('0'+ms/100%10), byte('0'+ms/10%10), byte('0'+ms%10))
}

// localName is the name, in the directory, of the segment or key that a playlist of ours
// refers to as uri; empty if it can't be one of ours.
func localName(name, uri string) string {
	return packager.LocalName(prefixOf(name), uri)
}

// prefixOf begins the names of the segments of a media playlist.
func prefixOf(name string) string {
	dir, base := path.Split(name)
	if base = strings.TrimSuffix(base, ".m3u8"); dir != "" && base == "index" {
		return dir
	}
	return dir + base + "-"
}
