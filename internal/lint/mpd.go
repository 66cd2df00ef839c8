package lint

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// An mpd is a Media Presentation Description (ISO 23009-1 §5.3.1.2).
type mpd struct {
	text *text
	root *node

	dynamic      bool
	start        time.Time // availabilityStartTime
	published    time.Time
	update       time.Duration // minimumUpdatePeriod; negative: not there
	depth        time.Duration // timeShiftBufferDepth; negative: not there
	length       time.Duration // mediaPresentationDuration; negative: not there
	buffer       time.Duration // minBufferTime
	periods      []*mpdPeriod
	utc          []*node // UTCTiming
	lowLatency   bool    // some segments can be had before they are complete
	hasLatency   bool    // ServiceDescription/Latency
	hasResync    bool
	longest      time.Duration
	unknownUnits bool // segments that are not of a SegmentTemplate

	timelines map[*node][]timelineRun
}

// A mpdPeriod is a Period (§5.3.2).
type mpdPeriod struct {
	node     *node
	id       string
	start    time.Duration
	started  bool
	duration time.Duration // negative: not known
	reps     []*mpdRepresentation
}

// A mpdRepresentation is a Representation with what it inherits (§5.3.5, §5.3.7).
type mpdRepresentation struct {
	node, set *node
	period    *mpdPeriod
	id        string
	bandwidth uint64
	mime      string
	codecs    string
	kind      media.Kind
	sap       uint64 // startWithSAP
	base      []string
	template  *mpdTemplate // nil: none
}

// A mpdTemplate is a SegmentTemplate (§5.3.9.4).
type mpdTemplate struct {
	node        *node
	timescale   uint64
	offset      uint64 // presentationTimeOffset
	duration    uint64
	startNumber uint64
	media, init string
	early       time.Duration // availabilityTimeOffset
	complete    bool          // availabilityTimeComplete
	timeline    *node
	runs        []timelineRun
}

// A timelineRun is S (§5.3.9.6).
type timelineRun struct {
	t, d, count uint64
	line        int
}

// A mpdSegment is one of a timeline, or of a template with numbers.
type mpdSegment struct {
	time, duration uint64
	number         uint64
	line           int
}

// Bounds of a manifest.
const (
	maxPeriods         = 1000
	maxRepresentations = 200
	maxTimeline        = 200000 // segments of a timeline
)

// parseMPD reads a manifest and checks all that it can without looking elsewhere; root is
// nil if it is none. Faults are noted in text.
func parseMPD(body []byte) *mpd {
	m := &mpd{text: &text{}, update: -1, depth: -1, length: -1, timelines: make(map[*node][]timelineRun)}
	root := m.text.readXML(body)
	if root == nil {
		return m
	}
	m.root = root
	m.read()
	m.check()
	return m
}

func (m *mpd) take() []fault {
	f := m.text.faults
	m.text.faults = nil
	return f
}

func (m *mpd) read() {
	t, n := m.text, m.root
	switch kind := n.value("type"); kind {
	case "dynamic":
		m.dynamic = true
	case "static", "":
	default:
		t.fault("mpd-value", n.line, "MPD@type is static or dynamic, not %s", quote(kind))
	}
	m.start, _ = t.instant(n, "availabilityStartTime")
	m.published, _ = t.instant(n, "publishTime")
	for name, to := range map[string]*time.Duration{
		"minimumUpdatePeriod": &m.update, "timeShiftBufferDepth": &m.depth, "mediaPresentationDuration": &m.length, "minBufferTime": &m.buffer,
	} {
		if d, ok := t.duration(n, name); ok {
			*to = d
		}
	}
	m.utc = n.all("UTCTiming")
	if s := n.first("ServiceDescription"); s != nil {
		m.hasLatency = s.first("Latency") != nil
	}
	base := m.bases(nil, n)
	var at time.Duration // where the next period begins
	known := true
	for _, p := range n.all("Period") {
		if len(m.periods) == maxPeriods {
			t.fault("too-long", p.line, "only the first %d periods are read", maxPeriods)
			break
		}
		q := m.readPeriod(p, base)
		if d, ok := t.duration(p, "start"); ok {
			q.start, q.started = d, true
		} else if known && (len(m.periods) > 0 || !m.dynamic) {
			q.start, q.started = at, true
		}
		if known = q.started && q.duration >= 0; known {
			at = q.start + q.duration
		}
		if k := len(m.periods); k > 0 && m.periods[k-1].duration < 0 && q.started {
			m.periods[k-1].duration = q.start - m.periods[k-1].start
		}
		m.periods = append(m.periods, q)
	}
	if k := len(m.periods); k > 0 && m.length >= 0 && m.periods[k-1].duration < 0 {
		m.periods[k-1].duration = m.length - m.periods[k-1].start
	}
	for _, p := range m.periods {
		for _, r := range p.reps {
			m.readTimeline(r)
		}
	}
}

