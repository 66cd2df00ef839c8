package lint

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// probe asks once for what players of low latency may ask for, beside the requests of
// poll, and now and then for what is hinted.
func (f *follower) probe(ctx context.Context) {
	l := &f.low
	m := f.last
	if m == nil || m.ended || !m.control.canBlock && m.control.canSkip == 0 && m.partInf == 0 {
		return
	}
	ctx, cancel := context.WithDeadline(ctx, f.end)
	if !l.probed {
		l.probed = true
		l.probes.Go(func() {
			defer cancel()
			p := &prober{follower: f, ctx: ctx}
			p.all(m)
		})
		return
	}
	if l.hinted.uri != "" && time.Since(l.hints) > 2*time.Second {
		l.hints = time.Now()
		h := l.hinted
		l.probes.Go(func() {
			defer cancel()
			f.askHint(ctx, m, h)
		})
		return
	}
	cancel()
}

// A prober makes the requests of one playlist, one after the other.
type prober struct {
	*follower
	ctx context.Context
}

// ask loads the playlist with directives; nil: there is no answer, which was said.
func (p *prober) ask(wait time.Duration, pairs ...string) (*response, error) {
	return p.fetch.get(p.ctx, request{url: directives(p.url, pairs...), limit: maxPlaylist, wait: wait, block: true})
}

// now is the present version.
func (p *prober) now() (*response, *mediaPlaylist) {
	r, err := p.fetch.get(p.ctx, request{url: p.url, limit: maxPlaylist})
	if err != nil || r.status != http.StatusOK {
		return nil, nil
	}
	return r, parsePlaylist(r.body).media
}

// quick is how long an answer may take that does not have to wait for anything.
const quick = 3 * time.Second

func (p *prober) all(m *mediaPlaylist) {
	if m.control.canBlock {
		p.partAlone()
		p.farAhead(m)
		p.longPast()
		if m.partInf > 0 {
			p.behindTheLast()
			p.unknown()
		}
	}
	p.skip(m, "YES")
	if m.control.skipsDates {
		p.skip(m, "v2")
	}
}

// partAlone: _HLS_part without _HLS_msn is a mistake.
func (p *prober) partAlone() {
	r, err := p.ask(quick, "_HLS_part", "0")
	switch {
	case p.ctx.Err() != nil:
	case err != nil:
		p.add(fault{rule: "part-without-msn", says: "no answer to _HLS_part without _HLS_msn"})
	case r.status != http.StatusBadRequest:
		p.add(fault{rule: "part-without-msn", says: fmt.Sprintf("%d to _HLS_part without _HLS_msn, not 400", r.status)})
	}
}

// farAhead: what is more than two segments ahead is refused at once.
func (p *prober) farAhead(m *mediaPlaylist) {
	_, now := p.now()
	if now == nil {
		return
	}
	r, err := p.ask(quick, "_HLS_msn", fmt.Sprint(now.next()+10))
	switch {
	case p.ctx.Err() != nil:
	case err != nil:
		p.add(fault{rule: "msn-ahead", says: fmt.Sprintf("no answer within %s to _HLS_msn=%d, where the last is %d", seconds(quick), now.next()+10, now.next()-1)})
	case r.status < 400 || r.status > 499:
		p.add(fault{rule: "msn-ahead", says: fmt.Sprintf("%d to _HLS_msn=%d, where the last is %d", r.status, now.next()+10, now.next()-1)})
	}
	if m.partInf == 0 || p.ctx.Err() != nil {
		return
	}
	far := fmt.Sprint(len(now.parts) + 1000)
	r, err = p.ask(quick, "_HLS_msn", fmt.Sprint(now.next()), "_HLS_part", far)
	if p.ctx.Err() != nil {
		return
	}
	if err == nil && r.status == http.StatusOK {
		after := parsePlaylist(r.body).media
		if after == nil || after.next() > now.next() {
			return // the segment was complete by then: the part is the first of the next one
		}
	}
	if err != nil || r.status < 400 || r.status > 499 {
		p.add(fault{rule: "part-ahead", says: "a request for a part 1000 ahead is not refused"})
	}
}

// longPast: what is there already is answered at once, with the whole playlist.
func (p *prober) longPast() {
	_, now := p.now()
	if now == nil || len(now.segments) == 0 {
		return
	}
	r, err := p.ask(quick, "_HLS_msn", fmt.Sprint(now.sequence))
	switch {
	case p.ctx.Err() != nil:
	case err != nil:
		p.add(fault{rule: "msn-past", says: fmt.Sprintf("no answer within %s to _HLS_msn=%d, which is in the playlist", seconds(quick), now.sequence)})
	case r.status != http.StatusOK:
		p.add(fault{rule: "msn-past", says: fmt.Sprintf("%d to _HLS_msn=%d, which is in the playlist", r.status, now.sequence)})
	}
}

