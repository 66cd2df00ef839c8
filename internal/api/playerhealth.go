package api

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/rtmpd/rtmpd/internal/cmcd"
)

// statPlayers is what players say of themselves, in stat. Times are in ms, throughputs in
// bits/s; medians, and the tenth that fares worst.
type statPlayers struct {
	Players       int    `json:"players"`
	Stalling      int    `json:"stalling"`
	Sessions      uint64 `json:"sessions"`
	Reports       uint64 `json:"reports"`
	Stalls        uint64 `json:"stalls"`
	Waited        int64  `json:"waited,omitempty"`
	Buffer        int64  `json:"buffer,omitempty"`
	BufferLow     int64  `json:"buffer_low,omitempty"`
	Throughput    int64  `json:"throughput,omitempty"`
	ThroughputLow int64  `json:"throughput_low,omitempty"`
	Latency       int64  `json:"latency,omitempty"`
	LatencyHigh   int64  `json:"latency_high,omitempty"`
}

func newStatPlayers(f *cmcd.Figures) *statPlayers {
	if f == nil {
		return nil
	}
	return &statPlayers{
		Players: f.Players, Stalling: f.Stalling, Sessions: f.Sessions, Reports: f.Reports, Stalls: f.Stalls, Waited: f.Waited.Milliseconds(),
		Buffer: f.Buffer.Milliseconds(), BufferLow: f.BufferLow.Milliseconds(), Throughput: int64(f.Throughput), ThroughputLow: int64(f.ThroughputLow),
		Latency: f.Latency.Milliseconds(), LatencyHigh: f.LatencyHigh.Milliseconds(),
	}
}

// healthFamilies have a series for each stream whose players say something (CMCD).
var healthFamilies = []struct {
	name, help string
	kind       prometheus.ValueType
	value      func(*cmcd.Figures) float64
}{
	{"rtmpd_stream_reporting_players", "Players of the stream that have said something of themselves (CMCD) in the last 30 s.", prometheus.GaugeValue, func(f *cmcd.Figures) float64 { return float64(f.Players) }},
	{"rtmpd_stream_stalling_players", "Players of them whose buffer ran empty in the last minute.", prometheus.GaugeValue, func(f *cmcd.Figures) float64 { return float64(f.Stalling) }},
	{"rtmpd_stream_player_reports_total", "Requests with which players said something of themselves.", prometheus.CounterValue, func(f *cmcd.Figures) float64 { return float64(f.Reports) }},
	{"rtmpd_stream_player_sessions_total", "Sessions of players that said something.", prometheus.CounterValue, func(f *cmcd.Figures) float64 { return float64(f.Sessions) }},
	{"rtmpd_stream_player_stalls_total", "Requests before which a player's buffer had run empty.", prometheus.CounterValue, func(f *cmcd.Figures) float64 { return float64(f.Stalls) }},
	{"rtmpd_stream_player_stalled_seconds_total", "How long players say that they waited for media.", prometheus.CounterValue, func(f *cmcd.Figures) float64 { return f.Waited.Seconds() }},
	{"rtmpd_stream_player_buffer_seconds", "What players have buffered, the median; 0: none has said it.", prometheus.GaugeValue, func(f *cmcd.Figures) float64 { return f.Buffer.Seconds() }},
	{"rtmpd_stream_player_throughput_bytes_per_second", "What players measure that they get, the median; 0: none has said it.", prometheus.GaugeValue, func(f *cmcd.Figures) float64 { return f.Throughput / 8 }},
	{"rtmpd_stream_player_throughput_low_bytes_per_second", "The same of the tenth of players that gets least.", prometheus.GaugeValue, func(f *cmcd.Figures) float64 { return f.ThroughputLow / 8 }},
	{"rtmpd_stream_player_latency_seconds", "How far players are behind the encoder, the median; 0: none has said it.", prometheus.GaugeValue, func(f *cmcd.Figures) float64 { return f.Latency.Seconds() }},
}

// health are the series of what players say.
func (s *scrape) health() (out []*dto.MetricFamily) {
	var labels [][]*dto.LabelPair
	var all []*cmcd.Figures
	for _, st := range s.own {
		if st.PlayerHealth != nil {
			all = append(all, st.PlayerHealth)
			labels = append(labels, pairs("app", st.app, "server", st.server, "stream", st.Name))
		}
	}
	if len(all) == 0 {
		return nil
	}
	for i := range healthFamilies {
		f := &healthFamilies[i]
		values := make([]float64, len(all))
		for j, figures := range all {
			values[j] = f.value(figures)
		}
		out = append(out, newFamily(f.name, f.help, f.kind, labels, values))
	}
	return out
}
