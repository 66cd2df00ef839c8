package lint

import (
	"net/url"
	"strings"
	"time"
)

// metadata takes the tags of low latency and of dates.
func (r *mediaReader) metadata(g *tag) {
	t, m := r.t, r.m
	switch g.name {
	case "EXT-X-PART-INF":
		m.partTarget, _ = parseSeconds(g.attrs["PART-TARGET"])
		m.partInf = g.line
		if m.partTarget <= 0 {
			t.faultIn(g.spec.clause, "tag-value", g.line, "PART-TARGET is more than nothing")
		}
	case "EXT-X-SERVER-CONTROL":
		c := &m.control
		c.line = g.line
		c.canSkip, _ = parseSeconds(g.attrs["CAN-SKIP-UNTIL"])
		c.holdBack, _ = parseSeconds(g.attrs["HOLD-BACK"])
		c.partHoldBack, _ = parseSeconds(g.attrs["PART-HOLD-BACK"])
		c.skipsDates = g.attrs["CAN-SKIP-DATERANGES"] == "YES"
		c.canBlock = g.attrs["CAN-BLOCK-RELOAD"] == "YES"
	case "EXT-X-PART":
		r.part(g)
	case "EXT-X-SKIP":
		n, _ := parseInteger(g.attrs["SKIPPED-SEGMENTS"])
		m.skipped, m.skipLine = min(n, 1<<32), g.line
		_, m.removed = g.attrs["RECENTLY-REMOVED-DATERANGES"]
	case "EXT-X-PRELOAD-HINT":
		h := hint{line: g.line, kind: g.attrs["TYPE"], uri: g.attrs["URI"]}
		h.start, _ = parseInteger(g.attrs["BYTERANGE-START"])
		h.length, _ = parseInteger(g.attrs["BYTERANGE-LENGTH"])
		if len(m.hints) < maxAttributes {
			m.hints = append(m.hints, h)
		}
	case "EXT-X-RENDITION-REPORT":
		p := renditionReport{line: g.line, uri: g.attrs["URI"]}
		p.lastNumber, p.hasNumber = parseInteger(g.attrs["LAST-MSN"])
		p.last, p.has = parseInteger(g.attrs["LAST-PART"])
		if len(m.reports) < maxAttributes {
			m.reports = append(m.reports, p)
		}
		if u, err := url.Parse(p.uri); err == nil && (u.IsAbs() || u.Host != "") {
			t.fault("report-uri", g.line, "the URI is relative to the playlist's")
		}
	case "EXT-X-DATERANGE":
		if len(m.dateRanges) < maxSegments {
			m.dateRanges = append(m.dateRanges, t.readDateRange(g))
		}
	}
}

// part reads EXT-X-PART.
func (r *mediaReader) part(g *tag) {
	p := part{line: g.line, uri: g.attrs["URI"], independent: g.attrs["INDEPENDENT"] == "YES", gap: g.attrs["GAP"] == "YES"}
	p.duration, _ = parseSeconds(g.attrs["DURATION"])
	p.duration = min(p.duration, 24*time.Hour)
	if v, ok := g.attrs["BYTERANGE"]; ok {
		p.bytes = r.t.readByteRange(g.line, g.name, v)
		if p.bytes.offset == noOffset {
			if before := r.lastPart; before.uri == p.uri && before.bytes.length > 0 {
				p.bytes.offset = before.bytes.offset + before.bytes.length
			} else {
				r.t.fault("byterange", g.line, "without @ it goes on where the part before ends, which is no range of the same resource")
				p.bytes.offset = 0
			}
		}
	}
	r.lastPart = p
	if len(r.s.parts) < maxParts {
		r.s.parts = append(r.s.parts, p)
	}
}

const maxParts = 10000 // of a segment

// readDateRange reads EXT-X-DATERANGE (RFC 8216 §4.3.2.7).
func (t *text) readDateRange(g *tag) dateRange {
	d := dateRange{line: g.line, id: g.attrs["ID"], attrs: g.attrs}
	date := func(name string) (at time.Time, ok bool) {
		v, ok := g.attrs[name]
		if !ok || strings.Contains(v, "{$") {
			return at, false
		}
		at = t.readDate(g.line, v, g.spec.clause)
		return at, !at.IsZero()
	}
	start, okStart := date("START-DATE")
	end, okEnd := date("END-DATE")
	length, okLength := parseSeconds(g.attrs["DURATION"])
	next := g.attrs["END-ON-NEXT"] == "YES"
	switch {
	case okStart && okEnd && end.Before(start):
		t.fault("daterange", g.line, "END-DATE is before START-DATE")
	case okStart && okEnd && okLength && !start.Add(length).Round(time.Millisecond).Equal(end.Round(time.Millisecond)):
		t.fault("daterange", g.line, "START-DATE and DURATION give another end than END-DATE")
	case next && g.attrs["CLASS"] == "":
		t.fault("daterange", g.line, "with END-ON-NEXT there is a CLASS")
	case next && (okEnd || okLength):
		t.fault("daterange", g.line, "with END-ON-NEXT there is neither DURATION nor END-DATE")
	}
	return d
}
