package lint

import (
	"fmt"
	"slices"
	"strings"
)

// checkUpdate compares a playlist with the version before (RFC 8216 §6.2.1, §6.2.2).
func checkUpdate(t *text, old, m *mediaPlaylist) {
	if old.ended {
		checkEnded(t, old, m)
	}
	checkHeader(t, old, m)
	if m.sequence < old.sequence {
		t.fault("media-sequence-decreased", m.sequenceLine, "it was %d before", old.sequence)
		return
	}
	if m.discontinuity < old.discontinuity {
		t.fault("discontinuity-sequence-decreased", m.discontinuityLine, "it was %d before", old.discontinuity)
	}
	removed := m.sequence - old.sequence
	if removed > 0 && old.kind != "" {
		t.fault("type-removed", m.kindLine, "a segment was removed")
	}
	if length := m.duration(); removed > 0 && !m.ended && m.kind == "" && m.target > 0 && length < 3*m.target {
		t.fault("playlist-short", 0, "segments were removed, and what is left is %s, less than three times the target duration of %s", seconds(length), seconds(m.target))
	}
	if shifted := moved(old, m); shifted > 0 {
		t.fault("media-sequence-removal", m.sequenceLine, "%d segments were removed without being counted", shifted)
		return
	}
	checkRemaining(t, old, m)
	checkOpenParts(t, old, m)
	if m.next() < old.next() {
		t.fault("segment-withdrawn", 0, "segment %d was the last before, it is %s now", old.next()-1, lastNumber(m))
	}
}

func lastNumber(m *mediaPlaylist) string {
	if len(m.segments) == 0 {
		return "gone"
	}
	return fmt.Sprint(m.next() - 1)
}

// checkEnded: after EXT-X-ENDLIST nothing changes.
func checkEnded(t *text, old, m *mediaPlaylist) {
	switch {
	case !m.ended:
		t.fault("endlist", 0, "EXT-X-ENDLIST was there before, and it is gone")
	case m.next() > old.next():
		t.fault("endlist", 0, "%d segments were added after EXT-X-ENDLIST", m.next()-old.next())
	}
}

// checkHeader compares the tags of the playlist as a whole.
func checkHeader(t *text, old, m *mediaPlaylist) {
	if m.target != old.target && m.target > 0 && old.target > 0 {
		t.fault("targetduration-changed", m.targetLine, "it was %s before", seconds(old.target))
	}
	if m.partTarget != old.partTarget && m.partInf > 0 && old.partInf > 0 {
		t.fault("part-target-changed", m.partInf, "it was %s before", seconds(old.partTarget))
	}
	if m.kind != old.kind && (!m.ended || old.kind != "" && old.kind != "EVENT") {
		t.fault("header-changed", m.kindLine, "EXT-X-PLAYLIST-TYPE was %s before", orNone(old.kind))
	}
	if m.independent != old.independent {
		t.fault("header-changed", m.independentLine, "EXT-X-INDEPENDENT-SEGMENTS %s", map[bool]string{true: "was not there before", false: "is gone"}[m.independent])
	}
	a, b := old.control, m.control
	a.line, b.line = 0, 0
	if a != b {
		t.fault("header-changed", m.control.line, "EXT-X-SERVER-CONTROL was another before")
	}
}

func orNone(s string) string {
	if s == "" {
		return "not there"
	}
	return s
}

// moved is by how many places the segments stand further to the front than their
// numbers say; 0: they do not.
func moved(old, m *mediaPlaylist) int {
	at := func(l *mediaPlaylist, n uint64) *segment {
		i := n - l.sequence - l.skipped
		if n < l.sequence+l.skipped || i >= uint64(len(l.segments)) {
			return nil
		}
		return l.segments[i]
	}
	if len(m.segments) == 0 {
		return 0
	}
	first := m.segments[0]
	if same := at(old, first.number); same == nil || sameResource(same, first) {
		return 0
	}
	i := slices.IndexFunc(old.segments, func(s *segment) bool { return sameResource(s, first) })
	if i < 0 || old.segments[i].number < first.number {
		return 0
	}
	return int(old.segments[i].number - first.number)
}

func sameResource(a, b *segment) bool {
	return a.uri == b.uri && a.bytes.offset == b.bytes.offset && a.bytes.length == b.bytes.length
}

// checkRemaining: segments that both versions have are the same.
func checkRemaining(t *text, old, m *mediaPlaylist) {
	i := 0
	for _, s := range m.segments {
		for i < len(old.segments) && old.segments[i].number < s.number {
			i++
		}
		if i == len(old.segments) {
			return
		}
		before := old.segments[i]
		if before.number != s.number {
			continue
		}
		if changes := differences(before, s); len(changes) > 0 {
			t.fault("segment-changed", s.line, "segment %d: %s", s.number, strings.Join(changes, ", "))
			continue
		}
		if s.discontinuity != before.discontinuity && m.discontinuity >= old.discontinuity {
			t.fault("discontinuity-sequence", m.discontinuityLine, "segment %d had the discontinuity sequence number %d before, now it has %d",
				s.number, before.discontinuity, s.discontinuity)
			return
		}
	}
}

// differences are what changed in a segment.
func differences(a, b *segment) (out []string) {
	add := func(differs bool, format string, args ...any) {
		if differs {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	add(!sameResource(a, b), "its URI was %s", quote(a.uri))
	add(a.duration != b.duration, "EXTINF was %s", a.inf)
	add(a.breaks != b.breaks, "EXT-X-DISCONTINUITY %s", map[bool]string{true: "is new", false: "is gone"}[b.breaks])
	add(a.gap != b.gap, "EXT-X-GAP %s", map[bool]string{true: "is new", false: "is gone"}[b.gap])
	add(!a.date.IsZero() && !b.date.IsZero() && !a.date.Equal(b.date), "EXT-X-PROGRAM-DATE-TIME was %s", a.date.Format("2006-01-02T15:04:05.000Z07:00"))
	add(keyOf(a.key) != keyOf(b.key), "EXT-X-KEY was another")
	add(mapOf(a.init) != mapOf(b.init), "EXT-X-MAP was %s", quote(mapOf(a.init)))
	return out
}

func keyOf(k *keyTag) keyTag {
	if k == nil {
		return keyTag{}
	}
	out := *k
	out.line = 0
	return out
}

func mapOf(i *initTag) string {
	if i == nil {
		return ""
	}
	return i.uri
}

// checkOpenParts: the parts of the segment that was not complete are still the same.
func checkOpenParts(t *text, old, m *mediaPlaylist) {
	number := old.next()
	now := m.parts
	if number < m.next() {
		i := number - m.sequence - m.skipped
		if number < m.sequence+m.skipped || i >= uint64(len(m.segments)) {
			return
		}
		if now = m.segments[i].parts; len(now) == 0 {
			return // its parts are no longer listed
		}
	}
	for i, p := range old.parts {
		if i >= len(now) {
			t.fault("part-withdrawn", 0, "part %d of segment %d was there before: %s", i, number, quote(p.uri))
			return
		}
		if q := now[i]; q.uri != p.uri || q.duration != p.duration || q.independent != p.independent || q.bytes.offset != p.bytes.offset {
			t.fault("part-withdrawn", q.line, "part %d of segment %d was %s of %s before", i, number, quote(p.uri), seconds(p.duration))
			return
		}
	}
}
