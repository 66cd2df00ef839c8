package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/rtmpd/rtmpd/internal/output"
)

// expose is the metrics of a snapshot. The registry checks what it can.
func expose(t *testing.T, s *Snapshot, set MetricsSettings, host Host) string {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	c := NewCollector(func() *Snapshot { return s }, func() MetricsSettings { return set }, func() Host { return host })
	h, err := c.Handler(r)
	if err != nil {
		t.Fatal(err)
	}
	families, err := c.gather(r)
	if err != nil {
		t.Errorf("gather: %v", err)
	}
	// What is not registered is held to the same rules.
	if _, err := (prometheus.Gatherers{prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })}).Gather(); err != nil {
		t.Errorf("the families: %v", err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func snapshotOf(apps ...Application) *Snapshot {
	return &Snapshot{Servers: []Server{{Applications: apps}}}
}

func has(t *testing.T, text, line string) {
	t.Helper()
	if !strings.Contains(text, "\n"+line+"\n") {
		t.Errorf("%s is not in\n%s", line, text)
	}
}

func TestHostileNamesAreEscapedInMetrics(t *testing.T) {
	s := snapshotOf(Application{Name: "a\"} 1\n\\", Streams: []Stream{{Name: "x\xff", Publishing: true}, {Name: "x\xfe", Publishing: true}}})
	s.HTTP = []HTTP{{Listen: "\"\n"}, {Listen: "\"\n"}}
	for _, mist := range []bool{false, true} {
		text := expose(t, s, MetricsSettings{Streams: 10, Mist: mist}, Host{})
		has(t, text, `rtmpd_stream_publishing{app="a\"} 1\n\\",server="0",stream="\"x\\xff\""} 1`)
		has(t, text, `rtmpd_stream_publishing{app="a\"} 1\n\\",server="0",stream="\"x\\xfe\""} 1`)
		has(t, text, `rtmpd_http_requests_in_flight{listen="\"\n"} 0`)
	}
}

func TestTwoBlocksMayHaveAStreamOfOneName(t *testing.T) {
	s := snapshotOf(Application{Name: "live", Streams: []Stream{{Name: "cam", Publishing: true, BytesIn: 1}}})
	s.Servers = append(s.Servers, Server{Applications: []Application{{Name: "live", Streams: []Stream{{Name: "cam", Publishing: true, BytesIn: 2}}}}})
	text := expose(t, s, MetricsSettings{Streams: 10, Mist: true}, Host{})
	has(t, text, `rtmpd_stream_received_bytes_total{app="live",server="0",stream="cam"} 1`)
	has(t, text, `rtmpd_stream_received_bytes_total{app="live",server="1",stream="cam"} 2`)
	has(t, text, `mist_bw{direction="down",stream="live/cam"} 3`)
}

func TestTheOldestStreamsHaveSeries(t *testing.T) {
	s := snapshotOf(Application{Name: "live", Streams: []Stream{
		{Name: "a", Publishing: true, Age: time.Second, BwIn: 80, BytesIn: 1},
		{Name: "b", Publishing: true, Age: time.Minute, BwIn: 160, BytesIn: 1},
		{Name: "c", Age: time.Hour, BytesIn: 1}, // waits for its publisher
		{Name: "d", Age: time.Hour, Clients: []Client{{}}},
		{Name: "e", Publishing: true, Age: time.Second, BwIn: 240, Clients: []Client{{Publishing: true}, {}}},
	}})
	text := expose(t, s, MetricsSettings{Streams: 2}, Host{})
	has(t, text, `rtmpd_stream_received_bytes_per_second{app="live",server="0",stream="b"} 20`)
	has(t, text, `rtmpd_stream_publishing{app="live",server="0",stream="c"} 0`)
	has(t, text, `rtmpd_stream_received_bytes_per_second{app="",server="",stream="(other)"} 40`)
	has(t, text, `rtmpd_stream_players{app="",server="",stream="(other)"} 1`)
	has(t, text, `rtmpd_players 2`)
	for _, name := range []string{`"a"`, `"d"`, `"e"`, `packets_total{app="",`} {
		if strings.Contains(text, name) {
			t.Errorf("%s has series:\n%s", name, text)
		}
	}
	text = expose(t, s, MetricsSettings{}, Host{})
	has(t, text, `rtmpd_stream_publishing{app="",server="",stream="(other)"} 3`)
}

// Each recorder, push and packager has series of its own.
func TestOutputsHaveSeries(t *testing.T) {
	text := expose(t, snapshotOf(Application{Name: "live", Streams: []Stream{{Name: "cam", Publishing: true, Outputs: []Output{
		{Kind: "hls"},
		{Kind: "record", Name: "all", State: output.State{Target: "/x/cam.mp4", Duration: 90 * time.Second, Bytes: 1000, Files: 3, Failing: "no space"}},
	}}}}), MetricsSettings{Streams: 10}, Host{})
	for name, value := range map[string]string{"bytes": "1000", "seconds": "90", "files": "3", "failing": "1"} {
		has(t, text, "rtmpd_output_"+name+`{app="live",kind="record",output="all",server="0",stream="cam"} `+value)
	}
	has(t, text, `rtmpd_output_failing{app="live",kind="hls",output="",server="0",stream="cam"} 0`)
}

func TestMistShowsTheMachine(t *testing.T) {
	h := Host{CPUBusy: 25, CPUTotal: 100, MemTotal: 4 << 20, MemUsed: 1 << 20, ShmTotal: 2048, ShmUsed: 1024, NetworkIn: 7, NetworkOut: 8}
	text := expose(t, snapshotOf(), MetricsSettings{Mist: true}, h)
	for _, line := range []string{
		"mist_mem_total 4096", "mist_mem_used 1024", "mist_shm_total 2", "mist_shm_used 1",
		`stat_bw_total{direction="up"} 8`, `stat_bw_total{direction="down"} 7`, "mist_cpu 250",
	} {
		has(t, text, line)
	}
	if text := expose(t, snapshotOf(), MetricsSettings{Mist: true}, Host{}); strings.Contains(text, "mist_mem") {
		t.Error("a machine that nothing is known of is shown")
	}
}

func TestAHookIsAHistogram(t *testing.T) {
	s := &Snapshot{Hooks: []Hook{{Name: "on_publish", Calls: 6, Took: 3 * time.Second, Latency: []Bucket{{time.Millisecond, 1}, {time.Second, 2}}}}}
	text := expose(t, s, MetricsSettings{}, Host{})
	for _, line := range []string{
		`rtmpd_hook_duration_seconds_bucket{hook="on_publish",le="0.001"} 1`, `rtmpd_hook_duration_seconds_bucket{hook="on_publish",le="1"} 3`,
		`rtmpd_hook_duration_seconds_bucket{hook="on_publish",le="+Inf"} 6`, `rtmpd_hook_duration_seconds_sum{hook="on_publish"} 3`,
	} {
		has(t, text, line)
	}
}

func TestEveryMetricHasHelp(t *testing.T) {
	text := expose(t, snapshotOf(Application{Name: "a", Streams: []Stream{{Name: "s", Publishing: true}}}), MetricsSettings{Streams: 1, Mist: true}, Host{MemTotal: 1})
	helped := make(map[string]bool)
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case fields[1] == "HELP":
			helped[fields[2]] = len(fields) > 3
		case fields[0] != "#":
			if name, _, _ := strings.Cut(fields[0], "{"); !helped[name] {
				t.Errorf("%s has no help", name)
			}
		}
	}
	if len(helped) < 50 {
		t.Errorf("%d metrics", len(helped))
	}
}
