package api

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/cmcd"
)

func TestWhatPlayersSayIsShown(t *testing.T) {
	t.Parallel()
	f := &cmcd.Figures{
		Players: 3, Stalling: 1, Reports: 40, Sessions: 4, Stalls: 2, Waited: 1500 * time.Millisecond, Buffer: 4 * time.Second, BufferLow: time.Second,
		Throughput: 8e6, ThroughputLow: 8e5, Latency: 5 * time.Second, LatencyHigh: 9 * time.Second,
	}
	s := snapshotOf(Application{Name: "live", Streams: []Stream{{Name: "cam", Publishing: true, PlayerHealth: f}, {Name: "quiet", Publishing: true}}})
	text := expose(t, s, MetricsSettings{Streams: 10}, Host{})
	for name, value := range map[string]string{
		"reporting_players": "3", "stalling_players": "1", "player_reports_total": "40", "player_sessions_total": "4", "player_stalls_total": "2", "player_stalled_seconds_total": "1.5",
		"player_buffer_seconds": "4", "player_throughput_bytes_per_second": "1e+06", "player_throughput_low_bytes_per_second": "100000", "player_latency_seconds": "5",
	} {
		has(t, text, "rtmpd_stream_"+name+`{app="live",server="0",stream="cam"} `+value)
		if strings.Contains(text, "rtmpd_stream_"+name+`{app="live",server="0",stream="quiet"}`) {
			t.Errorf("%s of a stream whose players say nothing", name)
		}
	}
	b, err := json.Marshal(newStatPlayers(f))
	if want := `{"players":3,"stalling":1,"sessions":4,"reports":40,"stalls":2,"waited":1500,"buffer":4000,"buffer_low":1000,"throughput":8000000,"throughput_low":800000,"latency":5000,"latency_high":9000}`; err != nil || string(b) != want {
		t.Errorf("%s (%v), want %s", b, err, want)
	}
	if newStatPlayers(nil) != nil {
		t.Error("figures of nothing")
	}
}
