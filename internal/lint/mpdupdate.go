package lint

import (
	"strings"
	"time"
)

// checkMPDUpdate compares a manifest with the version before (ISO 23009-1 §5.4).
func checkMPDUpdate(old, m *mpd) {
	t, n := m.text, m.root
	if !old.dynamic && m.dynamic {
		t.fault("mpd-again", n.line, "type was static before")
	}
	if !old.start.IsZero() && !m.start.IsZero() && !m.start.Equal(old.start) {
		t.fault("start-changed", n.line, "it was %s before", old.root.value("availabilityStartTime"))
	}
	switch {
	case m.published.Before(old.published):
		t.fault("publish-time", n.line, "it was %s before", old.root.value("publishTime"))
	case m.published.Equal(old.published) && !m.published.IsZero():
		t.fault("publish-time", n.line, "the manifest has changed, publishTime has not")
	}
	byID := make(map[string]*mpdPeriod)
	for _, p := range old.periods {
		byID[p.id] = p
	}
	for _, p := range m.periods {
		if before := byID[p.id]; before != nil && p.id != "" {
			checkPeriodUpdate(t, before, p)
		}
	}
}

// checkPeriodUpdate compares a Period with itself before.
func checkPeriodUpdate(t *text, old, p *mpdPeriod) {
	if old.started && p.started && old.start != p.start {
		t.fault("period-changed", p.node.line, "it began at %s before", seconds(old.start))
	}
	byID := make(map[string]*mpdRepresentation)
	for _, r := range old.reps {
		byID[r.id] = r
	}
	for _, r := range p.reps {
		before := byID[r.id]
		if before == nil {
			t.fault("representation-changed", r.node.line, "the Representation %s was not there before", quote(r.id))
			continue
		}
		delete(byID, r.id)
		if r.template != nil && before.template != nil {
			checkTemplateUpdate(t, before.template, r.template, r.node.line)
		}
		if r.codecs != before.codecs {
			t.fault("representation-changed", r.node.line, "codecs was %s before", quote(before.codecs))
		}
	}
	for id := range byID {
		t.fault("representation-changed", p.node.line, "the Representation %s is gone", quote(id))
		break
	}
}

func checkTemplateUpdate(t *text, old, s *mpdTemplate, line int) {
	if old.timescale != s.timescale || old.offset != s.offset || old.media != s.media || old.init != s.init {
		t.fault("representation-changed", line, "its SegmentTemplate was another before")
		return
	}
	if old.timeline == nil || s.timeline == nil || len(old.runs) == 0 {
		return
	}
	checkTimelineUpdate(t, old, s)
}

// checkTimelineUpdate: segments that both versions have are the same.
func checkTimelineUpdate(t *text, old, s *mpdTemplate) {
	was := make([]mpdSegment, 0, 64)
	old.segments(func(x mpdSegment) bool { was = append(was, x); return true })
	oldLast := was[len(was)-1]
	i := 0
	s.segments(func(x mpdSegment) bool {
		for i < len(was) && was[i].time < x.time {
			i++
		}
		if i == len(was) {
			return false
		}
		before := was[i]
		switch {
		case before.time != x.time:
			if x.time < before.time && i > 0 && x.time < was[i-1].time+was[i-1].duration {
				t.fault("timeline-changed", x.line, "a segment at %d was not there before", x.time)
				return false
			}
		case before.duration != x.duration && (old.complete || i < len(was)-1): // the last one may not have been complete
			t.fault("timeline-changed", x.line, "the segment at %d lasted %d before", x.time, before.duration)
			return false
		case before.number != x.number && strings.Contains(s.media, "$Number"):
			t.fault("timeline-number", s.node.line, "the segment at %d had the number %d before, now it has %d", x.time, before.number, x.number)
			return false
		}
		return true
	})
	if last, ok := s.last(); ok && last.time < oldLast.time {
		t.fault("timeline-withdrawn", s.node.line, "it ended with a segment at %d before, now with one at %d", oldLast.time, last.time)
	}
}

// end is where a Representation's timeline ends, on the presentation's clock; false: it
// has none.
func (r *mpdRepresentation) end() (time.Duration, bool) {
	s := r.template
	if s == nil || !r.period.started {
		return 0, false
	}
	last, ok := s.last()
	if !ok {
		return 0, false
	}
	return r.at(last.time + last.duration), true
}

// at is a time of the media on the presentation's clock, from availabilityStartTime.
func (r *mpdRepresentation) at(ticks uint64) time.Duration {
	s := r.template
	if ticks < s.offset {
		return r.period.start - timeOf(s.offset-ticks, s.timescale)
	}
	return r.period.start + timeOf(ticks-s.offset, s.timescale)
}
