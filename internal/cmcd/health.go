package cmcd

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// silence is how long a player may say nothing before it counts as gone.
	silence = 30 * time.Second
	// stallFor is how long one that ran empty counts as one that does.
	stallFor = time.Minute
	// maxPlayers bounds those that are kept of a stream, maxAll those of all.
	maxPlayers = 1000
	maxAll     = 50000
)

// A Pool bounds what the streams of a server keep together.
type Pool struct {
	seed maphash.Seed
	held atomic.Int64
}

// NewPool makes a Pool.
func NewPool() *Pool { return &Pool{seed: maphash.MakeSeed()} }

// A Health is how the viewers of one stream fare, by what their players say. Its methods
// are called by many goroutines.
type Health struct {
	pool *Pool

	mu      sync.Mutex // guards these
	players map[uint64]*player
	closed  bool
	reports uint64
	stalls  uint64
	waited  time.Duration
	starts  uint64
}

// A player is what one said last.
type player struct {
	last       time.Time
	buffer     time.Duration
	latency    time.Duration
	throughput float64
	stalled    time.Time
}

// NewHealth makes the Health of a stream.
func (p *Pool) NewHealth() *Health { return &Health{pool: p} }

// Report takes what a player says. who tells apart those that name no session.
func (h *Health) Report(r *Report, who uint64, now time.Time) {
	if r.Session != "" {
		who = maphash.String(h.pool.seed, r.Session)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.reports++
	if r.Starved {
		h.stalls++
	}
	h.waited += r.Waiting
	p := h.players[who]
	if p == nil {
		if p = h.add(who, now); p == nil {
			return
		}
		h.starts++
	}
	p.last = now
	if r.Starved {
		p.stalled = now
	}
	if r.Buffer > 0 || r.Starved {
		p.buffer = r.Buffer
	}
	if r.Latency > 0 {
		p.latency = r.Latency
	}
	if r.Throughput > 0 {
		p.throughput = r.Throughput
	}
}

// add makes room for a player; nil: there is none.
func (h *Health) add(who uint64, now time.Time) *player {
	if len(h.players) >= maxPlayers || h.pool.held.Load() >= maxAll {
		h.expire(now)
	}
	if len(h.players) >= maxPlayers {
		return nil
	}
	if h.pool.held.Add(1) > maxAll {
		h.pool.held.Add(-1)
		return nil
	}
	if h.players == nil {
		h.players = make(map[uint64]*player)
	}
	p := &player{}
	h.players[who] = p
	return p
}

func (h *Health) expire(now time.Time) {
	for who, p := range h.players {
		if now.Sub(p.last) >= silence {
			delete(h.players, who)
			h.pool.held.Add(-1)
		}
	}
}

// Close frees what is kept; nothing is taken after that.
func (h *Health) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pool.held.Add(-int64(len(h.players)))
	h.players, h.closed = nil, true
}

// Figures are a Health at one moment. Those of a player are what it said last; medians
// are of those that said it, 0: nobody did.
type Figures struct {
	Players  int // that have said something in the last 30 s
	Stalling int // of them, whose buffer ran empty in the last minute
	Reports  uint64
	Sessions uint64        // of players, since the stream is there
	Stalls   uint64        // requests before which a buffer ran empty
	Waited   time.Duration // for how long, as far as players say
	// Buffer is how much is buffered, BufferLow by the tenth that has the least.
	Buffer, BufferLow         time.Duration
	Throughput, ThroughputLow float64 // bits/s
	Latency, LatencyHigh      time.Duration
}

// Figures returns them.
func (h *Health) Figures(now time.Time) (f Figures) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.expire(now)
	f.Players, f.Reports, f.Sessions, f.Stalls, f.Waited = len(h.players), h.reports, h.starts, h.stalls, h.waited
	var buffers, latencies []time.Duration
	var throughputs []float64
	for _, p := range h.players {
		if !p.stalled.IsZero() && now.Sub(p.stalled) < stallFor {
			f.Stalling++
		}
		if p.buffer > 0 || !p.stalled.IsZero() {
			buffers = append(buffers, p.buffer)
		}
		if p.latency > 0 {
			latencies = append(latencies, p.latency)
		}
		if p.throughput > 0 {
			throughputs = append(throughputs, p.throughput)
		}
	}
	f.Buffer, f.BufferLow, _ = spread(buffers)
	f.Throughput, f.ThroughputLow, _ = spread(throughputs)
	f.Latency, _, f.LatencyHigh = spread(latencies)
	return f
}

// spread returns the median, and the tenths with the least and the most.
func spread[T time.Duration | float64](all []T) (median, low, high T) {
	n := len(all)
	if n == 0 {
		return 0, 0, 0
	}
	slices.Sort(all)
	return all[n/2], all[n/10], all[n-1-n/10]
}
