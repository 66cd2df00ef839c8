package lint

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A dashTrack is a Representation whose segments are loaded: a goroutine.
type dashTrack struct {
	f       *dashFollower
	rep     *mpdRepresentation // of the first version that had it, without its elements
	lines   map[int]string     // of that version: those of the Representation and its SegmentTemplate
	buffer  time.Duration      // minBufferTime
	jobs    chan dashJob
	queued  uint64 // S@t of the last segment that was queued
	timed   bool   // there is a SegmentTimeline
	begun   bool
	skipped int

	// What belongs to the goroutine until it has ended.
	section *initSection
	tried   bool // the initialization section was asked for
	headers bool
	last    *mpdSegment
	before  contents
	bucket  bucket
	sized   bool
}

// A dashJob is a segment to load.
type dashJob struct {
	s    mpdSegment
	base *url.URL
}

// newTrack keeps what is needed of r: nothing of the manifest's text and elements.
func (f *dashFollower) newTrack(m *mpd, r *mpdRepresentation) *dashTrack {
	rep, s := *r, *r.template
	s.node = &node{line: r.template.node.line}
	rep.node = &node{line: r.node.line}
	for _, name := range [...]string{"width", "height"} {
		if v, ok := r.node.attr(name); ok {
			rep.node.attrs = append(rep.node.attrs, xml.Attr{Name: xml.Name{Local: name}, Value: v})
		}
	}
	s.timeline, s.runs = nil, nil
	rep.set, rep.period, rep.template = nil, nil, &s
	t := &dashTrack{f: f, rep: &rep, buffer: m.buffer, timed: r.template.timeline != nil, lines: make(map[int]string), jobs: make(chan dashJob, maxJobs)}
	for _, line := range [...]int{s.node.line, rep.node.line} {
		t.lines[line] = inManifest(m, fault{line: line}).text
		t.lines[line] = clip(t.lines[line])
	}
	return t
}

// enqueue has segments loaded that are new.
func (f *dashFollower) enqueue(ctx context.Context, m *mpd) {
	for _, p := range m.periods {
		for _, r := range p.reps {
			if r.template == nil || r.template.media == "" || !p.started {
				continue
			}
			key := p.id + "\x00" + r.id
			t := f.tracks[key]
			if t == nil {
				if len(f.tracks) == maxFollowed {
					f.note(fmt.Sprintf("only %d Representations are followed", maxFollowed))
					return
				}
				t = f.newTrack(m, r)
				f.tracks[key] = t
				f.workers.Go(func() { t.run(ctx) })
			}
			t.enqueue(ctx, m, r)
		}
	}
}

func (t *dashTrack) enqueue(ctx context.Context, m *mpd, r *mpdRepresentation) {
	var list []mpdSegment
	if r.template.timeline != nil {
		r.template.segments(func(s mpdSegment) bool {
			if !t.begun || s.time > t.queued {
				list = append(list, s)
			}
			return true
		})
	} else {
		list = t.numbered(ctx, m, r)
	}
	if len(list) == 0 {
		return
	}
	if m.dynamic && !t.begun && len(list) > 3 {
		// The oldest one is there still, too, if it may be.
		if oldest := list[0]; t.inDepth(m, r, oldest) {
			t.send(ctx, oldest, 0)
		}
		list = list[len(list)-3:]
	}
	t.begun, t.queued = true, list[len(list)-1].time
	if m.dynamic {
		for _, s := range list {
			t.send(ctx, s, 0)
		}
		return
	}
	t.f.feeders.Go(func() {
		for _, s := range list {
			t.send(ctx, s, time.Until(t.f.end))
		}
	})
}

// send queues a segment. It waits for a place for a while.
func (t *dashTrack) send(ctx context.Context, s mpdSegment, wait time.Duration) {
	j := dashJob{s, t.f.base}
	select {
	case t.jobs <- j:
		return
	default:
	}
	select {
	case t.jobs <- j:
	case <-time.After(wait):
		t.skipped++
	case <-ctx.Done():
	}
}

// inDepth reports whether a segment has to be there for some seconds more.
func (t *dashTrack) inDepth(m *mpd, r *mpdRepresentation, s mpdSegment) bool {
	end, ok := r.end()
	return ok && (m.depth < 0 || end-r.at(s.time) < m.depth)
}

