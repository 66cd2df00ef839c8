package lint

import "time"

// checkLowLatency is about parts, hints and what the server says that it can do
// (rfc8216bis §4.4.3.7 to §4.4.5.4).
func checkLowLatency(t *text, m *mediaPlaylist) {
	c := &m.control
	if c.canSkip > 0 && c.canSkip < 6*m.target {
		t.fault("can-skip-until", c.line, "it is %s, less than six times the target duration of %s", seconds(c.canSkip), seconds(m.target))
	}
	if c.skipsDates && c.canSkip == 0 {
		t.fault("can-skip-dateranges", c.line, "without CAN-SKIP-UNTIL there is no CAN-SKIP-DATERANGES")
	}
	if c.holdBack > 0 && c.holdBack < 3*m.target {
		t.fault("hold-back", c.line, "it is %s, less than three times the target duration of %s", seconds(c.holdBack), seconds(m.target))
	}
	if m.partTarget > 0 {
		switch {
		case c.partHoldBack == 0:
			t.fault("part-hold-back-missing", m.partInf, "EXT-X-SERVER-CONTROL has no PART-HOLD-BACK")
		case c.partHoldBack < 2*m.partTarget:
			t.fault("part-hold-back-min", c.line, "it is %s, less than twice the PART-TARGET of %s", seconds(c.partHoldBack), seconds(m.partTarget))
		case c.partHoldBack < 3*m.partTarget:
			t.fault("part-hold-back", c.line, "it is %s, less than three times the PART-TARGET of %s", seconds(c.partHoldBack), seconds(m.partTarget))
		}
	}
	for _, s := range m.segments {
		if len(s.parts) == 0 {
			continue
		}
		checkParts(t, m, s.parts, true)
		checkPartSum(t, m, s)
	}
	checkParts(t, m, m.parts, false)
	checkOldParts(t, m)
	checkHints(t, m)
}

// checkParts is about the parts of one segment.
func checkParts(t *text, m *mediaPlaylist, parts []part, whole bool) {
	for i, p := range parts {
		if m.partInf == 0 {
			t.fault("part-inf-missing", p.line, "there is no EXT-X-PART-INF")
			return
		}
		if m.partTarget <= 0 {
			return
		}
		last := whole && i == len(parts)-1
		beforeGap := i+1 < len(parts) && parts[i+1].gap
		switch {
		case p.duration > m.partTarget:
			t.fault("part-long", p.line, "%s, PART-TARGET is %s", seconds(p.duration), seconds(m.partTarget))
		case p.independent || p.gap || last || beforeGap || !whole && i == len(parts)-1:
			// The last part of a segment that is not complete may turn out to be its last.
		case p.duration*100 < m.partTarget*85:
			t.fault("part-short", p.line, "%s is less than 85 %% of the PART-TARGET of %s", seconds(p.duration), seconds(m.partTarget))
		}
	}
}

// checkPartSum compares a segment with the sum of its parts.
func checkPartSum(t *text, m *mediaPlaylist, s *segment) {
	var sum time.Duration
	for _, p := range s.parts {
		sum += p.duration
	}
	if diff := (sum - s.duration).Abs(); diff > m.partTarget/2 && diff*20 > s.duration {
		t.fault("part-sum", s.infLine, "its parts last %s", seconds(sum))
	}
}

// checkOldParts is about parts far from the end of the playlist.
func checkOldParts(t *text, m *mediaPlaylist) {
	var left time.Duration
	for _, p := range m.parts {
		left += p.duration
	}
	for i := len(m.segments) - 1; i >= 0; i-- {
		s := m.segments[i]
		// The whole segment may still be within three target durations.
		if left > 3*m.target && len(s.parts) > 0 && m.target > 0 {
			t.fault("part-old", s.parts[len(s.parts)-1].line, "it is more than three target durations from the end")
			return
		}
		left += s.duration
	}
}

// checkHints is about EXT-X-PRELOAD-HINT.
func checkHints(t *text, m *mediaPlaylist) {
	seen := map[string]int{}
	for _, h := range m.hints {
		if m.ended {
			t.fault("hint-ended", h.line, "the playlist has an EXT-X-ENDLIST")
		}
		if before := seen[h.kind]; before > 0 {
			t.fault("hint-twice", h.line, "line %d hints a %s already", before, h.kind)
		}
		seen[h.kind] = h.line
	}
}
