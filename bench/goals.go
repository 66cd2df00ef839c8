//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// A goal is a limit and what was measured.
type goal struct {
	name    string
	limit   float64
	unit    string
	atLeast bool // the limit is a minimum
	got     float64
	met     bool
	why     string // instead of got: why there is no result
}

// A point selects the results of one window.
type point struct {
	scenario string
	streams  int
	clients  int
	bitRate  int64
	mss      int
}

func (p point) of(r *Result) bool {
	return p == point{r.Scenario, r.Streams, r.Clients, r.BitRate, r.MSS}
}

// values are f of the server's results at p, round by round; ok is false where
// a run does not count.
func values(results []Result, server string, p point, f func(*Result) float64) (v []float64, ok []bool) {
	for i := range results {
		if r := &results[i]; r.Server == server && p.of(r) {
			v, ok = append(v, f(r)), append(ok, len(r.Problems) == 0)
		}
	}
	return v, ok
}

// absolute is a goal on the median of rtmpd's runs that count.
func absolute(results []Result, name string, limit float64, unit string, p point, f func(*Result) float64) goal {
	g := goal{name: name, limit: limit, unit: unit}
	all, ok := values(results, "rtmpd", p, f)
	var counted []float64
	for i, v := range all {
		if ok[i] {
			counted = append(counted, v)
		}
	}
	if len(counted) == 0 {
		g.why = fmt.Sprintf("no run of %d counts", len(all))
		return g
	}
	g.got = median(counted)
	g.met = g.got <= limit
	return g
}

// relative is a goal on the median of rtmpd's figure over nginx's, formed round
// by round where both runs count.
func relative(results []Result, name string, limit float64, p point, f func(*Result) float64) goal {
	ours, ok1 := values(results, "rtmpd", p, f)
	peer, ok2 := values(results, "nginx", p, f)
	return compared(goal{name: name, limit: limit, unit: "x nginx"}, ours, peer, ok1, ok2)
}

// compared completes g with the median of ours over other.
func compared(g goal, ours, other []float64, ok1, ok2 []bool) goal {
	var counted []float64
	for i := range min(len(ours), len(other)) {
		if ok1[i] && ok2[i] && other[i] > 0 {
			counted = append(counted, ours[i]/other[i])
		}
	}
	if len(counted) == 0 {
		g.why = fmt.Sprintf("no pair of runs of %d counts", min(len(ours), len(other)))
		return g
	}
	g.got = median(counted)
	g.met = g.got <= g.limit
	return g
}

// The sizes of the goals that come with RTMP in, HLS out.
func goalPublishers() []int { return []int{100, 300} }
func goalOutputs() []int    { return []int{300} } // streams that are recorded, or pushed
func goalViewers() []int    { return []int{500, 1000} }

// goalRewritten is how many publishers a second PUSH_REWRITE is asked about.
const goalRewritten = 1000

// runGoals takes the measurements for checkGoals.
func (c *command) runGoals(ctx context.Context) error {
	quick := c.options
	quick.settle = min(quick.settle, time.Second)
	steps := []func(context.Context, *target) ([]Result, error){
		func(ctx context.Context, t *target) ([]Result, error) {
			return single(measureStart(ctx, t, quick))
		},
		func(ctx context.Context, t *target) ([]Result, error) {
			return measurePublish(ctx, t, appLive, goalPublishers(), quick)
		},
		func(ctx context.Context, t *target) ([]Result, error) {
			return measurePublish(ctx, t, appHLS, goalPublishers(), quick)
		},
		func(ctx context.Context, t *target) ([]Result, error) {
			return measureHLS(ctx, t, goalViewers(), quick)
		},
		func(ctx context.Context, t *target) ([]Result, error) {
			return measurePush(ctx, t, c.sinks, goalOutputs(), quick)
		},
	}
	for _, step := range steps {
		if err := c.turns(ctx, step); err != nil {
			return err
		}
	}
	if err := c.turnsOfRecording(ctx, []string{"flv", "mp4"}, goalOutputs(), quick); err != nil {
		return err
	}
	if err := c.runLow(ctx, goalOutputs()[0], quick); err != nil {
		return err
	}
	if err := c.runCount(ctx, goalViewers()[0]); err != nil {
		return err
	}
	if err := c.runTokens(ctx, goalViewers()[0]); err != nil {
		return err
	}
	return c.runRewrite(ctx, goalRewritten)
}