// bases adds the BaseURL of n to those of what it stands in.
func (m *mpd) bases(outer []string, n *node) []string {
	if b := n.first("BaseURL"); b != nil {
		return append(slices.Clip(outer), strings.TrimSpace(b.text.String()))
	}
	return outer
}

func (m *mpd) readPeriod(n *node, base []string) *mpdPeriod {
	p := &mpdPeriod{node: n, id: n.value("id"), duration: -1}
	if d, ok := m.text.duration(n, "duration"); ok {
		p.duration = d
	}
	base = m.bases(base, n)
	for _, set := range n.all("AdaptationSet") {
		inner := m.bases(base, set)
		for _, r := range set.all("Representation") {
			if len(p.reps) == maxRepresentations {
				m.text.fault("too-long", r.line, "only the first %d representations of a period are read", maxRepresentations)
				return p
			}
			p.reps = append(p.reps, m.readRepresentation(p, set, r, m.bases(inner, r)))
		}
	}
	return p
}

func (m *mpd) readRepresentation(p *mpdPeriod, set, n *node, base []string) *mpdRepresentation {
	t := m.text
	either := func(name string) string {
		if v, ok := n.attr(name); ok {
			return v
		}
		return set.value(name)
	}
	r := &mpdRepresentation{
		node: n, set: set, period: p, id: n.value("id"), bandwidth: t.number(n, "bandwidth", 0),
		mime: either("mimeType"), codecs: either("codecs"), base: base, kind: media.Data,
	}
	r.sap, _ = parseInteger(either("startWithSAP"))
	switch kind := set.value("contentType"); {
	case kind == "video" || strings.HasPrefix(r.mime, "video/"):
		r.kind = media.Video
	case kind == "audio" || strings.HasPrefix(r.mime, "audio/"):
		r.kind = media.Audio
	}
	for _, x := range []*node{p.node, set, n} {
		if s := x.first("SegmentTemplate"); s != nil {
			r.template = m.readTemplate(r.template, s)
		}
		m.hasResync = m.hasResync || x.first("Resync") != nil
		if x.first("SegmentBase") != nil || x.first("SegmentList") != nil {
			m.unknownUnits = true
		}
	}
	return r
}

// readTemplate reads a SegmentTemplate, which inherits what it does not say from outer.
func (m *mpd) readTemplate(outer *mpdTemplate, n *node) *mpdTemplate {
	t := m.text
	s := mpdTemplate{timescale: 1, startNumber: 1, complete: true}
	if outer != nil {
		s = *outer
	}
	s.node = n
	s.timescale = t.number(n, "timescale", s.timescale)
	if s.timescale == 0 || s.timescale > 1<<32 {
		t.fault("mpd-value", n.line, "SegmentTemplate@timescale is %d", s.timescale)
		s.timescale = 1
	}
	s.offset = t.number(n, "presentationTimeOffset", s.offset)
	s.duration = t.number(n, "duration", s.duration)
	s.startNumber = t.number(n, "startNumber", s.startNumber)
	if v, ok := n.attr("media"); ok {
		s.media = v
	}
	if v, ok := n.attr("initialization"); ok {
		s.init = v
	}
	if v, ok := n.attr("availabilityTimeOffset"); ok && v != "INF" {
		d, ok := parseSeconds(v)
		if !ok {
			t.fault("mpd-value", n.line, "availabilityTimeOffset is a number of seconds, not %s", quote(v))
		}
		s.early = d
	}
	if v, ok := n.attr("availabilityTimeComplete"); ok {
		s.complete = v != "false"
	}
	if l := n.first("SegmentTimeline"); l != nil {
		s.timeline = l
	}
	m.lowLatency = m.lowLatency || !s.complete && s.early > 0
	return &s
}

