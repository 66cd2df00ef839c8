package lint

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// A shelf knows how long segments have to stay (RFC 8216 §6.2.2): from when a segment
// first was in the playlist, for its duration and that of the longest playlist that had
// it.
type shelf struct {
	listed map[uint64]*listed
	gone   []*listed // removed from the playlist, not asked for yet
	asked  time.Time // when the version before was asked for
}

type listed struct {
	s        *segment  // detached
	appeared time.Time // not later than the playlist first had it
	longest  time.Duration
	until    time.Time // set when it was removed
}

// maxGone is how many removed segments wait to be asked for.
const maxGone = 20

// shelve takes the next version of the playlist, and asks for removed segments whose time
// is about to end.
func (f *follower) shelve(ctx context.Context, m *mediaPlaylist, r *response) {
	h := &f.shelf
	if m.ended || m.iFrames {
		return
	}
	if h.listed == nil {
		h.listed = make(map[uint64]*listed)
	}
	sum := m.duration()
	// What is new in r was not there when the version before was asked for.
	earliest := h.asked
	h.asked = r.sent
	// A segment that the first version has was there before: as long as those behind it
	// last, and the time until the next would have been late.
	first := f.last == nil
	behind := m.target + m.target/2
	for i := len(m.segments) - 1; i >= 0; i-- {
		s := m.segments[i]
		l := h.listed[s.number]
		if l == nil {
			l = &listed{s: (&segment{number: s.number, uri: s.uri, duration: s.duration, bytes: s.bytes, gap: s.gap}).detach(), appeared: earliest}
			if first {
				l.appeared = r.sent.Add(-behind)
			}
			h.listed[s.number] = l
		}
		behind += s.duration
		l.longest = max(l.longest, sum)
	}
	for number, l := range h.listed {
		if number >= m.sequence {
			continue
		}
		delete(h.listed, number)
		l.until = l.appeared.Add(l.s.duration + l.longest)
		if len(h.gone) < maxGone && r.sent.Before(l.until) && !l.s.gap {
			h.gone = append(h.gone, l)
		}
	}
	f.askGone(ctx, r.url)
}

// askGone asks for one removed segment that is about to be allowed to go.
func (f *follower) askGone(ctx context.Context, base *url.URL) {
	h := &f.shelf
	next := time.Now().Add(f.interval() + time.Second)
	for i, l := range h.gone {
		if l.until.After(next) {
			continue
		}
		h.gone = append(h.gone[:i], h.gone[i+1:]...)
		if time.Now().After(l.until.Add(-200 * time.Millisecond)) {
			return
		}
		u, err := resolve(base, l.s.uri)
		if err != nil {
			return
		}
		f.askFor(ctx, l, u)
		return
	}
}

func (f *follower) askFor(ctx context.Context, l *listed, u *url.URL) {
	r, err := f.fetch.get(ctx, request{url: u, bytes: byteRange{length: 1, offset: l.s.bytes.offset}, limit: 64 << 10})
	if err != nil || time.Now().After(l.until) {
		return
	}
	if r.status == http.StatusNotFound || r.status == http.StatusGone || r.status == http.StatusForbidden {
		f.add(fault{rule: "segment-gone", text: l.s.uri, says: fmt.Sprintf(
			"segment %d answers %d, it has to stay for %s after it came into the playlist", l.s.number, r.status, seconds(l.s.duration+l.longest))})
	}
}