// lowSettle is so long that segments leave the playlist and the disk, as they do for the rest
// of a stream's life, and that the memory that is used was used before.
const lowSettle = 30 * time.Second

// runLow measures, on rtmpd alone, publishers whose streams become MPEG-TS, and such whose
// streams become fragmented MP4 in parts: each on a server of its own, in turns.
func (c *command) runLow(ctx context.Context, streams int, o options) error {
	if !slices.Contains(c.servers, "rtmpd") {
		return nil
	}
	own := *c
	own.servers, own.results = []string{"rtmpd"}, nil
	o.settle = max(o.settle, lowSettle)
	apps := []string{appHLS, appLow}
	for range c.rounds {
		for _, app := range apps {
			err := own.round(ctx, func(ctx context.Context, t *target) ([]Result, error) {
				results, err := measurePublish(ctx, t, app, []int{streams}, o)
				for i := range results {
					if app == appHLS {
						results[i].Scenario = besideLow
					}
				}
				return results, err
			})
			if err != nil {
				c.results = append(c.results, own.results...)
				return err
			}
		}
		slices.Reverse(apps)
	}
	c.results = append(c.results, own.results...)
	return nil
}

// besideLow is the scenario of MPEG-TS that runLow measures, apart from that of others.
const besideLow = "publish-hls-beside-low"

// lowGoal is the goal of runLow.
func lowGoal(results []Result, streams int, rate int64) goal {
	low, ok1 := values(results, "rtmpd", point{scenario: "publish-" + appLow, streams: streams, bitRate: rate}, (*Result).perGB)
	plain, ok2 := values(results, "rtmpd", point{scenario: besideLow, streams: streams, bitRate: rate}, (*Result).perGB)
	return compared(goal{name: fmt.Sprintf("%d streams of low-latency HLS: CPU", streams), limit: 1.2, unit: "x MPEG-TS"}, low, plain, ok1, ok2)
}

// runRounds measures on rtmpd alone what changes its order with the round.
func (c *command) runRounds(ctx context.Context, measure func(ctx context.Context, t *target, round int) ([]Result, error)) error {
	if !slices.Contains(c.servers, "rtmpd") {
		return nil
	}
	own := *c
	own.servers, own.results = []string{"rtmpd"}, nil
	round := 0
	err := own.turns(ctx, func(ctx context.Context, t *target) ([]Result, error) {
		round++
		return measure(ctx, t, round)
	})
	c.results = append(c.results, own.results...)
	return err
}

// runCount measures, on rtmpd alone, what counting viewers costs.
func (c *command) runCount(ctx context.Context, viewers int) error {
	return c.runRounds(ctx, func(ctx context.Context, t *target, round int) ([]Result, error) {
		return measureCount(ctx, t, viewers, c.options, round)
	})
}

// runTokens measures, on rtmpd alone, what viewers with tokens and sessions cost.
func (c *command) runTokens(ctx context.Context, viewers int) error {
	return c.runRounds(ctx, func(ctx context.Context, t *target, round int) ([]Result, error) {
		return measureTokens(ctx, t, viewers, c.options, round)
	})
}

// runRewrite measures, on rtmpd alone, publishers whose names a trigger makes.
func (c *command) runRewrite(ctx context.Context, rate int) error {
	return c.runRounds(ctx, func(ctx context.Context, t *target, _ int) ([]Result, error) {
		return single(measureRewrite(ctx, t, &c.names.asked, rate, c.options))
	})
}