// behindTheLast: the part behind the last one of a segment is the first of the next.
func (p *prober) behindTheLast() {
	_, now := p.now()
	if now == nil || len(now.segments) == 0 {
		return
	}
	s := now.segments[len(now.segments)-1]
	if len(s.parts) == 0 {
		return
	}
	want := position{s.number, len(s.parts)}
	r, err := p.fetch.get(p.ctx, request{url: want.directives(p.url), limit: maxPlaylist, wait: quick + now.target, block: true})
	switch {
	case p.ctx.Err() != nil:
	case err != nil:
		p.add(fault{rule: "part-rollover", says: fmt.Sprintf("no answer to a request for %s, which has %d", want, len(s.parts))})
	case r.status != http.StatusOK:
		p.add(fault{rule: "part-rollover", says: fmt.Sprintf("%d to a request for %s, which has %d", r.status, want, len(s.parts))})
	}
}

// lastDigits are those of a name, in front of its suffix.
var lastDigits = regexp.MustCompile(`\d+(\D*(?:\.[A-Za-z0-9]*)?)$`)

// madeUp is the URI of a part that nobody will make, after one that is hinted.
func madeUp(uri string) (string, bool) {
	path, query, _ := strings.Cut(uri, "?")
	out := lastDigits.ReplaceAllString(path, "987654$1")
	if query != "" {
		out += "?" + query
	}
	return out, out != uri
}

// unknown: a part that is neither there nor hinted is not found, and nobody waits for it.
func (p *prober) unknown() {
	r, now := p.now()
	if now == nil || len(now.hints) == 0 || now.hints[0].length > 0 {
		return
	}
	uri, ok := madeUp(now.hints[0].uri)
	u, err := resolve(r.url, uri)
	if err != nil || !ok {
		return
	}
	a, err := p.fetch.get(p.ctx, request{url: u, limit: maxSegment, wait: quick, block: true})
	switch {
	case p.ctx.Err() != nil:
	case err != nil:
		p.add(fault{rule: "future-404", text: uri, says: "no answer to a request for a part that is not hinted"})
	case a.status == http.StatusOK:
		p.add(fault{rule: "future-404", text: uri, says: "200 to a request for a part that is not there"})
	}
}

// skip asks for a delta update (rfc8216bis §6.2.5.1).
func (p *prober) skip(m *mediaPlaylist, value string) {
	if p.ctx.Err() != nil {
		return
	}
	_, before := p.now()
	r, err := p.ask(quick, "_HLS_skip", value)
	if p.ctx.Err() != nil || before == nil {
		return
	}
	if err != nil || r.status != http.StatusOK {
		p.add(fault{rule: "skip", says: "_HLS_skip=" + value + " is not answered with a playlist"})
		return
	}
	delta := parsePlaylist(r.body)
	if delta.media == nil {
		return
	}
	p.add(checkDelta(before, &delta, m.control.canSkip, value)...)
}

// checkDelta holds a delta update against the playlist of a moment before.
func checkDelta(full *mediaPlaylist, p *playlist, canSkip time.Duration, value string) []fault {
	t, d := p.text, p.media
	t.faults = nil // those of every version are said elsewhere
	t.checkVersion(*p)
	if canSkip == 0 {
		if d.skipLine > 0 {
			t.fault("skip", d.skipLine, "the playlist has no CAN-SKIP-UNTIL, and it is a delta update all the same")
		}
		return p.take()
	}
	// old segments end, may segments at least begin further from the end than that.
	var behind time.Duration
	old, may := 0, 0
	for i := len(full.segments) - 1; i >= 0; i-- {
		if behind > canSkip {
			old = max(old, i+1)
		}
		if behind += full.segments[i].duration; behind > canSkip {
			may = max(may, i+1)
		}
	}
	switch {
	case d.skipLine == 0 && old > 1:
		t.fault("skip", 0, "%d segments are older than CAN-SKIP-UNTIL, and there is no EXT-X-SKIP", old)
	case d.sequence < full.sequence:
		t.fault("skip", d.sequenceLine, "EXT-X-MEDIA-SEQUENCE is %d, it was %d", d.sequence, full.sequence)
	case d.skipped > uint64(may)+(d.next()-min(full.next(), d.next())):
		t.fault("skip-boundary", d.skipLine, "%d segments are skipped, %d are older than CAN-SKIP-UNTIL", d.skipped, may)
	}
	if value == "v2" && d.skipLine > 0 && !d.removed {
		t.fault("skip-dateranges", d.skipLine, "_HLS_skip=v2, and there is no RECENTLY-REMOVED-DATERANGES")
	}
	for _, s := range d.segments {
		i := s.number - full.sequence
		if s.number < full.sequence || i >= uint64(len(full.segments)) {
			continue
		}
		// Keys and maps in force stand before what was skipped.
		if was := full.segments[i]; was.number == s.number && (!sameResource(was, s) || was.duration != s.duration || was.breaks != s.breaks) {
			t.fault("skip", s.line, "segment %d is another one in the whole playlist", s.number)
			break
		}
	}
	return p.take()
}

