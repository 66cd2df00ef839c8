package lint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// lowLatency is what a follower knows of a playlist with blocking reload or parts.
type lowLatency struct {
	broken bool      // requests that should block do not
	asked  bool      // the version to come was asked for by a blocking request
	want   position  // what that asked for
	queued position  // the last part that was queued, or that no longer is
	at     time.Time // when the newest part was first seen
	hinted hint      // the hint of the version before
	hintOf position  // the part that it stands for
	watch  *oldPart

	probed bool
	probes sync.WaitGroup
	hints  time.Time // when a hint was last asked for
}

// A position is a part of a segment, or the whole segment where part is -1.
type position struct {
	number uint64
	part   int
}

func (p position) after(q position) bool {
	return p.number > q.number || p.number == q.number && p.part > q.part
}

// end is the part that comes next, or the segment where there are no parts.
func (m *mediaPlaylist) end() position {
	if m.partInf == 0 {
		return position{m.next(), -1}
	}
	return position{m.next(), len(m.parts)}
}

// has reports whether p is in the playlist, or was.
func (m *mediaPlaylist) has(p position) bool {
	if p.part < 0 {
		return p.number < m.next()
	}
	return m.end().after(p)
}

// blocks reports whether the playlist is loaded by blocking requests.
func (f *follower) blocks() bool {
	return f.last != nil && f.last.control.canBlock && !f.last.ended && !f.low.broken && !f.failing
}

// directives adds delivery directives to a URL. The parameters are in the order of their
// bytes (rfc8216bis §6.3.2).
func directives(u *url.URL, pairs ...string) *url.URL {
	out := *u
	var all []string
	if u.RawQuery != "" {
		all = strings.Split(u.RawQuery, "&")
	}
	for pair := range slices.Chunk(pairs, 2) {
		all = append(all, pair[0]+"="+pair[1])
	}
	slices.Sort(all)
	out.RawQuery = strings.Join(all, "&")
	return &out
}

func (p position) directives(u *url.URL) *url.URL {
	number := strconv.FormatUint(p.number, 10)
	if p.part < 0 {
		return directives(u, "_HLS_msn", number)
	}
	return directives(u, "_HLS_msn", number, "_HLS_part", strconv.Itoa(p.part))
}

// patience is how long a server may hold a request: three target durations, after which
// it answers 503.
func (f *follower) patience() time.Duration {
	return 3*f.last.target + 3*time.Second
}

// errSaid is an answer about which a fault was noted.
var errSaid = errors.New("noted already")

// loadNext asks for the next part or segment (rfc8216bis §6.2.5.2).
func (f *follower) loadNext(ctx context.Context) (*response, error) {
	ctx, cancel := context.WithDeadline(ctx, f.end)
	defer cancel()
	want := f.last.end()
	f.low.want, f.low.asked = want, true
	r, err := f.fetch.get(ctx, request{url: want.directives(f.url), limit: maxPlaylist, wait: f.patience(), block: true})
	switch {
	case ctx.Err() != nil:
	case err != nil:
		f.add(fault{rule: "block-timeout", says: fmt.Sprintf("no answer within %s, three target durations, to a request for %s", seconds(3*f.last.target), want)})
		f.low.broken = true
		return nil, errSaid
	case r.status == http.StatusServiceUnavailable:
		f.add(fault{rule: "playlist-late", says: "503: nothing new came for three target durations"})
		f.sleep(ctx, time.Second)
		return nil, errSaid
	case r.status != http.StatusOK:
		f.add(fault{rule: "block-refused", says: fmt.Sprintf("%d %s to a request for %s, which comes next", r.status, http.StatusText(r.status), want)})
		f.low.broken = true
		return nil, errSaid
	}
	return r, err
}

func (p position) String() string {
	if p.part < 0 {
		return fmt.Sprintf("segment %d", p.number)
	}
	return fmt.Sprintf("part %d of segment %d", p.part, p.number)
}

// takeLow looks at a version of the playlist that has parts or came by a blocking
// request, before it becomes f.last.
func (f *follower) takeLow(m *mediaPlaylist, r *response) {
	if m.partInf == 0 {
		return
	}
	if !f.lowDelay {
		f.lowDelay = true
		f.firstLow(m, r)
	}
	f.partsInTime(m, r)
	f.hintKept(m)
	f.board.reports(f, m, r)
}