// rewriteGoals are the goals of runRewrite.
func rewriteGoals(results []Result, rate int, bitRate int64) []goal {
	p := point{scenario: "rewrite", clients: rate, bitRate: bitRate}
	g := absolute(results, "publishes a second through PUSH_REWRITE", float64(rate), "", p, func(r *Result) float64 { return r.Rate })
	g.atLeast, g.met = true, g.why == "" && g.got >= g.limit
	return []goal{g}
}

// countGoal is the goal of runCount.
func countGoal(results []Result, viewers int, rate int64, mss int) goal {
	live, ok1 := values(results, "rtmpd", point{servedLive, 1, viewers, rate, mss}, (*Result).perGB)
	root, ok2 := values(results, "rtmpd", point{servedRoot, 1, viewers, rate, mss}, (*Result).perGB)
	return compared(goal{name: fmt.Sprintf("%d HLS viewers counted: CPU for each GB", viewers), limit: 1.1, unit: "x root"}, live, root, ok1, ok2)
}

// tokensGoal is the goal of runTokens.
func tokensGoal(results []Result, viewers int, rate int64, mss int) goal {
	with, ok1 := values(results, "rtmpd", point{watchTokens, 1, viewers, rate, mss}, (*Result).perGB)
	without, ok2 := values(results, "rtmpd", point{watchOpen, 1, viewers, rate, mss}, (*Result).perGB)
	return compared(goal{name: fmt.Sprintf("%d HLS viewers with tokens: CPU for each GB", viewers), limit: 1.1, unit: "x without"}, with, without, ok1, ok2)
}

// checkGoals sets the goals of publishing, recording, pushing and HLS beside the
// results.
func checkGoals(results []Result) []goal {
	var goals []goal
	rate, mss := int64(0), 0
	for i := range results {
		rate, mss = results[i].BitRate, max(mss, results[i].MSS)
	}
	for _, app := range []struct {
		name  string
		limit float64
	}{{appLive, 1.0}, {appHLS, 0.9}} {
		for _, n := range goalPublishers() {
			p := point{scenario: "publish-" + app.name, streams: n, bitRate: rate}
			goals = append(goals,
				relative(results, fmt.Sprintf("%d publishers, %s: CPU", n, app.name), app.limit, p, (*Result).perGB),
				absolute(results, fmt.Sprintf("%d publishers, %s: memory of a stream", n, app.name), 0.9, "MB", p,
					func(r *Result) float64 { return r.perStream() / mega }))
		}
	}
	for _, n := range goalOutputs() {
		for _, f := range []struct {
			format string
			limit  float64
		}{{"flv", 1.0}, {"mp4", 1.3}} {
			p := point{scenario: "publish-" + appRecord + f.format, streams: n, bitRate: rate}
			goals = append(goals, relative(results, fmt.Sprintf("%d streams recorded, %s: CPU", n, f.format), f.limit, p, (*Result).perGB))
		}
		p := point{"push", n, n, rate, mss}
		goals = append(goals, relative(results, fmt.Sprintf("%d streams pushed: CPU", n), 0.7, p, (*Result).perGB))
	}
	for _, n := range goalViewers() {
		p := point{"hls", 1, n, rate, mss}
		goals = append(goals, relative(results, fmt.Sprintf("%d HLS viewers: CPU for each GB", n), 1.5, p, (*Result).perGB))
	}
	goals = append(goals, lowGoal(results, goalOutputs()[0], rate), countGoal(results, goalViewers()[0], rate, mss), tokensGoal(results, goalViewers()[0], rate, mss))
	goals = append(goals, rewriteGoals(results, goalRewritten, rate)...)
	p := point{scenario: "start", streams: 1, bitRate: rate}
	return append(goals,
		absolute(results, "start to listening", 60, "ms", p, func(r *Result) float64 { return r.Startup }),
		absolute(results, "idle memory (RSS)", 25, "MB", p, func(r *Result) float64 { return float64(r.Idle.RSS) / mega }),
		absolute(results, "first playable playlist after the first GOP", 100, "ms", p, func(r *Result) float64 { return r.Playable }))
}