// askEnded: directives count no longer when the stream has ended.
func (f *follower) askEnded(ctx context.Context) {
	if f.last == nil || !f.last.ended || !f.last.control.canBlock {
		return
	}
	ahead := position{f.last.next() + 10, -1}
	r, err := f.fetch.get(ctx, request{url: ahead.directives(f.url), limit: maxPlaylist, wait: quick, block: true})
	switch {
	case ctx.Err() != nil:
	case err != nil:
		f.add(fault{rule: "ended-directives", says: fmt.Sprintf("no answer to a request for %s, after EXT-X-ENDLIST", ahead)})
	case r.status != http.StatusOK:
		f.add(fault{rule: "ended-directives", says: fmt.Sprintf("%d to a request for %s, after EXT-X-ENDLIST", r.status, ahead)})
	}
}

// askHint asks for what is hinted (rfc8216bis §6.2.6).
func (f *follower) askHint(ctx context.Context, m *mediaPlaylist, h hint) {
	u, err := resolve(f.url, h.uri)
	if err != nil {
		return
	}
	q := request{url: u, limit: maxSegment, wait: 3*m.target + 3*time.Second, block: true}
	if h.length > 0 && h.start < maxOffset && h.length < maxOffset {
		q.bytes = byteRange{length: h.length, offset: h.start}
	} else if h.start > 0 {
		return // an open range
	}
	r, err := f.fetch.get(ctx, q)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		f.add(fault{rule: "hint", line: h.line, text: h.uri, says: err.Error()})
	case r.status != http.StatusOK && r.status != http.StatusPartialContent:
		f.add(fault{rule: "hint", line: h.line, text: h.uri, says: fmt.Sprintf("%d %s", r.status, http.StatusText(r.status))})
	case r.done.Sub(r.flowed) > max(m.partTarget/2, 200*time.Millisecond) && len(r.body) < 1<<20:
		f.add(fault{rule: "hint-trickle", line: h.line, text: h.uri, says: fmt.Sprintf("%d bytes took %s, PART-TARGET is %s",
			len(r.body), seconds(r.done.Sub(r.flowed).Round(time.Millisecond)), seconds(m.partTarget))})
	}
}

// An oldPart is one whose tag has left the playlist. It has to stay for three target
// durations.
type oldPart struct {
	url   *url.URL
	part  part
	at    position
	until time.Time
}

// watchParts notices parts that leave the playlist and asks for one of them before its
// time is over.
func (f *follower) watchParts(ctx context.Context, m *mediaPlaylist, base *url.URL, now time.Time) {
	l := &f.low
	if w := l.watch; w != nil {
		if now.After(w.until) {
			l.watch = nil
		} else if w.until.Sub(now) < max(m.target, time.Second) {
			l.watch = nil
			f.askOld(ctx, w)
		}
		return
	}
	if f.last == nil {
		return
	}
	for _, s := range f.last.segments {
		if len(s.parts) == 0 || s.parts[0].gap || s.parts[0].uri == s.uri {
			continue
		}
		if m.partAt(position{s.number, 0}) == nil {
			if u, err := resolve(base, s.parts[0].uri); err == nil {
				l.watch = &oldPart{url: u, part: s.detach().parts[0], at: position{s.number, 0}, until: now.Add(3 * m.target)}
			}
		}
		return
	}
}

func (f *follower) askOld(ctx context.Context, w *oldPart) {
	r, err := f.fetch.get(ctx, request{url: w.url, bytes: byteRange{length: 1, offset: w.part.bytes.offset}, limit: 64 << 10})
	if err != nil || time.Now().After(w.until) {
		return
	}
	if r.status == http.StatusNotFound || r.status == http.StatusGone {
		f.add(fault{rule: "part-gone", text: w.part.uri, says: fmt.Sprintf("%s answers %d, it has to stay for three target durations after its tag has left", w.at, r.status)})
	}
}