// numbered are the segments of a template with a duration that are there by the clock.
func (t *dashTrack) numbered(ctx context.Context, m *mpd, r *mpdRepresentation) (list []mpdSegment) {
	s := r.template
	length := timeOf(s.duration, s.timescale)
	if length <= 0 {
		return nil
	}
	count := int64(0)
	if m.dynamic {
		if !t.f.clock.known || m.start.IsZero() {
			return nil
		}
		at := time.Now().Add(t.f.clock.offset).Sub(m.start) - r.period.start
		count = int64((at - t.f.clock.precision) / length)
		if !s.complete && s.early > 0 {
			t.askEarly(ctx, r, at, length)
		}
	} else if r.period.duration > 0 {
		count = int64((r.period.duration + length - time.Millisecond) / length)
	}
	from := int64(0)
	if t.begun {
		from = int64((t.queued-min(s.offset, t.queued))/s.duration) + 1
	} else if m.dynamic {
		from = max(count-3, 0)
	}
	for k := from; k < count && len(list) < maxJobs; k++ {
		list = append(list, mpdSegment{time: s.offset + uint64(k)*s.duration, duration: s.duration, number: s.startNumber + uint64(k), line: s.node.line})
	}
	return list
}

// askEarly asks for the segment that is being made (§5.3.9.5.3, availabilityTimeOffset).
func (t *dashTrack) askEarly(ctx context.Context, r *mpdRepresentation, at, length time.Duration) {
	f, s := t.f, r.template
	if at < 0 || time.Since(f.asked) < 2*time.Second {
		return
	}
	f.asked = time.Now()
	k := at / length
	wait := max((k+1)*length-s.early-at, 0) + f.clock.precision + 20*time.Millisecond
	x := mpdSegment{time: s.offset + uint64(k)*s.duration, number: s.startNumber + uint64(k)}
	complete := time.Now().Add((k+1)*length - at + f.clock.precision + 200*time.Millisecond)
	u, err := r.url(f.base, s.media, x)
	if err != nil {
		return
	}
	ctx, cancel := context.WithDeadline(ctx, f.end)
	f.asks.Go(func() {
		defer cancel()
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		a, err := f.fetch.get(ctx, request{url: u, limit: maxSegment, wait: length + 2*time.Second, block: true})
		switch {
		case ctx.Err() != nil:
		case err != nil:
			f.add(fault{rule: "early", line: s.node.line, says: fmt.Sprintf("segment %d: %v", x.number, err)})
		case a.status != http.StatusOK:
			f.add(fault{rule: "early", line: s.node.line, says: fmt.Sprintf("segment %d, which can be had before it is complete: %d %s", x.number, a.status, http.StatusText(a.status))})
		case a.flowed.After(complete):
			f.add(fault{rule: "early", line: s.node.line, says: fmt.Sprintf("segment %d, which can be had before it is complete, begins to come when it is", x.number)})
		}
	})
}

// run loads segments until there are no more.
func (t *dashTrack) run(ctx context.Context) {
	for j := range t.jobs {
		if t.f.sleep(ctx, 0) {
			t.load(ctx, j)
		}
	}
}

func (t *dashTrack) fault(j *dashJob, rule, format string, args ...any) {
	t.f.add(fault{rule: rule, line: j.s.line, text: t.rep.template.media, says: fmt.Sprintf("%s, segment at %d: ", t.rep.id, j.s.time) + fmt.Sprintf(format, args...)})
}

// inLine gives a fault the text of its line.
func (t *dashTrack) inLine(x fault) fault {
	x.text = t.lines[x.line]
	return x
}

func (t *dashTrack) load(ctx context.Context, j dashJob) {
	f := t.f
	if !t.tried {
		t.tried = true
		t.loadInit(ctx, &j)
	}
	u, err := t.rep.url(j.base, t.rep.template.media, j.s)
	if err != nil {
		return // said when the manifest was read
	}
	select {
	case f.media <- struct{}{}:
		defer func() { <-f.media }()
	case <-ctx.Done():
		return
	}
	r, err := f.fetch.get(ctx, request{url: u, limit: maxSegment})
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		t.fault(&j, "segment-missing", "%v", err)
		t.last = nil
		return
	case r.status != http.StatusOK:
		t.fault(&j, "segment-missing", "%d %s", r.status, http.StatusText(r.status))
		t.last = nil
		return
	}
	f.segments.Add(1)
	if !t.headers {
		t.headers = true
		f.add(dashClauses(checkSegmentHTTP(r, false))...)
	}
	if r.tooLong || t.section == nil {
		t.last = nil
		return
	}
	t.check(&j, r.body)
}

