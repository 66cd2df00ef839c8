package lint

import (
	"fmt"
	"net/url"
	"sync"
	"time"
)

// A board knows how far each playlist of a run is. Its followers write and read it.
type board struct {
	mu   sync.Mutex
	ends map[string]boardEntry // by URL
}

// boardKey is a URL without its query, which may have a token in it.
func boardKey(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }

type boardEntry struct {
	end position
	at  time.Time // when it was known
}

// reports holds the rendition reports of m against what is known of the others
// (rfc8216bis §4.4.5.4), and notes how far m is.
func (b *board) reports(f *follower, m *mediaPlaylist, r *response) {
	b.mu.Lock()
	defer b.mu.Unlock()
	own := boardKey(f.url)
	if b.ends == nil {
		b.ends = make(map[string]boardEntry)
	}
	if _, ok := b.ends[own]; !ok && len(b.ends) >= maxFollowed {
		return
	}
	b.ends[own] = boardEntry{m.end(), r.done}
	reported := make(map[string]bool)
	for _, p := range m.reports {
		u, err := resolve(r.url, p.uri)
		if err != nil {
			continue
		}
		reported[boardKey(u)] = true
		last := position{p.lastNumber, int(min(p.last, 1<<20))}
		if !p.hasNumber {
			last.number = m.end().number // left out: as in this playlist
		}
		if !p.has {
			last.part = m.end().part - 1
		}
		known, ok := b.ends[boardKey(u)]
		if !ok || !known.at.Before(r.sent) {
			continue
		}
		// known.end is the part that was to come; the last one was before it.
		if next := (position{last.number, last.part + 2}); known.end.after(next) && known.end.number == last.number || known.end.number > last.number+1 {
			f.add(fault{rule: "report-stale", line: p.line, text: p.uri, says: fmt.Sprintf("it ends with %s, and %s was in that playlist before already",
				last, position{known.end.number, known.end.part - 1})})
		}
	}
	for other := range b.ends {
		if other != own && !reported[other] && !m.ended {
			f.add(fault{rule: "report-missing", says: "there is no EXT-X-RENDITION-REPORT for " + clip(other)})
		}
	}
}
