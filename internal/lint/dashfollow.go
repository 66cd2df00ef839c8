package lint

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A dashFollower follows one manifest: a goroutine that loads it again and again, and one
// for each Representation that loads its segments.
type dashFollower struct {
	*run
	url  *url.URL
	base *url.URL // after redirects

	last    *mpd
	body    []byte
	effort  time.Duration
	grown   time.Time // when the newest segment was first seen
	newest  time.Duration
	late    bool
	failing bool
	clock   serverClock

	tracks  map[string]*dashTrack
	feeders sync.WaitGroup // where all segments are known
	workers sync.WaitGroup
	asks    sync.WaitGroup
	asked   time.Time // when a segment was last asked for that is not complete
}

// followMPD follows the manifest that first is a version of.
func (r *run) followMPD(ctx context.Context, first *response) {
	f := &dashFollower{run: r, url: first.url, base: first.url, tracks: make(map[string]*dashTrack)}
	r.playlists.Add(1)
	f.poll(ctx, first)
	f.feeders.Wait()
	for _, t := range f.tracks {
		close(t.jobs)
	}
	f.workers.Wait()
	f.asks.Wait()
	f.finish()
}

// add notes faults of the manifest.
func (f *dashFollower) add(faults ...fault) { f.run.add(f.url.Redacted(), faults...) }

// inManifest gives a fault its line of the manifest.
func inManifest(m *mpd, x fault) fault {
	if x.text == "" && x.line > 0 && x.line <= len(m.text.lines) {
		x.text = m.text.lines[x.line-1]
	}
	return x
}

func (f *dashFollower) poll(ctx context.Context, r *response) {
	for {
		if r == nil {
			var err error
			if r, err = f.fetch.get(ctx, request{url: f.url, limit: maxPlaylist}); err != nil {
				if ctx.Err() != nil {
					return
				}
				f.unavailable(err.Error())
			}
		}
		if r != nil {
			f.take(ctx, r)
		}
		if f.last != nil && !f.last.dynamic || !f.sleep(ctx, f.interval()) {
			return
		}
		r = nil
	}
}

// interval is the time between two loads: minimumUpdatePeriod, within bounds.
func (f *dashFollower) interval() time.Duration {
	d := 2 * time.Second
	if f.last != nil && f.last.update >= 0 {
		d = min(max(f.last.update, 500*time.Millisecond), 5*time.Second)
	}
	return max(d, 4*f.effort)
}

func (f *dashFollower) unavailable(why string) {
	if !f.failing {
		f.add(fault{rule: "mpd-unavailable", says: why})
	}
	f.failing = true
}

// take takes a version of the manifest.
func (f *dashFollower) take(ctx context.Context, r *response) {
	if r.status != http.StatusOK {
		f.unavailable(fmt.Sprintf("%d %s", r.status, http.StatusText(r.status)))
		return
	}
	f.failing = false
	f.base = r.url
	f.updates.Add(1)
	begun := time.Now()
	defer func() { f.effort = time.Since(begun) }()
	if f.last == nil || !bytes.Equal(r.body, f.body) {
		m := parseMPD(r.body)
		if m.root == nil {
			if f.last != nil {
				f.add(fault{rule: "mpd-atomic", says: fmt.Sprintf("%d bytes that are no manifest", len(r.body))})
			} else {
				f.add(m.take()...)
			}
			return
		}
		if f.last != nil {
			checkMPDUpdate(f.last, m)
		}
		f.add(m.take()...)
		f.last, f.body = m, r.body
	}
	m := f.last
	f.add(checkMPDHTTP(r, m)...)
	if m.dynamic {
		f.clock.look(ctx, f, m, r)
		f.times(m, r)
	}
	f.enqueue(ctx, m)
}

// checkMPDHTTP is about the headers of a manifest.
func checkMPDHTTP(r *response, m *mpd) (faults []fault) {
	if media := mediaType(r.header); media != "application/dash+xml" {
		faults = append(faults, fault{rule: "mpd-content-type", says: "Content-Type is " + quote(r.header.Get("Content-Type")) + ", not application/dash+xml"})
	}
	if age, ok := freshness(r.header); m.dynamic && m.update >= 0 {
		switch {
		case !ok:
			faults = append(faults, fault{rule: "playlist-cache", says: "neither Cache-Control nor Expires says how long caches may keep it"})
		case age > max(m.update, time.Second):
			faults = append(faults, fault{rule: "mpd-stale-cache", says: fmt.Sprintf("caches may keep it for %s, minimumUpdatePeriod is %s", seconds(age), seconds(m.update))})
		}
	}
	return append(faults, checkCORS(r)...)
}

// times compares timelines with the clock.
func (f *dashFollower) times(m *mpd, r *response) {
	newest, found := time.Duration(0), false
	for _, p := range m.periods {
		for _, x := range p.reps {
			if end, ok := x.end(); ok && (!found || end > newest) {
				newest, found = end, true
			}
		}
	}
	if !found {
		return
	}
	if newest > f.newest || f.grown.IsZero() {
		f.newest, f.grown, f.late = newest, r.done, false
		f.edge(m, newest, r)
	} else if slack := m.longest + m.longest/2 + max(m.update, 0); !f.late && r.sent.Sub(f.grown) > slack {
		f.late = true
		f.add(inManifest(m, fault{rule: "mpd-late", line: m.root.line, says: fmt.Sprintf("no new segment for more than %s, 1.5 times the longest and minimumUpdatePeriod", seconds(slack))}))
	}
	f.checkDepth(m, newest)
}

