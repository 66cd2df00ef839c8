//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
)

// manyStreams is the shape of the last point: players over many streams.
const (
	manyStreams       = 10
	playersPerManyOne = 100
)

// runPeers measures players on every server: all numbers on one stream, then
// manyStreams of playersPerManyOne, at each bit rate and segment size; and
// churn.
func (c *command) runPeers(ctx context.Context) error {
	for _, rate := range c.rates {
		for _, mss := range c.sizes {
			o := c.options
			o.bitRate, o.mss = rate, mss
			if err := c.turns(ctx, func(ctx context.Context, t *target) ([]Result, error) {
				return measurePlay(ctx, t, c.steps, 1, o)
			}); err != nil {
				return err
			}
			if err := c.turns(ctx, func(ctx context.Context, t *target) ([]Result, error) {
				return measurePlay(ctx, t, []int{manyStreams * playersPerManyOne}, manyStreams, o)
			}); err != nil {
				return err
			}
		}
	}
	return c.turns(ctx, func(ctx context.Context, t *target) ([]Result, error) {
		return single(measureChurn(ctx, t, c.parallel, c.options))
	})
}

// peerGoals sets the goals of the live core beside the results. Those on CPU
// and latency are for network-sized segments; flush is rtmpd's flush_interval.
func peerGoals(results []Result, flush string) []goal {
	var goals []goal
	var points []point
	for i := range results {
		r := &results[i]
		p := point{r.Scenario, r.Streams, r.Clients, r.BitRate, r.MSS}
		if r.Server == "rtmpd" && r.Scenario == "play" && !slices.Contains(points, p) {
			points = append(points, p)
		}
	}
	for _, p := range points {
		if p.mss == 0 {
			continue // in the table only
		}
		limit, p50, p99 := 0.2, 60.0, 120.0
		switch {
		case p.clients <= 100:
			limit, p50, p99 = 0.7, 1, 5
		case p.bitRate < 1e6:
			limit = 0.3
		case flush == "33ms":
			limit, p50, p99 = 0.4, 45, 45
		}
		name := fmt.Sprintf("%d streams, %d players, %.2f Mb/s, mss %d: ", p.streams, p.clients, float64(p.bitRate)/mega, p.mss)
		goals = append(goals,
			relative(results, name+"CPU for each GB", limit, p, (*Result).perGB),
			absolute(results, name+"latency p50", p50, "ms", p, func(r *Result) float64 { return r.P50 }),
			absolute(results, name+"latency p99", p99, "ms", p, func(r *Result) float64 { return r.P99 }),
			absolute(results, name+"stalled", 0, "players", p, func(r *Result) float64 { return float64(r.Stalled) }),
			absolute(results, name+"first video frame p50", 20, "ms", p, func(r *Result) float64 { return r.First50 }),
			absolute(results, name+"memory of a player", 16, "KiB", p, (*Result).perPlayer))
	}
	for i := range results {
		if r := &results[i]; r.Scenario == "churn" && r.Server == "rtmpd" {
			p := point{r.Scenario, r.Streams, 0, r.BitRate, r.MSS}
			rate := absolute(results, "set-ups a second", 4000, "", p, func(r *Result) float64 { return r.Rate })
			rate.atLeast, rate.met = true, rate.why == "" && rate.got >= rate.limit
			return append(goals, rate,
				absolute(results, "server CPU of a set-up", 0.25, "ms", p, func(r *Result) float64 { return r.PerCycle }))
		}
	}
	return goals
}