// loadInit loads the initialization section.
func (t *dashTrack) loadInit(ctx context.Context, j *dashJob) {
	f, s := t.f, t.rep.template
	if t.rep.mime != "video/mp4" && t.rep.mime != "audio/mp4" {
		f.note(fmt.Sprintf("%s: segments of %s are not examined", f.url.Redacted(), quote(t.rep.mime)))
		return
	}
	if s.init == "" {
		f.add(t.inLine(fault{rule: "init-missing", line: s.node.line, says: "SegmentTemplate has no initialization"}))
		return
	}
	u, err := t.rep.url(j.base, s.init, mpdSegment{})
	if err != nil {
		return
	}
	r, err := f.fetch.get(ctx, request{url: u, limit: maxSegment})
	bad := func(says string) {
		f.add(fault{rule: "init-missing", line: s.node.line, text: s.init, says: t.rep.id + ": " + says})
	}
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		bad(err.Error())
		return
	case r.status != http.StatusOK:
		bad(fmt.Sprintf("%d %s", r.status, http.StatusText(r.status)))
		return
	}
	var faults []fault
	t.section, faults = readInit(r.body)
	for _, x := range dashClauses(faults) {
		x.line, x.text, x.says = s.node.line, s.init, t.rep.id+": "+x.says
		f.add(x)
	}
	if t.section != nil {
		t.checkInit(j)
	}
}

// checkInit compares the initialization section with the Representation.
func (t *dashTrack) checkInit(j *dashJob) {
	f := t.f
	for _, track := range t.section.tracks {
		if track.name == "" || track.kind == media.Data {
			continue
		}
		said := false
		for c := range strings.SplitSeq(t.rep.codecs, ",") {
			c = strings.TrimSpace(c)
			said = said || codecFamily(c) == codecFamily(track.name) && (codecCovers(c, track.name) || !strings.Contains(track.name, "."))
		}
		if t.rep.codecs != "" && !said {
			f.add(t.inLine(fault{rule: "mpd-codecs", line: t.rep.node.line, says: fmt.Sprintf("codecs is %s, the media are %s", quote(t.rep.codecs), track.name)}))
		}
		if a := track.about; a != nil && a.Width > 0 {
			w, okW := parseInteger(t.rep.node.value("width"))
			h, okH := parseInteger(t.rep.node.value("height"))
			if okW && okH && (w != uint64(a.Width) || h != uint64(a.Height)) {
				f.add(t.inLine(fault{rule: "mpd-size", line: t.rep.node.line, says: fmt.Sprintf("it says %dx%d, the picture is %dx%d", w, h, a.Width, a.Height)}))
			}
		}
	}
}

// dashClauses gives faults that HLS has, too, the clause of DASH.
func dashClauses(faults []fault) []fault {
	for i := range faults {
		switch {
		case strings.HasPrefix(faults[i].rule, "init"):
			faults[i].clause = "ISO 23009-1 §6.3.3"
		case strings.HasPrefix(faults[i].rule, "fragment"), faults[i].rule == "decode-time":
			faults[i].clause = "ISO 23009-1 §6.3.4"
		case faults[i].rule == "segment-content-type":
			faults[i].clause = "ISO 23009-1 annex C"
		}
	}
	return faults
}

// check takes the body of a segment.
func (t *dashTrack) check(j *dashJob, body []byte) {
	found, faults := readFragments(t.section, body)
	for _, x := range dashClauses(faults) {
		x.line, x.text, x.says = j.s.line, t.rep.template.media, fmt.Sprintf("%s, segment at %d: %s", t.rep.id, j.s.time, x.says)
		t.f.add(x)
	}
	lead := found.lead()
	if len(faults) > 0 || lead == nil {
		t.last = nil
		return
	}
	t.timeline(j, lead)
	t.chunks(j, &found, lead)
	if t.rep.sap == 1 && lead.kind == media.Video && !lead.beginsKey {
		t.fault(j, "sap", "startWithSAP is 1, and the picture does not begin with a sync sample")
	}
	if t.last != nil && t.last.time+t.last.duration == j.s.time {
		t.compare(j, &found)
	} else if t.last != nil {
		t.bucket.empty()
	}
	t.rate(j, len(body))
	s := j.s
	t.last, t.before = &s, found
}

