package hls

import (
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/packager"
)

// A playlist is one media playlist (RFC 8216 §4.3.3).
type playlist struct {
	packager.Window
	target   int  // EXT-X-TARGETDURATION in seconds; 0 until the first segment
	datetime bool // segments have their dates
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
	b := make([]byte, 0, 200+160*len(l.Segments))
	b = append(b, "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:"...)
	b = strconv.AppendInt(b, int64(l.target), 10)
	b = append(b, "\n#EXT-X-MEDIA-SEQUENCE:"...)
	b = strconv.AppendUint(b, l.Seq, 10)
	b = append(b, "\n#EXT-X-DISCONTINUITY-SEQUENCE:"...)
	b = strconv.AppendUint(b, l.Disc, 10)
	b = append(b, '\n')
	if l.Event {
		b = append(b, "#EXT-X-PLAYLIST-TYPE:EVENT\n"...)
	}
	if l.independent() {
		b = append(b, "#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	}
	var k *packager.Key
	for i := range l.Segments {
		s := &l.Segments[i]
		if s.Discontinuity {
			b = append(b, "#EXT-X-DISCONTINUITY\n"...)
		}
		if !sameKey(s.Key, k) {
			b = appendKey(b, s.Key)
			k = s.Key
		}
		if !s.Date.IsZero() && l.datetime {
			b = append(b, "#EXT-X-PROGRAM-DATE-TIME:"...)
			b = s.Date.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
			b = append(b, '\n')
		}
		b = append(b, "#EXTINF:"...)
		b = appendSeconds(b, s.Duration)
		b = append(b, ",\n"...)
		b = append(b, s.Files[0].URI...)
		b = append(b, '\n')
	}
	if l.Ended {
		b = append(b, "#EXT-X-ENDLIST\n"...)
	}
	return b
}

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
	if dir := name[:strings.LastIndexByte(name, '/')+1]; dir != "" {
		return dir
	}
	return strings.TrimSuffix(name, ".m3u8") + "-"
}
