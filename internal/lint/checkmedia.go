package lint

import (
	"time"
)

// checkMedia holds a media playlist against what it has to be at any time. What it has
// to be compared with the one before is in update.go, with its segments in segment.go.
func checkMedia(t *text, m *mediaPlaylist) {
	if m.targetLine == 0 {
		t.fault("targetduration-missing", 0, "the playlist has no EXT-X-TARGETDURATION")
	}
	if m.pending.infLine > 0 {
		t.fault("extinf-uri", m.pending.infLine, "no URI follows it")
	}
	if m.firstDiscontinuity > 0 && m.discontinuityLine == 0 && m.sequence > 0 && m.kind == "" && !m.ended {
		t.fault("discontinuity-sequence-missing", m.firstDiscontinuity, "segments were removed, and EXT-X-DISCONTINUITY-SEQUENCE is missing")
	}
	checkDurations(t, m)
	checkDates(t, m)
	checkKeys(t, m)
	checkMaps(t, m)
	checkDateRanges(t, m)
	checkLowLatency(t, m)
}

// checkDurations is about EXTINF.
func checkDurations(t *text, m *mediaPlaylist) {
	integers := 0
	for _, s := range m.segments {
		if whole := s.duration.Round(time.Second); m.target > 0 && whole > m.target {
			t.fault("targetduration", s.infLine, "%s rounds to %s, EXT-X-TARGETDURATION is %s", seconds(s.duration), seconds(whole), seconds(m.target))
		}
		if s.inf != "" && s.duration == 0 && !s.gap {
			t.fault("extinf-zero", s.infLine, "the segment has no duration")
		}
		if isInteger(s.inf) {
			integers++
		}
	}
	if len(m.segments) > 1 && integers == len(m.segments) && t.version >= 3 {
		t.fault("extinf-integer", m.segments[0].infLine, "all durations are whole seconds")
	}
}

func isInteger(s string) bool {
	_, ok := parseInteger(s)
	return ok
}

// checkDates is about EXT-X-PROGRAM-DATE-TIME.
func checkDates(t *text, m *mediaPlaylist) {
	var at time.Time // where the segment begins, after the date before
	dated := 0
	for _, s := range m.segments {
		if !s.date.IsZero() {
			dated++
		}
	}
	if dated == 0 {
		if !m.ended && m.kind != "VOD" && len(m.segments) > 0 && m.skipped == 0 {
			t.fault("date-missing", 0, "no segment has an EXT-X-PROGRAM-DATE-TIME")
		}
		return
	}
	for i, s := range m.segments {
		switch {
		case s.date.IsZero():
			if s.breaks && s.dateLine == 0 && i > 0 {
				t.fault("date-after-discontinuity", s.breakLine, "the other dates are no use from here on")
			}
			if !at.IsZero() {
				at = at.Add(s.duration)
			}
			continue
		case s.inf == "":
			at = time.Time{} // how long it lasts is not known
			continue
		case at.IsZero():
		case s.date.Before(at.Add(-time.Second)):
			t.fault("date-overlap", s.dateLine, "the date is %s before the end of the segment before", seconds(at.Sub(s.date)))
		case s.date.After(at.Add(time.Second)) && !s.breaks && !s.gap:
			t.fault("date-gap", s.dateLine, "the date is %s after the end of the segment before", seconds(s.date.Sub(at)))
		}
		at = s.date.Add(s.duration)
	}
}

// checkKeys is about encryption.
func checkKeys(t *text, m *mediaPlaylist) {
	var last *keyTag
	for _, s := range m.segments {
		if s.init != nil && s.init.key != nil && s.init.key.method == "AES-128" && s.init.key.iv == "" && s.init.key != last {
			last = s.init.key
			t.fault("map-iv", s.init.line, "the EXT-X-KEY in line %d has no IV", last.line)
		}
	}
}

// checkMaps is about EXT-X-MAP.
func checkMaps(t *text, m *mediaPlaylist) {
	for _, s := range m.segments {
		if s.init == nil {
			continue
		}
		version := 6
		if m.iFrames {
			version = 5
		}
		t.require(version, s.init.line, "EXT-X-MAP")
		break
	}
}

// checkDateRanges is about EXT-X-DATERANGE.
func checkDateRanges(t *text, m *mediaPlaylist) {
	if len(m.dateRanges) == 0 {
		return
	}
	dated := false
	for _, s := range m.segments {
		dated = dated || !s.date.IsZero()
	}
	if !dated && m.pending.date.IsZero() && m.skipped == 0 {
		t.fault("daterange", m.dateRanges[0].line, "there is no EXT-X-PROGRAM-DATE-TIME that says what the dates mean")
	}
	seen := make(map[string]attributes)
	for _, d := range m.dateRanges {
		before := seen[d.id]
		if before == nil {
			if _, ok := d.attrs["START-DATE"]; !ok {
				t.fault("daterange", d.line, "the first tag of an ID has a START-DATE")
			}
			seen[d.id] = d.attrs
			continue
		}
		for name, v := range d.attrs {
			if other, ok := before[name]; ok && other != v {
				t.fault("daterange", d.line, "%s of ID %s was %s before", name, quote(d.id), quote(other))
			}
		}
	}
}