// readTimeline reads a SegmentTimeline. r < 0 is until the next S or the period's end.
func (m *mpd) readTimeline(r *mpdRepresentation) {
	s := r.template
	if s == nil || s.timeline == nil {
		return
	}
	if runs, ok := m.timelines[s.timeline]; ok {
		s.runs = runs // Representations share it
		return
	}
	defer func() { m.timelines[s.timeline] = s.runs }()
	t := m.text
	end := uint64(0) // where the next segment begins
	total := uint64(0)
	list := s.timeline.all("S")
	for i, n := range list {
		x := timelineRun{t: t.number(n, "t", end), d: t.number(n, "d", 0), count: 1, line: n.line}
		if x.d == 0 || x.d > 1<<44 || x.t > 1<<53 {
			t.fault("timeline-value", n.line, "S@d is %d, S@t %d", x.d, x.t)
			continue
		}
		if len(s.runs) > 0 && x.t < end {
			t.fault("timeline-overlap", n.line, "it begins %s before the segment before it ends", ticksOf(end-x.t, s.timescale))
		} else if len(s.runs) > 0 && x.t > end {
			t.fault("timeline-gap", n.line, "it begins %s after the segment before it ends", ticksOf(x.t-end, s.timescale))
		}
		if v, ok := n.attr("r"); ok {
			k, err := strconv.ParseInt(v, 10, 64)
			switch {
			case err != nil:
				t.fault("mpd-value", n.line, "S@r is a number, not %s", quote(v))
			case k >= 0:
				x.count = uint64(min(k, 1<<40)) + 1
			case i+1 < len(list):
				if next := t.number(list[i+1], "t", 0); next > x.t {
					x.count = max((next-x.t)/x.d, 1)
				}
			case r.period.duration >= 0:
				until := s.offset + scaleOf(r.period.duration, s.timescale)
				x.count = max((until-min(x.t, until)+x.d-1)/x.d, 1)
			}
		}
		if total += x.count; total > maxTimeline {
			t.fault("too-long", n.line, "only the first %d segments of a timeline are read", maxTimeline)
			break
		}
		s.runs = append(s.runs, x)
		end = x.t + x.d*x.count
		m.longest = max(m.longest, timeOf(x.d, s.timescale))
	}
}

// segments calls f for the segments of a timeline.
func (s *mpdTemplate) segments(f func(mpdSegment) bool) {
	number := s.startNumber
	for _, x := range s.runs {
		for k := range x.count {
			if !f(mpdSegment{time: x.t + k*x.d, duration: x.d, number: number, line: x.line}) {
				return
			}
			number++
		}
	}
}

// last is the last segment of a timeline.
func (s *mpdTemplate) last() (mpdSegment, bool) {
	if len(s.runs) == 0 {
		return mpdSegment{}, false
	}
	number := s.startNumber
	for _, x := range s.runs {
		number += x.count
	}
	x := s.runs[len(s.runs)-1]
	return mpdSegment{time: x.t + (x.count-1)*x.d, duration: x.d, number: number - 1, line: x.line}, true
}

// timeOf converts ticks.
func timeOf(ticks, scale uint64) time.Duration { return ticksTime(ticks, uint32(min(scale, 1<<32-1))) }

// scaleOf is the opposite.
func scaleOf(d time.Duration, scale uint64) uint64 {
	if d < 0 {
		return 0
	}
	return uint64(d/time.Second)*scale + uint64(d%time.Second)*scale/uint64(time.Second)
}

func ticksOf(ticks, scale uint64) string { return seconds(timeOf(ticks, scale)) }

// expand fills a template in (§5.3.9.4.4).
func (r *mpdRepresentation) expand(template string, s mpdSegment) (string, error) {
	var b strings.Builder
	for rest := template; rest != ""; {
		before, after, found := strings.Cut(rest, "$")
		b.WriteString(before)
		if !found {
			break
		}
		name, tail, closed := strings.Cut(after, "$")
		if !closed {
			return "", fmt.Errorf("a $ without an end in %s", quote(template))
		}
		rest = tail
		name, format, _ := strings.Cut(name, "%")
		width := 0
		if format != "" {
			w, err := strconv.Atoi(strings.TrimSuffix(format, "d"))
			if err != nil || w < 0 || w > 100 || !strings.HasPrefix(format, "0") {
				return "", fmt.Errorf("%%%s in %s", clip(format), quote(template))
			}
			width = w
		}
		switch name {
		case "":
			b.WriteByte('$')
		case "RepresentationID":
			b.WriteString(r.id)
		case "Number":
			fmt.Fprintf(&b, "%0*d", width, s.number)
		case "Time":
			fmt.Fprintf(&b, "%0*d", width, s.time)
		case "Bandwidth":
			fmt.Fprintf(&b, "%0*d", width, r.bandwidth)
		case "SubNumber":
			b.WriteString("1")
		default:
			return "", fmt.Errorf("$%s$ in %s", clip(name), quote(template))
		}
		if b.Len() > 1<<16 {
			return "", fmt.Errorf("%s becomes too long", quote(template))
		}
	}
	return b.String(), nil
}

// url is the address of a segment, or of the initialization section.
func (r *mpdRepresentation) url(mpd *url.URL, template string, s mpdSegment) (*url.URL, error) {
	uri, err := r.expand(template, s)
	if err != nil {
		return nil, err
	}
	u := mpd
	for _, b := range append(slices.Clip(r.base), uri) {
		if u, err = resolve(u, b); err != nil {
			return nil, err
		}
	}
	return u, nil
}
