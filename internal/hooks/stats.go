package hooks

import (
	"sync/atomic"
	"time"
)

// Buckets are the upper bounds of Stats.Latency, whose last count has no bound.
var Buckets = [...]time.Duration{
	5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// Stats counts the calls of one hook since the start.
type Stats struct {
	Hook    Hook
	Calls   uint64 // made, including retries
	Refused uint64 // answered with a no
	Failed  uint64 // without an answer in time
	Retried uint64 // retries
	Lost    uint64 // given up, or dropped because the queue was full
	Took    time.Duration
	Latency [len(Buckets) + 1]uint64 // calls by duration, each counted once
}

type stats [numHooks]struct {
	calls, refused, failed, retried, lost atomic.Uint64
	took                                  atomic.Int64
	latency                               [len(Buckets) + 1]atomic.Uint64
}

func (s *stats) called(h Hook, took time.Duration, err error, refused bool) {
	c := &s[h]
	c.calls.Add(1)
	c.took.Add(int64(took))
	i := 0
	for i < len(Buckets) && took > Buckets[i] {
		i++
	}
	c.latency[i].Add(1)
	switch {
	case err != nil:
		c.failed.Add(1)
	case refused:
		c.refused.Add(1)
	}
}

// Stats returns the counters, one row per hook.
func (c *Client) Stats() []Stats {
	out := make([]Stats, numHooks)
	for h := range numHooks {
		n := &c.stats[h]
		out[h] = Stats{
			Hook: h, Calls: n.calls.Load(), Refused: n.refused.Load(), Failed: n.failed.Load(),
			Retried: n.retried.Load(), Lost: n.lost.Load(), Took: time.Duration(n.took.Load()),
		}
		for i := range n.latency {
			out[h].Latency[i] = n.latency[i].Load()
		}
	}
	return out
}
