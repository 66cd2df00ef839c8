package lint

import (
	"strconv"
	"strings"
	"time"
)

// readMedia builds the playlist from its tags.
func (t *text) readMedia(tags []tag) *mediaPlaylist {
	m := &mediaPlaylist{}
	r := &mediaReader{t: t, m: m}
	for i := range tags {
		if g := &tags[i]; g.name == "" {
			r.uri(g)
		} else {
			r.tag(g)
		}
	}
	r.s.key, r.s.init = r.key, r.init
	m.pending, m.parts = r.s, r.s.parts
	number := m.sequence + m.skipped
	breaks := m.discontinuity
	for _, s := range m.segments {
		if s.breaks {
			breaks++
		}
		s.number, s.discontinuity = number, breaks
		number++
	}
	return m
}

// A mediaReader goes through the tags of a media playlist.
type mediaReader struct {
	t *text
	m *mediaPlaylist

	s        segment // what the tags since the last URI say of the next segment
	key      *keyTag
	init     *initTag
	bitrate  uint64
	rateLine int
	last     *segment
	lastPart part
}

// uri ends a segment.
func (r *mediaReader) uri(g *tag) {
	s := r.s
	r.s = segment{}
	if len(r.m.segments) >= maxSegments {
		if len(r.m.segments) == maxSegments {
			r.t.fault("too-long", g.line, "only the first %d segments are read", maxSegments)
		}
		return
	}
	s.line, s.uri, s.key, s.init = g.line, g.value, r.key, r.init
	if s.infLine == 0 {
		r.t.fault("extinf-missing", g.line, "no EXTINF says how long the segment is")
	}
	if s.bytes.line > 0 && s.bytes.offset == noOffset {
		before := r.last
		if before == nil || before.uri != s.uri || before.bytes.length == 0 {
			r.t.fault("byterange", s.bytes.line, "without @ it goes on where the segment before ends, which is no range of the same resource")
			s.bytes.offset = 0
		} else {
			s.bytes.offset = before.bytes.offset + before.bytes.length
		}
	}
	if s.bytes.line == 0 {
		s.bitrate, s.rateLine = r.bitrate, r.rateLine
	}
	r.lastPart = part{}
	r.last = &s
	r.m.segments = append(r.m.segments, &s)
}

// tag takes one tag.
func (r *mediaReader) tag(g *tag) {
	t, m := r.t, r.m
	switch g.name {
	case "EXT-X-VERSION":
		t.version, t.versionLine = g.integer(), g.line
	case "EXT-X-INDEPENDENT-SEGMENTS":
		m.independent, m.independentLine = true, g.line
	case "EXT-X-TARGETDURATION":
		m.targetLine = g.line
		if n := g.integer(); n == 0 || n > 86400 {
			t.fault("targetduration-value", g.line, "it is between 1 and a day, not %d s", n)
			m.target = time.Duration(min(n, 86400)) * time.Second
		} else {
			m.target = time.Duration(n) * time.Second
		}
	case "EXT-X-MEDIA-SEQUENCE":
		r.beforeSegments(g)
		// Numbers beyond can't be counted on.
		m.sequence, m.sequenceLine = min(g.integer(), 1<<62), g.line
	case "EXT-X-DISCONTINUITY-SEQUENCE":
		if r.beforeSegments(g) && r.s.breaks {
			t.faultIn(g.spec.clause, "tag-late", g.line, "it stands behind an EXT-X-DISCONTINUITY")
		}
		m.discontinuity, m.discontinuityLine = min(g.integer(), 1<<62), g.line
	case "EXT-X-ENDLIST":
		m.ended = true
	case "EXT-X-PLAYLIST-TYPE":
		if m.kind, m.kindLine = g.value, g.line; g.value != "EVENT" && g.value != "VOD" {
			t.faultIn(g.spec.clause, "tag-value", g.line, "it is EVENT or VOD, not %s", quote(g.value))
			m.kind = ""
		}
	case "EXT-X-I-FRAMES-ONLY":
		m.iFrames = true
		t.require(4, g.line, g.name)
	case "EXTINF":
		r.extinf(g)
	case "EXT-X-BYTERANGE":
		t.require(4, g.line, g.name)
		r.s.bytes = t.readByteRange(g.line, g.name, g.value)
	case "EXT-X-DISCONTINUITY":
		r.early(g)
		r.s.breaks, r.s.breakLine = true, g.line
		if m.firstDiscontinuity == 0 {
			m.firstDiscontinuity = g.line
		}
	case "EXT-X-KEY":
		r.early(g)
		r.key = t.readKey(g)
	case "EXT-X-MAP":
		r.early(g)
		r.init = &initTag{line: g.line, uri: g.attrs["URI"], key: r.key}
		if v, ok := g.attrs["BYTERANGE"]; ok {
			r.init.bytes = t.readByteRange(g.line, g.name, v)
			if r.init.bytes.offset == noOffset {
				t.fault("byterange", g.line, "the BYTERANGE of EXT-X-MAP has an offset: LENGTH@OFFSET")
				r.init.bytes.offset = 0
			}
		}
	case "EXT-X-PROGRAM-DATE-TIME":
		r.early(g)
		r.s.date, r.s.dateLine = t.readDate(g.line, g.value, g.spec.clause), g.line
	case "EXT-X-GAP":
		r.s.gap = true
	case "EXT-X-BITRATE":
		r.bitrate, r.rateLine = g.integer(), g.line
	default:
		r.metadata(g)
	}
}

