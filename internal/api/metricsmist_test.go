package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/rtmpd/rtmpd/internal/output"
)

// mistMetrics are all of MistServer's names, each with the values of its labels that
// there always are, or that the streams cam have.
var mistMetrics = map[string][]string{
	"mist_logs": {""}, "mist_cpu": {""}, "mist_mem_total": {""}, "mist_mem_used": {""}, "mist_shm_total": {""}, "mist_shm_used": {""},
	"mist_viewseconds_total": {""}, "mist_bw_limit": {""},
	"mist_sessions_count": {"viewers", "incoming", "outgoing", "unspecified"},
	"mist_sessions_total": {"viewers", "incoming", "outgoing", "unspecified", "cached"},
	"mist_outputs":        {"RTMP", "HLS", "FLV"},
	"mist_bw_total":       {"up", "down"}, "mist_bw_other": {"up", "down"}, "stat_bw_total": {"up", "down"},
	"mist_packets_total": {"sent", "lost", "retrans"},
	"mist_sessions":      {"live/cam viewers", "live/cam incoming", "live/cam outgoing", "live/cam unspecified"},
	"mist_viewcount":     {"live/cam"}, "mist_viewseconds": {"live/cam"},
	"mist_bw":            {"live/cam up", "live/cam down"},
	"mist_packets":       {"live/cam sent", "live/cam lost", "live/cam retrans"},
	"mist_trigger_count": {"on_play"}, "mist_trigger_time": {"on_play"}, "mist_trigger_fails": {"on_play"},
}

func mistSnapshot() *Snapshot {
	s := snapshotOf(Application{Name: "live", Streams: []Stream{{
		Name: "cam", Publishing: true, Viewers: 3, ViewersUnique: 9, BytesIn: 10, BytesOut: 20, ViewersBy: []ProtocolCount{{"FLV", 1}, {"HLS", 2}},
		Outputs: []Output{{Kind: "push", Name: "a", State: output.State{Phase: output.Live}}, {Kind: "push", Name: "b", State: output.State{Phase: output.Waiting}}, {Kind: "hls"}},
	}}}, Application{Name: "evil", Streams: []Stream{{Name: "a\"}\n\\\xff", Publishing: true}}})
	s.Hooks = []Hook{{Name: "on_play", Calls: 4, Failed: 1}}
	s.Limits = []Limit{{Block: "server", MaxBandwidth: 8e6}}
	s.Published, s.Played, s.Viewed = 1, 2, 9
	return s
}

// Prometheus's own parser reads every name that MistServer has, with its labels.
func TestMistServersNamesInPrometheusSyntax(t *testing.T) {
	t.Parallel()
	host := Host{CPUBusy: 25, CPUTotal: 100, MemTotal: 4 << 20, NetworkIn: 7}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(expose(t, mistSnapshot(), MetricsSettings{Streams: 10, Mist: true}, host)))
	if err != nil {
		t.Fatal(err)
	}
	for name, labels := range mistMetrics {
		f := families[name]
		if f == nil {
			t.Errorf("no %s", name)
			continue
		}
		if f.GetHelp() == "" {
			t.Errorf("%s: no HELP", name)
		}
		there := make(map[string]bool)
		for _, m := range f.Metric {
			values := make(map[string]string)
			for _, l := range m.Label {
				values[l.GetName()] = l.GetValue()
			}
			var all []string
			for _, l := range []string{"stream", "sessType", "direction", "pkttype", "output", "trigger"} {
				if v, ok := values[l]; ok {
					all = append(all, v)
				}
			}
			there[strings.Join(all, " ")] = true
		}
		for _, l := range labels {
			if !there[l] {
				t.Errorf("%s has no %q: %v", name, l, there)
			}
		}
	}
	for name := range families {
		if (strings.HasPrefix(name, "mist_") || strings.HasPrefix(name, "stat_")) && mistMetrics[name] == nil {
			t.Errorf("MistServer has no %s", name)
		}
	}
}

// However many streams there are, no more than metrics.streams have series.
func TestMistServersSeriesAreBounded(t *testing.T) {
	t.Parallel()
	var streams []Stream
	for range 500 {
		streams = append(streams, Stream{Name: strings.Repeat("x", len(streams)+1), Publishing: true})
	}
	text := expose(t, snapshotOf(Application{Name: "live", Streams: streams}), MetricsSettings{Streams: 3, Mist: true}, Host{})
	if n := strings.Count(text, "\nmist_viewcount{"); n != 3 {
		t.Errorf("%d streams have series", n)
	}
	has(t, text, `mist_sessions_total{sessType="incoming"} 500`)
}

// A location whose path ends with .json answers as MistServer's /PASSPHRASE.json.
func TestMistServersJSON(t *testing.T) {
	t.Parallel()
	mist := true
	c := NewCollector(mistSnapshot, func() MetricsSettings { return MetricsSettings{Streams: 10, Mist: mist} }, func() Host { return Host{MemTotal: 1 << 20} })
	h, err := c.Handler(prometheus.NewPedanticRegistry())
	if err != nil {
		t.Fatal(err)
	}
	get := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/secret.json", nil))
		return w
	}
	w := get()
	var got struct {
		MemTotal int     `json:"mem_total"`
		Curr     [5]int  `json:"curr"`
		Tot      [4]int  `json:"tot"`
		BWLimit  int     `json:"bwlimit"`
		Counts   mapOf   `json:"output_counts"`
		Conf     []any   `json:"conf_streams"`
		Pkts     [3]int  `json:"pkts"`
		Triggers mapJSON `json:"triggers"`
		Streams  map[string]struct {
			Curr [4]int `json:"curr"`
			BW   [2]int `json:"bw"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if cam := got.Streams["live/cam"]; cam.Curr != [4]int{3, 1, 1, 0} || cam.BW != [2]int{20, 10} || len(got.Streams) != 2 {
		t.Errorf("streams: %+v", got.Streams)
	}
	if got.Curr != [5]int{3, 2, 1} || got.Tot != [4]int{11, 1, 1} || got.BWLimit != 1e6 || got.MemTotal != 1024 || got.Conf == nil {
		t.Errorf("%+v", got)
	}
	if got.Counts["FLV"] != 1 || got.Counts["HLS"] != 2 || got.Counts["RTMP"] != 0 || string(got.Triggers["on_play"]) != `{"count":4,"ms":0,"fails":1}` {
		t.Errorf("%v %s", got.Counts, got.Triggers)
	}
	mist = false
	if body := get().Body.String(); !strings.HasPrefix(body, "# HELP") {
		t.Errorf("without mist: %.40q", body)
	}
}

type (
	mapOf   map[string]int
	mapJSON map[string]json.RawMessage
)