// chunks is about segments that are sent while they are made.
func (t *dashTrack) chunks(j *dashJob, found *contents, lead *trackContents) {
	s := t.rep.template
	if s.complete || s.early <= 0 {
		return
	}
	if length := lead.end - lead.first; length > time.Second && length/time.Duration(found.chunks) > 1100*time.Millisecond {
		t.fault(j, "chunk-long", "%s in %d chunks", seconds(length.Round(time.Millisecond)), found.chunks)
	}
	if found.clocks == 0 {
		t.fault(j, "prft-missing", "there is no box \"prft\"")
	}
}

// timeline compares a segment with its S.
func (t *dashTrack) timeline(j *dashJob, lead *trackContents) {
	s := t.rep.template
	said := timeOf(j.s.time, s.timescale)
	tolerance := max(lead.frame(), 2*time.Millisecond)
	if !t.timed {
		// A template with a duration allows half a segment (§5.3.9.5.3, note).
		tolerance = timeOf(j.s.duration, s.timescale)/2 + tolerance
	}
	// Times of the presentation: what an edit list leaves out comes before (ISO 14496-12
	// §8.6.6). Of pictures that are shown in another order, either end of the first counts.
	edit := t.section.edit(lead.id)
	begins, shown := lead.first-edit, lead.start-edit
	if edit > 0 {
		begins, shown = max(begins, 0), max(shown, 0)
	}
	if off := min((begins - said).Abs(), (shown - said).Abs()); off > tolerance {
		t.fault(j, "timeline-time", "its media begin at %s, the manifest says %s", seconds(begins.Round(time.Millisecond)), seconds(said.Round(time.Millisecond)))
		return
	}
	if !t.timed {
		return
	}
	lasts, length := lead.end-lead.first, timeOf(j.s.duration, s.timescale)
	if (lasts - length).Abs() > max(lead.frame()+lead.frame()/2, 20*time.Millisecond) {
		t.fault(j, "timeline-duration", "its media last %s, the manifest says %s", seconds(lasts.Round(time.Millisecond)), seconds(length.Round(time.Millisecond)))
	}
}

// compare holds a segment against the one before.
func (t *dashTrack) compare(j *dashJob, found *contents) {
	for _, x := range found.tracks {
		b := t.before.track(x.id)
		if b == nil || b.end == 0 || x.samples == 0 {
			continue
		}
		if gap := x.first - b.end; gap.Abs() > max(decodeTolerance(x), decodeTolerance(b)) {
			t.f.add(dashClauses([]fault{{rule: "decode-time", line: j.s.line, text: t.rep.template.media, says: fmt.Sprintf("%s, segment at %d begins %s", t.rep.id, j.s.time, apart(gap))}})...)
			return
		}
	}
}

// rate is about Representation@bandwidth: a player that has it, and that has loaded
// minBufferTime, can play on (§5.3.5.2, §5.3.5.4).
func (t *dashTrack) rate(j *dashJob, size int) {
	length := timeOf(j.s.duration, t.rep.template.timescale)
	if need := t.bucket.put(size, length, t.rep.bandwidth, t.buffer); need > 0 && !t.sized {
		t.sized = true
		t.fault(j, "mpd-bandwidth", "%.0f bits in a second are needed, bandwidth is %d and minBufferTime %s", need, t.rep.bandwidth, seconds(t.buffer))
	}
}

// A bucket adds up segments in a row.
type bucket struct{ window []sized }

func (b *bucket) empty() { b.window = nil }

// put takes the next segment. It returns the bandwidth that is needed, 0 if said is
// enough: any segments in a row come within their duration and that of the buffer.
func (b *bucket) put(bytes int, d time.Duration, said uint64, buffer time.Duration) float64 {
	b.window = append(b.window, sized{bytes, d})
	if len(b.window) > maxWindow {
		b.window = b.window[1:]
	}
	if said == 0 {
		return 0
	}
	var bits, worst float64
	time := buffer
	for i := len(b.window) - 1; i >= 0; i-- {
		bits += float64(b.window[i].bytes) * 8
		if time += b.window[i].duration; time > 0 {
			worst = max(worst, bits/time.Seconds())
		}
	}
	if worst > float64(said)*1.02 {
		return worst
	}
	return 0
}

// finish is what can be said at the end only.
func (t *dashTrack) finish() {
	if t.skipped > 0 {
		t.f.note(fmt.Sprintf("%s: %d segments of %s were not examined, there was no time for them", t.f.url.Redacted(), t.skipped, t.rep.id))
	}
}