// beforeSegments checks that a tag of the playlist stands before all segments.
func (r *mediaReader) beforeSegments(g *tag) bool {
	if len(r.m.segments) > 0 {
		r.t.faultIn(g.spec.clause, "tag-late", g.line, "it stands behind the first segment, which is in line %d", r.m.segments[0].line)
		return false
	}
	return true
}

// early checks that a tag of a segment stands before the segment's first part.
func (r *mediaReader) early(g *tag) {
	if len(r.s.parts) > 0 {
		r.t.fault("tag-behind-part", g.line, "it applies to the part in line %d too", r.s.parts[0].line)
	}
}

// extinf reads EXTINF: duration,[title]
func (r *mediaReader) extinf(g *tag) {
	t := r.t
	if r.s.infLine > 0 {
		t.fault("extinf-uri", r.s.infLine, "no URI follows it")
	}
	text, _, comma := strings.Cut(g.value, ",")
	d, ok := parseSeconds(text)
	switch {
	case !ok && strings.TrimSpace(text) != text:
		t.fault("whitespace", g.line, "a space around the duration")
		d, _ = parseSeconds(strings.TrimSpace(text))
	case !ok:
		t.faultIn(g.spec.clause, "tag-value", g.line, "a duration is a decimal number of seconds, not %s", quote(text))
	case !comma:
		t.fault("extinf-comma", g.line, "a comma follows the duration, with or without a title")
	}
	if d > 24*time.Hour {
		t.faultIn(g.spec.clause, "tag-value", g.line, "a segment of %s s", clip(text))
		d = 24 * time.Hour
	}
	if strings.Contains(text, ".") {
		t.require(3, g.line, "a fraction in EXTINF")
	}
	r.s.infLine, r.s.duration = g.line, d
	if ok {
		r.s.inf = text
	}
}

// noOffset is the offset of a byte range that goes on where the one before ends.
const noOffset = ^uint64(0)

// maxOffset is the largest file.
const maxOffset = 1 << 53

// readByteRange reads LENGTH[@OFFSET].
func (t *text) readByteRange(line int, name, value string) byteRange {
	length, offset, at := strings.Cut(value, "@")
	n, ok := parseInteger(length)
	o, okOffset := uint64(noOffset), true
	if at {
		o, okOffset = parseInteger(offset)
		okOffset = okOffset && o < maxOffset
	}
	if !ok || !okOffset || n == 0 || n >= maxOffset {
		t.fault("byterange", line, "%s is LENGTH@OFFSET, not %s", name, quote(value))
		return byteRange{}
	}
	return byteRange{length: n, offset: o, line: line}
}

// readKey reads EXT-X-KEY (RFC 8216 §4.3.2.4); nil for none.
func (t *text) readKey(g *tag) *keyTag {
	k := &keyTag{
		line: g.line, method: g.attrs["METHOD"], uri: g.attrs["URI"], iv: g.attrs["IV"],
		format: g.attrs["KEYFORMAT"], formatVersions: g.attrs["KEYFORMATVERSIONS"],
	}
	switch {
	case k.method == "NONE":
		if len(g.attrs) > 1 {
			t.fault("key", g.line, "with METHOD=NONE there are no other attributes")
		}
		return nil
	case k.uri == "":
		t.fault("key", g.line, "a key has a URI")
	case k.iv != "" && (k.method == "SAMPLE-AES-CTR" || k.method == "AES-256-GCM"):
		t.fault("key", g.line, "%s has no IV", k.method)
	case k.iv != "" && len(k.iv) > 2+32:
		t.fault("key", g.line, "an IV is of 128 bits, this has %d", 4*(len(k.iv)-2))
	}
	return k
}

// readDate reads an ISO 8601 date; zero if it is none.
func (t *text) readDate(line int, s, clause string) time.Time {
	for i, layout := range [...]string{
		"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999Z07",
		"2006-01-02T15:04:05.999999999",
	} {
		at, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		fraction := 0
		if _, after, ok := strings.Cut(s, "."); ok {
			for fraction < len(after) && after[fraction] >= '0' && after[fraction] <= '9' {
				fraction++
			}
		}
		switch {
		case i == 3:
			t.faultIn(clause, "date-precision", line, "the date has no time zone")
		case fraction < 3:
			t.faultIn(clause, "date-precision", line, "the date has %s of a second", []string{"no fraction", "tenths", "hundredths"}[fraction])
		}
		return at
	}
	t.faultIn(clause, "tag-value", line, "a date is as 2010-02-19T14:54:23.031+08:00, not %s", quote(s))
	return time.Time{}
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " s"
}
