package lint

import (
	"slices"
	"strings"
	"time"
)

// A mediaPlaylist lists segments (RFC 8216 §4.3.3).
type mediaPlaylist struct {
	target     time.Duration // 0: EXT-X-TARGETDURATION is missing
	targetLine int

	sequence           uint64
	sequenceLine       int
	discontinuity      uint64
	discontinuityLine  int
	kind               string // EVENT, VOD or empty
	kindLine           int
	ended              bool
	iFrames            bool
	independent        bool
	independentLine    int
	firstDiscontinuity int // line

	segments []*segment
	// parts are those of the segment to come, which has no EXTINF yet.
	parts []part

	partTarget time.Duration
	partInf    int // line
	control    serverControl
	hints      []hint
	reports    []renditionReport
	dateRanges []dateRange
	skipped    uint64
	skipLine   int
	removed    bool // EXT-X-SKIP has RECENTLY-REMOVED-DATERANGES

	pending segment // tags before the end of the playlist that no segment follows
}

// serverControl is EXT-X-SERVER-CONTROL (rfc8216bis §4.4.3.8); zero: not there.
type serverControl struct {
	line         int
	canSkip      time.Duration
	skipsDates   bool
	holdBack     time.Duration
	partHoldBack time.Duration
	canBlock     bool
}

// A segment is one Media Segment. Tags that apply to several segments stand in each.
type segment struct {
	number        uint64 // Media Sequence Number
	discontinuity uint64 // Discontinuity Sequence Number

	line     int // of its URI
	uri      string
	infLine  int
	duration time.Duration
	inf      string // the duration as it is written
	bytes    byteRange

	breaks    bool // EXT-X-DISCONTINUITY
	breakLine int
	key       *keyTag
	init      *initTag
	date      time.Time
	dateLine  int
	gap       bool
	bitrate   uint64 // kbit/s, 0: none
	rateLine  int
	parts     []part
}

// detach is a copy of s that shares no text with its playlist.
func (s *segment) detach() *segment {
	out := *s
	out.uri, out.inf = strings.Clone(s.uri), strings.Clone(s.inf)
	if s.key != nil {
		k := *s.key
		for _, p := range []*string{&k.method, &k.uri, &k.iv, &k.format, &k.formatVersions} {
			*p = strings.Clone(*p)
		}
		out.key = &k
	}
	if s.init != nil {
		i := *s.init
		i.uri, i.key = strings.Clone(i.uri), nil
		if s.init.key != nil {
			i.key = (&segment{key: s.init.key}).detach().key
		}
		out.init = &i
	}
	out.parts = slices.Clone(s.parts)
	for i := range out.parts {
		out.parts[i].uri = strings.Clone(out.parts[i].uri)
	}
	return &out
}

// A byteRange is part of a resource; length 0: all of it.
type byteRange struct {
	length, offset uint64
	line           int
}

// A keyTag is EXT-X-KEY.
type keyTag struct {
	line                                    int
	method, uri, iv, format, formatVersions string
}

// An initTag is EXT-X-MAP.
type initTag struct {
	line  int
	uri   string
	bytes byteRange
	key   *keyTag
}

// A part is EXT-X-PART.
type part struct {
	line        int
	uri         string
	duration    time.Duration
	independent bool
	gap         bool
	bytes       byteRange
}

// A hint is EXT-X-PRELOAD-HINT.
type hint struct {
	line          int
	kind, uri     string
	start, length uint64
}

// A renditionReport is EXT-X-RENDITION-REPORT.
type renditionReport struct {
	line             int
	uri              string
	lastNumber, last uint64
	hasNumber, has   bool
}

// A dateRange is EXT-X-DATERANGE.
type dateRange struct {
	line  int
	id    string
	attrs attributes
}

// duration is the sum of all segments, without the parts of the one to come.
func (m *mediaPlaylist) duration() (sum time.Duration) {
	for _, s := range m.segments {
		sum += s.duration
	}
	return sum
}

// next is the Media Sequence Number of the segment to come.
func (m *mediaPlaylist) next() uint64 {
	return m.sequence + m.skipped + uint64(len(m.segments))
}
