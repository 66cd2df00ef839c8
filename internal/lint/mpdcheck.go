package lint

import (
	"slices"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Clauses of ISO 23009-1.
const (
	clauseMPD            = "ISO 23009-1 §5.3.1.2"
	clausePeriod         = "ISO 23009-1 §5.3.2.2"
	clauseSet            = "ISO 23009-1 §5.3.3.2"
	clauseRepresentation = "ISO 23009-1 §5.3.5.2"
	clauseCommon         = "ISO 23009-1 §5.3.7.2"
	clauseTemplate       = "ISO 23009-1 §5.3.9.4.2"
)

// check holds a manifest against what it has to be at any time.
func (m *mpd) check() {
	t, n := m.text, m.root
	t.required(n, clauseMPD, "profiles", "minBufferTime")
	if m.dynamic {
		t.required(n, clauseMPD, "availabilityStartTime", "publishTime")
		m.checkDynamic()
	} else {
		if m.length < 0 && (len(m.periods) == 0 || m.periods[len(m.periods)-1].duration < 0) {
			t.faultIn(clauseMPD, "mpd-missing", n.line, "MPD has no mediaPresentationDuration, and its last Period no duration")
		}
		if m.update >= 0 {
			t.fault("update-static", n.line, "type is static, and there is a minimumUpdatePeriod")
		}
	}
	if len(m.periods) == 0 {
		t.fault("period-none", n.line, "it has no Period")
	}
	m.checkPeriods()
}

// checkDynamic is about live manifests.
func (m *mpd) checkDynamic() {
	t, n := m.text, m.root
	if len(m.utc) == 0 {
		t.fault("utc-timing", n.line, "there is no UTCTiming")
	}
	for _, u := range m.utc {
		t.required(u, "ISO 23009-1 §5.8.4.11", "schemeIdUri", "value")
		if s := u.value("schemeIdUri"); !strings.HasPrefix(s, "urn:mpeg:dash:utc:") {
			t.fault("utc-scheme", u.line, "the scheme %s is not known", quote(s))
		}
	}
	timeline := false
	for _, p := range m.periods {
		for _, r := range p.reps {
			timeline = timeline || r.template != nil && r.template.timeline != nil
		}
	}
	if m.update < 0 && timeline {
		t.fault("update-missing", n.line, "there is a SegmentTimeline, and no minimumUpdatePeriod")
	}
	if m.update > 10*time.Second && timeline && m.longest > 0 && m.update > 2*m.longest {
		t.fault("update-long", n.line, "minimumUpdatePeriod is %s, the longest segment %s", seconds(m.update), seconds(m.longest))
	}
	if _, ok := n.attr("suggestedPresentationDelay"); !ok && !m.hasLatency {
		t.fault("delay-missing", n.line, "there is no suggestedPresentationDelay")
	}
	if m.lowLatency && !m.hasResync {
		t.fault("resync-missing", n.line, "segments can be had before they are complete, and there is no Resync")
	}
	if m.lowLatency && !m.hasLatency {
		t.fault("latency-missing", n.line, "segments can be had before they are complete, and there is no ServiceDescription with a Latency")
	}
}

// checkPeriods is about periods and what is in them.
func (m *mpd) checkPeriods() {
	t := m.text
	ids := make(map[string]int)
	for i, p := range m.periods {
		if p.id == "" && m.dynamic {
			t.faultIn(clausePeriod, "mpd-missing", p.node.line, "Period has no id")
		}
		if before := ids[p.id]; before > 0 && p.id != "" {
			t.fault("id-twice", p.node.line, "line %d has a Period of the id %s already", before, quote(p.id))
		}
		ids[p.id] = p.node.line
		if i > 0 {
			before := m.periods[i-1]
			if _, given := before.node.attr("duration"); given && p.started && before.started && before.start+before.duration != p.start {
				t.fault("period-gap", p.node.line, "it begins at %s, the Period before ends at %s", seconds(p.start), seconds(before.start+before.duration))
			}
		}
		if len(p.node.all("AdaptationSet")) == 0 {
			if d, ok := p.node.attr("duration"); !ok || d != "PT0S" {
				t.fault("period-empty", p.node.line, "the Period has no AdaptationSet")
			}
		}
		m.checkRepresentations(p)
	}
}

func (m *mpd) checkRepresentations(p *mpdPeriod) {
	t := m.text
	ids := make(map[string]int)
	templates := make(map[*node]bool)
	for _, r := range p.reps {
		n := r.node
		t.required(n, clauseRepresentation, "id", "bandwidth")
		if before := ids[r.id]; before > 0 && r.id != "" {
			t.fault("id-twice", n.line, "line %d has a Representation of the id %s already", before, quote(r.id))
		}
		ids[r.id] = n.line
		if v, ok := n.attr("bandwidth"); ok && v == "0" {
			t.fault("mpd-value", n.line, "Representation@bandwidth is 0")
		}
		if r.mime == "" {
			t.faultIn(clauseCommon, "mpd-missing", n.line, "neither Representation nor AdaptationSet has a mimeType")
		}
		if r.codecs == "" && r.kind != media.Data {
			t.fault("mpd-codecs-missing", n.line, "neither Representation nor AdaptationSet has a codecs")
		}
		for c := range strings.SplitSeq(r.codecs, ",") {
			if c = strings.TrimSpace(c); c != "" && !isCodec(c) {
				t.fault("mpd-codecs-syntax", n.line, "%s is no name of RFC 6381", quote(c))
			}
		}
		if r.kind == media.Video {
			m.checkSize(r)
		}
		if r.template != nil && !templates[r.template.node] {
			templates[r.template.node] = true
			m.checkTemplate(r)
		}
	}
}

func (m *mpd) checkSize(r *mpdRepresentation) {
	for _, name := range [...]string{"width", "height"} {
		_, own := r.node.attr(name)
		_, set := r.set.attr(name)
		if !own && !set {
			m.text.fault("mpd-size-missing", r.node.line, "neither Representation nor AdaptationSet has a %s", name)
			return
		}
	}
}

// checkTemplate is about SegmentTemplate.
func (m *mpd) checkTemplate(r *mpdRepresentation) {
	t, s := m.text, r.template
	n := s.node
	if s.media == "" {
		t.faultIn(clauseTemplate, "mpd-missing", n.line, "SegmentTemplate has no media")
		return
	}
	number, at := strings.Contains(s.media, "$Number"), strings.Contains(s.media, "$Time")
	if _, err := r.expand(s.media, mpdSegment{}); err != nil {
		t.fault("template", n.line, "%v", err)
	} else if _, err := r.expand(s.init, mpdSegment{}); err != nil {
		t.fault("template", n.line, "%v", err)
	}
	switch {
	case number == at:
		t.fault("template", n.line, "media has either $Number$ or $Time$")
	case at && s.timeline == nil:
		t.fault("template", n.line, "there is $Time$, and no SegmentTimeline")
	case s.timeline == nil && s.duration == 0:
		t.fault("template", n.line, "there is neither a duration nor a SegmentTimeline")
	case s.timeline != nil && s.duration != 0:
		t.fault("template", n.line, "there is a duration and a SegmentTimeline")
	}
	if strings.Contains(s.init, "$Number") || strings.Contains(s.init, "$Time") {
		t.fault("template", n.line, "initialization has neither $Number$ nor $Time$")
	}
	if set := r.set.all("Representation"); len(set) > 1 && !strings.Contains(s.media, "$RepresentationID$") && !strings.Contains(s.media, "$Bandwidth") &&
		slices.ContainsFunc(set[1:], func(o *node) bool { return o.first("SegmentTemplate") == nil && o.first("BaseURL") == nil }) && r.set.first("SegmentTemplate") == n {
		t.fault("template", n.line, "%d Representations have the same segments: media has no $RepresentationID$", len(set))
	}
	if !s.complete && s.early == 0 {
		t.fault("early-missing", n.line, "availabilityTimeComplete is false, and there is no availabilityTimeOffset")
	}
	if length := timeOf(s.duration, s.timescale); !s.complete && length > 0 && s.early >= length {
		t.fault("early-long", n.line, "availabilityTimeOffset is %s, a segment %s", seconds(s.early), seconds(length))
	}
}
