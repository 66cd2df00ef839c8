package hls

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// An entry is one fragment in a media playlist.
type entry struct {
	uri           string // as written
	name          string // in the directory; empty when the file is not ours
	duration      time.Duration
	discontinuity bool
	independent   bool
	date          time.Time // zero: none
	key           *key      // nil: in the clear
	// longest is the duration of the longest playlist published that named it.
	longest time.Duration
}

// A playlist is one stream's media playlist (RFC 8216 §4.3.3).
type playlist struct {
	seq     uint64 // EXT-X-MEDIA-SEQUENCE, of the first entry
	disc    uint64 // EXT-X-DISCONTINUITY-SEQUENCE
	target  int    // EXT-X-TARGETDURATION in seconds; 0 until the first entry
	event   bool
	ended   bool
	entries []entry
}

// next is the media sequence number of the entry to come.
func (l *playlist) next() uint64 { return l.seq + uint64(len(l.entries)) }

// nextDisc is the discontinuity sequence number at the playlist's end.
func (l *playlist) nextDisc() uint64 {
	n := l.disc
	for i := range l.entries {
		if l.entries[i].discontinuity {
			n++
		}
	}
	return n
}

func (l *playlist) duration() time.Duration {
	var sum time.Duration
	for i := range l.entries {
		sum += l.entries[i].duration
	}
	return sum
}

// trim takes the oldest entries out and returns them. What stays is at least
// length long, at least three target durations (RFC 8216 §6.2.2: a server must
// not leave less) and at least three entries. An event playlist keeps all.
func (l *playlist) trim(length time.Duration) []entry {
	if l.event {
		return nil
	}
	keep := max(length, 3*time.Duration(l.target)*time.Second)
	n, left := 0, l.duration()
	for len(l.entries)-n > 3 && left-l.entries[n].duration >= keep {
		left -= l.entries[n].duration
		n++
	}
	return l.remove(n)
}

// remove takes the first n entries out and returns them.
func (l *playlist) remove(n int) []entry {
	out := l.entries[:n:n]
	for i := range out {
		l.seq++
		if out[i].discontinuity {
			l.disc++
		}
	}
	// A fresh array: the old one would keep every entry there ever was.
	if n > 0 {
		l.entries = append(make([]entry, 0, len(l.entries)-n+4), l.entries[n:]...)
	}
	return out
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
	b := make([]byte, 0, 200+160*len(l.entries))
	b = append(b, "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:"...)
	b = strconv.AppendInt(b, int64(l.target), 10)
	b = append(b, "\n#EXT-X-MEDIA-SEQUENCE:"...)
	b = strconv.AppendUint(b, l.seq, 10)
	b = append(b, "\n#EXT-X-DISCONTINUITY-SEQUENCE:"...)
	b = strconv.AppendUint(b, l.disc, 10)
	b = append(b, '\n')
	if l.event {
		b = append(b, "#EXT-X-PLAYLIST-TYPE:EVENT\n"...)
	}
	if l.independent() {
		b = append(b, "#EXT-X-INDEPENDENT-SEGMENTS\n"...)
	}
	var k *key
	for i := range l.entries {
		e := &l.entries[i]
		if e.discontinuity {
			b = append(b, "#EXT-X-DISCONTINUITY\n"...)
		}
		if !e.key.same(k) {
			b = e.key.appendTag(b)
			k = e.key
		}
		if !e.date.IsZero() {
			b = append(b, "#EXT-X-PROGRAM-DATE-TIME:"...)
			b = e.date.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
			b = append(b, '\n')
		}
		b = append(b, "#EXTINF:"...)
		b = appendSeconds(b, e.duration)
		b = append(b, ",\n"...)
		b = append(b, e.uri...)
		b = append(b, '\n')
	}
	if l.ended {
		b = append(b, "#EXT-X-ENDLIST\n"...)
	}
	return b
}

func (l *playlist) independent() bool {
	for i := range l.entries {
		if !l.entries[i].independent {
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

// localName is the name, in the directory, of the fragment or key that a
// playlist of ours refers to as uri; empty if it can't be one of ours.
func localName(playlist, uri string) string {
	if i := strings.IndexAny(uri, "?#"); i >= 0 {
		uri = uri[:i]
	}
	base, err := url.PathUnescape(uri[strings.LastIndexByte(uri, '/')+1:])
	if err != nil {
		return ""
	}
	dir := playlist[:strings.LastIndexByte(playlist, '/')+1]
	prefix := ""
	if dir == "" {
		prefix = strings.TrimSuffix(playlist, ".m3u8") + "-"
	}
	id, ok := strings.CutPrefix(base, prefix)
	if !ok || !numbered(id) {
		return ""
	}
	return dir + base
}

// numbered says whether s is digits and one of our suffixes.
func numbered(s string) bool {
	id, ok := strings.CutSuffix(s, ".ts")
	if !ok {
		id, ok = strings.CutSuffix(s, ".key")
	}
	if !ok || id == "" || len(id) > 20 {
		return false
	}
	for i := range len(id) {
		if id[i] < '0' || id[i] > '9' {
			return false
		}
	}
	return true
}
