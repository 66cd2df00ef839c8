//go:build linux

package main

import (
	"context"
	"fmt"
	"time"
)

// A snapshot is every clock that a measured window is the difference of.
type snapshot struct {
	at     time.Time
	server time.Duration // CPU time of the server's process tree
	client time.Duration // CPU time of this process
	busy   time.Duration // CPU time of the machine, all cores together
}

func (t *target) snapshot() (s snapshot, err error) {
	if s.server, err = treeCPU(t.pids); err != nil {
		return s, err
	}
	if s.client, err = ownCPU(); err != nil {
		return s, err
	}
	if s.busy, err = machineBusy(); err != nil {
		return s, err
	}
	s.at = time.Now()
	return s, nil
}

// A Result is one measured window. Figures that do not apply are zero.
type Result struct {
	Server   string `json:"server"`
	Scenario string `json:"scenario"` // publish-live, publish-hls, publish-record-flv, push, play, hls, churn, rewrite, start
	Streams  int    `json:"streams,omitempty"`
	Clients  int    `json:"clients,omitempty"` // players or viewers
	BitRate  int64  `json:"bit_rate,omitempty"`
	MSS      int    `json:"mss,omitempty"` // 0: the loopback's 64 KiB

	Seconds   float64 `json:"seconds"`    // length of the window
	Bytes     int64   `json:"bytes"`      // that reached the clients; without clients, that were published
	ServerCPU float64 `json:"server_cpu"` // seconds
	ClientCPU float64 `json:"client_cpu"` // seconds, this tool
	Busy      float64 `json:"busy"`       // of the machine, in per cent of one core
	Others    float64 `json:"others"`     // the part of Busy that is neither the server nor this tool
	Memory    memory  `json:"memory"`     // of the server, at the end
	Idle      memory  `json:"idle"`       // of the server, before any client
	Base      memory  `json:"base"`       // play: of the server with its publishers, before any player

	P50         float64 `json:"p50_ms"` // added latency of a message; of a whole fetch for HLS
	P99         float64 `json:"p99_ms"`
	First50     float64 `json:"first_p50_ms,omitempty"` // play to first video frame
	First99     float64 `json:"first_p99_ms,omitempty"`
	Age50       float64 `json:"age_p50_ms,omitempty"` // HLS: age of the newest frame of a fetched segment
	SlowestRate float64 `json:"slowest,omitempty"`    // bytes of the worst client over the mean
	Sampled     int     `json:"sampled,omitempty"`    // clients that checked every message
	Stalled     int     `json:"stalled"`              // clients without data for stallTime
	Gaps        int     `json:"gaps"`                 // messages missed by sampled clients
	Damaged     int     `json:"damaged"`              // messages whose checksum or order is wrong
	Lost        int     `json:"lost"`                 // clients whose connection ended
	NotFound    int     `json:"not_found,omitempty"`
	Stale       int     `json:"stale,omitempty"` // playlists that stood still
	Late        float64 `json:"late_ms"`         // p99 of how late the publishers were

	Rate     float64 `json:"rate,omitempty"`     // churn, rewrite: set-ups a second
	PerCycle float64 `json:"cycle_ms,omitempty"` // churn, rewrite: server CPU ms a set-up
	Startup  float64 `json:"startup_ms,omitempty"`
	Playable float64 `json:"playable_ms,omitempty"` // first playlist after the end of the first GOP

	Problems []string `json:"problems,omitempty"` // why the run does not count
}

// perGB is the server's CPU seconds for each 10^9 bytes.
func (r *Result) perGB() float64 { return ratio(r.ServerCPU, float64(r.Bytes)/1e9) }

// allPerGB counts this tool's CPU time too.
func (r *Result) allPerGB() float64 {
	return ratio(r.ServerCPU+r.ClientCPU, float64(r.Bytes)/1e9)
}

// percent is the server's CPU time in per cent of a core.
func (r *Result) percent() float64 { return 100 * ratio(r.ServerCPU, r.Seconds) }

// perStream is the server's memory above idle for each stream, in bytes.
func (r *Result) perStream() float64 {
	return ratio(float64(r.Memory.RSS+r.Memory.Memfd-r.Idle.RSS-r.Idle.Memfd), float64(r.Streams))
}

// problem notes why the run does not count.
func (r *Result) problem(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// perPlayer is the server's memory above that of the streams alone for each
// player, in KiB; one GOP a stream is not the players' but their log's.
func (r *Result) perPlayer() float64 {
	grown := r.Memory.RSS + r.Memory.Memfd - r.Base.RSS - r.Base.Memfd
	log := int64(r.Streams) * r.BitRate / 8 * int64(gop/time.Second)
	return ratio(float64(max(0, grown-log))/1024, float64(r.Clients))
}

// ratio is a/b, 0 when b is 0 (nothing was measured).
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// window measures for d: begin runs at the start, end at the end, both inside
// the snapshots' moment.
func (t *target) window(ctx context.Context, d time.Duration, r *Result, begin, end func()) error {
	before, err := t.snapshot()
	if err != nil {
		return err
	}
	begin()
	if err := pause(ctx, d); err != nil {
		return err
	}
	end()
	after, err := t.snapshot()
	if err != nil {
		return err
	}
	r.Server = t.name
	r.Seconds = after.at.Sub(before.at).Seconds()
	r.ServerCPU = (after.server - before.server).Seconds()
	r.ClientCPU = (after.client - before.client).Seconds()
	busy := (after.busy - before.busy).Seconds()
	r.Busy = 100 * busy / r.Seconds
	r.Others = 100 * max(0, busy-r.ServerCPU-r.ClientCPU) / r.Seconds
	if r.Memory, err = treeMemory(t.pids); err != nil {
		return err
	}
	return nil
}

// pause waits for d; it fails when ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