// edge compares the newest segment with what the clock says is the newest.
func (f *dashFollower) edge(m *mpd, newest time.Duration, r *response) {
	now, precision, ok := f.clock.now(r)
	if !ok || m.start.IsZero() {
		return
	}
	behind := now.Sub(m.start.Add(newest))
	early := time.Duration(0)
	if m.lowLatency {
		early = m.longest
	}
	switch {
	case behind < -early-precision-500*time.Millisecond:
		f.add(inManifest(m, fault{rule: "edge-ahead", line: m.root.line, says: fmt.Sprintf("the newest segment ends %s after the server's time", seconds((-behind).Round(100*time.Millisecond)))}))
	case behind > 2*m.longest+max(m.update, 0)+precision+2*time.Second:
		f.add(inManifest(m, fault{rule: "edge-behind", line: m.root.line, says: fmt.Sprintf("the newest segment ended %s before the server's time", seconds(behind.Round(time.Second)))}))
	}
}

// checkDepth: segments of the whole time shift buffer are listed.
func (f *dashFollower) checkDepth(m *mpd, newest time.Duration) {
	if m.depth < 0 {
		return
	}
	oldest := newest
	for _, p := range m.periods {
		for _, x := range p.reps {
			if x.template == nil || len(x.template.runs) == 0 || !p.started {
				continue
			}
			oldest = min(oldest, x.at(x.template.runs[0].t))
		}
	}
	if listed := newest - oldest; listed+m.longest+500*time.Millisecond < m.depth && oldest > m.longest {
		f.add(inManifest(m, fault{rule: "depth", line: m.root.line, says: fmt.Sprintf("timeShiftBufferDepth is %s, there are segments of %s", seconds(m.depth), seconds(listed.Round(time.Second)))}))
	}
}

// A serverClock is what the server says the time is.
type serverClock struct {
	offset    time.Duration // of the server's clock to ours
	precision time.Duration
	known     bool
	asked     bool
}

// look asks for the time once, as UTCTiming says, or takes the Date of the answer.
func (c *serverClock) look(ctx context.Context, f *dashFollower, m *mpd, r *response) {
	if !c.asked {
		c.asked = true
		for _, u := range m.utc {
			if c.ask(ctx, f, m, u) {
				break
			}
		}
	}
	if date, err := http.ParseTime(r.header.Get("Date")); err == nil && !c.known && r.age == 0 {
		c.offset, c.precision, c.known = date.Add(500*time.Millisecond).Sub(r.answered), 700*time.Millisecond, true
	}
}

// ask asks for the time by one of the schemes of §5.8.4.11.
func (c *serverClock) ask(ctx context.Context, f *dashFollower, m *mpd, u *node) bool {
	bad := func(says string) bool {
		f.add(inManifest(m, fault{rule: "utc-broken", line: u.line, says: says}))
		return false
	}
	value := strings.Fields(u.value("value"))
	scheme := u.value("schemeIdUri")
	switch _, given := u.attr("value"); {
	case !given:
		return false // said already
	case len(value) == 0:
		return bad("its value is empty")
	case scheme == "urn:mpeg:dash:utc:direct:2014":
		if _, ok := parseXSTime(value[0]); !ok {
			return bad(quote(value[0]) + " is no time")
		}
		return false // it is as old as the manifest
	case scheme != "urn:mpeg:dash:utc:http-iso:2014" && scheme != "urn:mpeg:dash:utc:http-xsdate:2014" && scheme != "urn:mpeg:dash:utc:http-head:2014":
		return false
	}
	at, err := resolve(f.base, value[0])
	if err != nil {
		return bad(err.Error())
	}
	r, err := f.fetch.get(ctx, request{url: at, limit: maxKey})
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		return bad(err.Error())
	case r.status != http.StatusOK:
		return bad(fmt.Sprintf("%d %s", r.status, http.StatusText(r.status)))
	}
	middle := r.sent.Add(r.answered.Sub(r.sent) / 2)
	trip := r.answered.Sub(r.sent)
	if strings.Contains(scheme, "head") {
		date, err := http.ParseTime(r.header.Get("Date"))
		if err != nil {
			return bad("the answer has no Date")
		}
		c.offset, c.precision, c.known = date.Add(500*time.Millisecond).Sub(middle), 700*time.Millisecond+trip, true
		return true
	}
	date, ok := parseXSTime(string(r.body))
	if !ok {
		return bad(quote(string(r.body)) + " is no time")
	}
	c.offset, c.precision, c.known = date.Sub(middle), trip, true
	return true
}

// now is the server's time when it sent r.
func (c *serverClock) now(r *response) (now time.Time, precision time.Duration, ok bool) {
	return r.answered.Add(c.offset), c.precision, c.known
}

// finish is what can be said at the end only.
func (f *dashFollower) finish() {
	if f.last == nil {
		return
	}
	if f.last.unknownUnits {
		f.note(f.url.Redacted() + ": segments of SegmentBase and SegmentList are not examined")
	}
	for _, t := range f.tracks {
		t.finish()
	}
}