// answered looks at the answer to a blocking request.
func (f *follower) answered(m *mediaPlaylist) {
	l := &f.low
	if l.asked && !m.has(l.want) && !m.ended {
		f.add(fault{rule: "block-early", says: fmt.Sprintf("the answer to a request for %s ends before it", l.want)})
		l.broken = true
	}
	l.asked = false
}

// firstLow is what is said once of a low-latency playlist.
func (f *follower) firstLow(m *mediaPlaylist, r *response) {
	if !m.control.canBlock {
		f.add(fault{rule: "block-missing", line: m.control.line, says: "there are parts, and no CAN-BLOCK-RELOAD"})
	}
	if len(m.hints) == 0 && !m.ended {
		f.add(fault{rule: "hint-missing", says: "there are parts, and no EXT-X-PRELOAD-HINT"})
	}
	if r.proto == "HTTP/1.1" || r.proto == "HTTP/1.0" {
		f.add(fault{rule: "http2", says: "the answer is " + r.proto})
	}
}

// partsInTime: a new part within a PART-TARGET of the one before (rfc8216bis §6.2.1).
func (f *follower) partsInTime(m *mediaPlaylist, r *response) {
	l := &f.low
	grown := f.last == nil || m.end().after(f.last.end())
	if f.last != nil && grown && f.blocks() && f.last.partInf > 0 {
		// A busy network or machine accounts for some of it.
		if gap := r.flowed.Sub(l.at); gap > 2*m.partTarget+250*time.Millisecond {
			f.add(fault{rule: "part-late", says: fmt.Sprintf("a part came %s after the one before, PART-TARGET is %s", seconds(gap.Round(100*time.Millisecond)), seconds(m.partTarget))})
		}
	}
	if grown {
		l.at = r.done
	}
}

// hintKept: what was hinted is the URI of the part that came.
func (f *follower) hintKept(m *mediaPlaylist) {
	l := &f.low
	if l.hinted.uri != "" && m.has(l.hintOf) {
		if p := m.partAt(l.hintOf); p != nil && p.uri != l.hinted.uri {
			f.add(fault{rule: "hint-uri", line: p.line, text: p.uri, says: fmt.Sprintf("%s was hinted as %s", l.hintOf, quote(l.hinted.uri))})
		}
	}
	l.hinted = hint{}
	for _, h := range m.hints {
		if h.kind == "PART" {
			h.uri = strings.Clone(h.uri)
			l.hinted, l.hintOf = h, m.end()
		}
	}
}

// partAt is a part in the playlist; nil: it is not there, or no longer.
func (m *mediaPlaylist) partAt(p position) *part {
	parts := m.parts
	if p.number < m.next() {
		i := p.number - m.sequence - m.skipped
		if p.number < m.sequence+m.skipped || i >= uint64(len(m.segments)) {
			return nil
		}
		if parts = m.segments[i].parts; len(parts) > 0 && p.part >= len(parts) {
			// Behind the last part of a segment is the first of the next.
			return m.partAt(position{p.number + 1, 0})
		}
	}
	if p.part < 0 || p.part >= len(parts) {
		return nil
	}
	return &parts[p.part]
}

// enqueueParts has the parts loaded that are new.
func (f *follower) enqueueParts(m *mediaPlaylist, base *url.URL) {
	if m.partInf == 0 || m.ended {
		return
	}
	l := &f.low
	if f.last == nil || l.queued.number == 0 {
		l.queued = position{m.next(), -1}
	}
	open := m.pending
	open.number, open.line = m.next(), 0
	for _, s := range append(slices.Clip(m.segments), &open) {
		if len(s.parts) == 0 || !(position{s.number, len(s.parts) - 1}).after(l.queued) {
			continue
		}
		s = s.detach()
		for i := range s.parts {
			at := position{s.number, i}
			if !at.after(l.queued) || s.parts[i].gap {
				continue
			}
			l.queued = at
			select {
			case f.jobs <- job{of: m.facts(), s: s, base: base, part: &s.parts[i], index: i}:
			default:
				f.skipped++
			}
		}
	}
}
