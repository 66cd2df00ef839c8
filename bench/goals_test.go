//go:build linux

package main

import (
	"strings"
	"testing"
)

// published is a run of 100 publishers that cost the server cpu seconds.
func published(server string, cpu float64, problems ...string) Result {
	return Result{
		Server: server, Scenario: "publish-live", Streams: 100, BitRate: 1, Bytes: 1e9, ServerCPU: cpu,
		Memory: memory{RSS: 60e6, Memfd: 10e6}, Idle: memory{RSS: 10e6}, Problems: problems,
	}
}

func TestGoalsCompareRoundByRoundAndOnlyWhatCounts(t *testing.T) {
	results := []Result{
		published("nginx", 1), published("rtmpd", 0.9),
		published("nginx", 2), published("rtmpd", 2.2),
		published("nginx", 1), published("rtmpd", 0.5, "lost a byte"),
		published("nginx", 1), published("rtmpd", 0.8),
	}
	got := map[string]goal{}
	for _, g := range checkGoals(results) {
		got[g.name] = g
	}
	if g := got["100 publishers, live: CPU"]; g.got < 0.899 || g.got > 0.901 || !g.met {
		t.Errorf("CPU: got %+v, want the median of 0.9, 1.1 and 0.8, met", g)
	}
	if g := got["100 publishers, live: memory of a stream"]; g.got != 0.6 || !g.met {
		t.Errorf("memory: got %+v, want 0.6 MB, met", g)
	}
	if g := got["300 publishers, live: CPU"]; g.met || !strings.Contains(g.why, "no pair") {
		t.Errorf("what was not measured: got %+v, want it missed", g)
	}
}

func TestPeerGoalsFollowTheFlushInterval(t *testing.T) {
	play := func(server string, clients int, cpu float64) Result {
		return Result{
			Server: server, Scenario: "play", Streams: 1, Clients: clients, BitRate: 2_650_000, MSS: 1448,
			Bytes: 1e9, ServerCPU: cpu, P50: 30, P99: 44, First50: 15, Memory: memory{RSS: 20e6}, Base: memory{RSS: 15e6},
		}
	}
	results := []Result{play("nginx", 500, 3), play("rtmpd", 500, 0.9)}
	for flush, met := range map[string]bool{"": false, "33ms": true} {
		g := peerGoals(results, flush)[0]
		if g.met != met || g.got < 0.299 || g.got > 0.301 {
			t.Errorf("flush interval %q: got %+v, want met %v", flush, g, met)
		}
	}
	if got := len(peerGoals([]Result{play("nginx", 500, 3)}, "")); got != 0 {
		t.Errorf("goals without rtmpd: got %d, want none", got)
	}
	churn := Result{Server: "rtmpd", Scenario: "churn", Streams: 1, Rate: 3999, PerCycle: 0.2}
	goals := peerGoals([]Result{churn}, "")
	if len(goals) != 2 || goals[0].met || !goals[1].met {
		t.Errorf("churn: got %+v, want the first missed and the second met", goals)
	}
}

func TestTheGoalsOfTokensAndOfPublishesThroughATrigger(t *testing.T) {
	viewers := func(scenario string, cpu float64) Result {
		return Result{Server: "rtmpd", Scenario: scenario, Streams: 1, Clients: 500, BitRate: 1, Bytes: 1e9, ServerCPU: cpu}
	}
	results := []Result{viewers(watchOpen, 1), viewers(watchTokens, 1.05), viewers(watchTokens, 2.4), viewers(watchOpen, 2)}
	if g := tokensGoal(results, 500, 1, 0); g.got < 1.124 || g.got > 1.126 || g.met {
		t.Errorf("tokens: got %+v, want the median of 1.05 and 1.2, missed", g)
	}
	for rate, met := range map[float64]bool{999.9: false, 1000: true} {
		results := []Result{{Server: "rtmpd", Scenario: "rewrite", Clients: 1000, BitRate: 1, Rate: rate}}
		if g := rewriteGoals(results, 1000, 1)[0]; g.met != met || g.got != rate {
			t.Errorf("%g publishes a second: got %+v, want met %v", rate, g, met)
		}
	}
	if g := rewriteGoals(nil, 1000, 1)[0]; g.met || g.why == "" {
		t.Errorf("without a run: got %+v, want it missed", g)
	}
}
