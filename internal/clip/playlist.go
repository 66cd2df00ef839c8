package clip

import (
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Segment is one of a stream.
type Segment struct {
	Files     [2]string // by media.Kind, relative to the playlist; MPEG-TS has all media in the first
	Init      [2]string // their initialisation sections; empty: MPEG-TS
	Duration  time.Duration
	Date      time.Time // of its beginning; zero: not known
	Break     bool      // its media do not follow those of the segment before
	Encrypted bool
}

// maxSegments is more than a day of them.
const maxSegments = 1 << 17

// Read reads a media playlist that rtmpd has written; the files of its segments are of
// that kind. Lines that can't be understood are passed over, with the segments that they
// are about.
func Read(playlist []byte, kind int) (all []Segment) {
	var next Segment
	init, encrypted := "", false
	ok := false // the segment has a duration
	for line := range strings.Lines(string(playlist)) {
		line = strings.TrimSpace(line)
		value := func(tag string) (string, bool) { return strings.CutPrefix(line, tag) }
		switch {
		case line == "":
		case line[0] != '#':
			next.Files[kind], next.Init[kind], next.Encrypted = line, init, encrypted
			if strings.Contains(line, "://") {
				next.Files[kind] = path.Base(line) // hls.base_url: the files are here all the same
			}
			if name, err := url.PathUnescape(next.Files[kind]); err != nil || len(all) == maxSegments {
				ok = false
			} else {
				next.Files[kind] = name
			}
			if ok {
				all = append(all, next)
			}
			next, ok = Segment{Break: !ok}, false
		case line == "#EXT-X-DISCONTINUITY":
			next.Break = true
		case line == "#EXT-X-GAP":
			ok = false
			next.Duration = -1
		default:
			if text, is := value("#EXTINF:"); is {
				seconds, err := strconv.ParseFloat(strings.TrimSuffix(text, ","), 64)
				ok = err == nil && seconds > 0 && seconds < 86400 && next.Duration == 0
				next.Duration = time.Duration(seconds*1000+0.5) * time.Millisecond
			} else if text, is := value("#EXT-X-PROGRAM-DATE-TIME:"); is {
				next.Date, _ = time.Parse(time.RFC3339Nano, text)
			} else if text, is := value(`#EXT-X-MAP:URI="`); is {
				uri, _, _ := strings.Cut(text, `"`)
				if strings.Contains(uri, "://") {
					uri = path.Base(uri)
				}
				init, _ = url.PathUnescape(uri)
			} else if text, is := value("#EXT-X-KEY:METHOD="); is {
				encrypted = !strings.HasPrefix(text, "NONE")
			}
		}
	}
	return all
}

// Beside puts the files of sound, of a playlist with the same numbers, beside those of
// video. Their playlists may differ by a segment at either end.
func Beside(video, audio []Segment) (all []Segment) {
	if len(video) == 0 || len(audio) == 0 {
		return append(video, audio...)
	}
	near := func(a, b *Segment) bool { return (a.Date.Sub(b.Date)).Abs() < min(a.Duration, b.Duration)/2 }
	for i := range video {
		s := video[i]
		if j := slices.IndexFunc(audio, func(a Segment) bool { return near(&a, &s) }); j >= 0 {
			s.Files[1], s.Init[1] = audio[j].Files[1], audio[j].Init[1]
			s.Encrypted = s.Encrypted || audio[j].Encrypted
			all = append(all, s)
			audio = audio[j+1:]
		}
	}
	return all
}

// Last are the newest segments that are at least d long together, or all.
func Last(all []Segment, d time.Duration) []Segment {
	n := len(all)
	for sum := time.Duration(0); n > 0 && sum < d; n-- {
		sum += all[n-1].Duration
	}
	return all[n:]
}

// Between are the segments that have something of the time between two dates.
func Between(all []Segment, from, to time.Time) []Segment {
	in := func(s Segment) bool {
		return !s.Date.IsZero() && s.Date.Before(to) && s.Date.Add(s.Duration).After(from)
	}
	first := slices.IndexFunc(all, in)
	if first < 0 {
		return nil
	}
	n := first
	for n < len(all) && in(all[n]) {
		n++
	}
	return all[first:n]
}

// Playlists are the media playlists that a multivariant playlist names first: that of
// pictures, and of their sound if it has one of its own, relative to it. Empty: none.
func Playlists(multivariant []byte) (video, audio string) {
	group, sounds := "", make(map[string]string)
	takes := false
	for line := range strings.Lines(string(multivariant)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#EXT-X-MEDIA:TYPE=AUDIO"):
			sounds[quoted(line, "GROUP-ID")] = quoted(line, "URI")
		case strings.HasPrefix(line, "#EXT-X-STREAM-INF:"):
			takes, group = video == "", quoted(line, ",AUDIO")
		case line != "" && line[0] != '#' && takes:
			video, audio, takes = line, sounds[group], false
		}
	}
	if video == audio {
		audio = ""
	}
	return local(video), local(audio)
}

// local is the name of a file beside a playlist, of its URI.
func local(uri string) string {
	if strings.Contains(uri, "://") {
		uri = path.Base(uri)
	}
	name, err := url.PathUnescape(uri)
	if err != nil {
		return ""
	}
	return name
}

func quoted(line, attribute string) string {
	_, rest, _ := strings.Cut(line, attribute+`="`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
