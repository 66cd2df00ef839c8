package web

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/internal/quota"
)

// Traffic counts the answers of a Site. A reload gives it to the next Site.
type Traffic struct {
	codes    [codesEnd - codesBegin]atomic.Uint64 // answers by status
	bytes    atomic.Uint64                        // of bodies
	received atomic.Uint64                        // from connections, TLS included
	inFlight atomic.Int64
	conns    atomic.Int64 // open
	paths    topPaths
	scope    quota.Scope // of the limits block
}

// Statuses are three digits (RFC 9110 §15); 1xx are no answers.
const codesBegin, codesEnd = 200, 600

// TrafficFigures are a Traffic at one moment.
type TrafficFigures struct {
	Requests    uint64 // answered
	Codes       []CodeCount
	BytesOut    uint64 // of bodies
	BytesIn     uint64 // from connections, TLS included
	InFlight    int64
	Connections int64 // open
	Paths       []PathCount
}

// CodeCount is how many answers had a status.
type CodeCount struct {
	Code  int
	Count uint64
}

// PathCount counts the requests for a path in the last minute and the bytes sent. Both
// are lower bounds when clients request more paths than are kept.
type PathCount struct {
	Path     string
	Requests uint64
	Bytes    uint64
}

// Scope counts the viewers of the Site and what they are sent, against its limits.
func (t *Traffic) Scope() *quota.Scope { return &t.scope }

func (t *Traffic) begin() { t.inFlight.Add(1) }

// end counts an exchange that is over.
func (t *Traffic) end(x *exchange) {
	t.inFlight.Add(-1)
	if status := x.code(); status >= codesBegin && status < codesEnd {
		t.codes[status-codesBegin].Add(1)
	}
	t.bytes.Add(uint64(x.bytes - x.told))
	t.paths.add(x.r.URL.Path, uint64(x.bytes), x.start)
}

// Figures returns the counters, and the busiest paths, at most maxPaths.
func (t *Traffic) Figures(now time.Time) TrafficFigures {
	f := TrafficFigures{
		BytesOut: t.bytes.Load(), BytesIn: t.received.Load(), InFlight: t.inFlight.Load(), Connections: t.conns.Load(),
		Paths: t.paths.list(now),
	}
	for i := range t.codes {
		if n := t.codes[i].Load(); n > 0 {
			f.Requests += n
			f.Codes = append(f.Codes, CodeCount{i + codesBegin, n})
		}
	}
	return f
}

const (
	// maxPaths is how many paths are kept: a screen shows twenty, and one takes a few hundred bytes.
	maxPaths = 256
	// maxPath is how many bytes of a path are kept: clients choose its length.
	maxPath = 256
	// pathWindow is how long paths are counted: those of fragments change with the playlist.
	pathWindow = time.Minute
)

// topPaths counts requests by path, without the query, which may hold secrets.
// When it is full a new path replaces the rarest one and takes over its count (space
// saving, Metwally et al. 2005), so that a path with more than 1 in maxPaths requests
// is never missed.
//
// One lock is enough: it is held for some 50 ns in a request of some 5 µs.
type topPaths struct {
	mu      sync.Mutex // guards the rest
	entries []pathEntry
	index   map[string]int // of entries, by path
	began   time.Time      // of the present window; zero before the first request
}

type pathEntry struct {
	path        string
	now, before tally  // of the present window and the one before it
	excess      uint64 // how many of now.requests are another path's
}

type tally struct{ requests, bytes uint64 }

func (p *topPaths) add(path string, bytes uint64, at time.Time) {
	if len(path) > maxPath {
		path = path[:maxPath]
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(at)
	i, known := p.index[path]
	if !known {
		i = p.room()
		path = strings.Clone(path) // it is a part of the whole request head
		p.entries[i].path, p.index[path] = path, i
	}
	e := &p.entries[i]
	e.now.requests++
	e.now.bytes += bytes
}

// room returns the index of an entry for a new path.
func (p *topPaths) room() int {
	if len(p.entries) < maxPaths {
		p.entries = append(p.entries, pathEntry{})
		return len(p.entries) - 1
	}
	rarest, least := 0, ^uint64(0)
	for i := range p.entries {
		if n := p.entries[i].now.requests + p.entries[i].before.requests; n < least {
			rarest, least = i, n
		}
	}
	delete(p.index, p.entries[rarest].path)
	p.entries[rarest] = pathEntry{now: tally{requests: least}, excess: least}
	return rarest
}

// turn begins a new window when it is time.
func (p *topPaths) turn(at time.Time) {
	age := at.Sub(p.began)
	if age < pathWindow {
		return
	}
	p.began = at
	kept := p.entries[:0]
	for _, e := range p.entries {
		if e.before = e.now; age >= 2*pathWindow {
			e.before = tally{}
		}
		e.before.requests -= min(e.excess, e.before.requests)
		if e.now, e.excess = (tally{}), 0; e.before.requests > 0 {
			kept = append(kept, e)
		}
	}
	clear(p.entries[len(kept):])
	p.entries, p.index = kept, make(map[string]int, len(kept))
	for i := range kept {
		p.index[kept[i].path] = i
	}
}

// list returns the counts of the last minute: the present window, and the share of the
// window before that is less than a minute ago.
func (p *topPaths) list(now time.Time) []PathCount {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turn(now)
	share := 1 - now.Sub(p.began).Seconds()/pathWindow.Seconds()
	out := make([]PathCount, 0, len(p.entries))
	for _, e := range p.entries {
		c := PathCount{
			e.path, e.now.requests - e.excess + uint64(share*float64(e.before.requests)+0.5),
			e.now.bytes + uint64(share*float64(e.before.bytes)+0.5),
		}
		if c.Requests > 0 {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b PathCount) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), strings.Compare(a.Path, b.Path))
	})
	return out
}
