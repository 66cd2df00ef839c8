package server

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

const metricsHTTP = `http {
  listen = "127.0.0.1:0"
  location "/hls" {
    alias = "$DIR/hls"
  }
  location "/metrics" {
    metrics {}
  }
}
`

const metricsApps = `rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    hls {
      path     = "$DIR/hls"
      fragment = "1s"
    }
  }
}
` + metricsHTTP

// scrape is what /metrics says: each series as it is written, and its value.
func (r *rig) scrape() map[string]float64 {
	r.Helper()
	res, err := http.Get(r.web() + "/metrics")
	if err != nil {
		r.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		r.Fatalf("scrape: %d %v\n%s", res.StatusCode, err, b)
	}
	if got := res.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/plain; version=0.0.4") {
		r.Errorf("served as %s", got)
	}
	out := make(map[string]float64)
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		i := strings.LastIndexByte(line, ' ')
		if i < 0 || line[0] == '#' {
			continue
		}
		v, err := strconv.ParseFloat(line[i+1:], 64)
		if err != nil {
			r.Fatalf("%q: %v", line, err)
		}
		if _, twice := out[line[:i]]; twice {
			r.Errorf("%s is there twice", line[:i])
		}
		out[line[:i]] = v
	}
	return out
}

// ofStream is the series of a metric for a stream of the first rtmp block.
func ofStream(metric, app, name string) string {
	return fmt.Sprintf(`rtmpd_stream_%s{app=%q,server="0",stream=%q}`, metric, app, name)
}

func TestMetricsCountWhatWasSent(t *testing.T) {
	r := start(t, metricsApps)
	c := r.publish("live", "cam")
	c.seconds(5)
	tv := r.spectate("live", "cam", dialling{})
	tv.first()
	r.eventually("all has come, and a fragment is there", func() bool {
		return r.packets("live", "cam") == int(c.sent.Load()) && r.read("hls/cam.m3u8") != "" && r.scrape()["rtmpd_hls_playlists_written_total"] > 0
	})
	res, err := http.Get(r.web() + "/hls/cam.m3u8")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	live := r.stream("live", "cam").Live().Snapshot()
	got := r.scrape()
	for series, want := range map[string]float64{
		`rtmpd_build_info{goversion="` + runtime.Version() + `",version="test"}`: 1,
		"rtmpd_config_last_reload_successful":                                    1,
		`rtmpd_connections{protocol="rtmp"}`:                                     2,
		"rtmpd_connections_accepted_total":                                       2,
		"rtmpd_streams":                                                          1,
		"rtmpd_publishers":                                                       1,
		"rtmpd_players":                                                          1,
		"rtmpd_viewers":                                                          1,
		"rtmpd_publishes_total":                                                  1,
		"rtmpd_plays_total":                                                      1,
		"rtmpd_viewer_sessions_total":                                            1,
		"rtmpd_streams_without_series":                                           0,
		ofStream("publishing", "live", "cam"):                                    1,
		ofStream("players", "live", "cam"):                                       1,
		ofStream("viewers", "live", "cam"):                                       1,
		ofStream("packets_total", "live", "cam"):                                 float64(c.sent.Load()),
		ofStream("video_frames_total", "live", "cam"):                            float64(c.videoFrames()),
		ofStream("keyframes_total", "live", "cam"):                               float64(live.Keyframes),
		ofStream("received_bytes_total", "live", "cam"):                          float64(live.BytesIn),
		`rtmpd_log_messages_total{level="error"}`:                                0,
		`rtmpd_hook_failures_total{hook="on_publish"}`:                           0,
	} {
		if v, ok := got[series]; !ok || v != want {
			t.Errorf("%s: %v (%t), want %v", series, v, ok, want)
		}
	}
	for _, series := range []string{
		ofStream("sent_bytes_total", "live", "cam"), `rtmpd_sent_bytes_total{listen="",protocol="rtmp"}`,
		`rtmpd_received_bytes_total{listen="",protocol="rtmp"}`, "rtmpd_hls_fragment_write_seconds_count", "rtmpd_fanout_flush_seconds_count",
		"rtmpd_fanout_log_bytes", `rtmpd_log_messages_total{level="info"}`, "go_goroutines", "process_resident_memory_bytes",
		"rtmpd_config_last_reload_success_timestamp_seconds",
		`rtmpd_http_requests_total{code="200",listen="127.0.0.1:0"}`, `rtmpd_sent_bytes_total{listen="127.0.0.1:0",protocol="http"}`,
		`rtmpd_received_bytes_total{listen="127.0.0.1:0",protocol="http"}`,
	} {
		if got[series] <= 0 {
			t.Errorf("%s: %v", series, got[series])
		}
	}
	tv.Close()
	c.cut()
	r.eventually("both are gone", func() bool {
		s := r.scrape()
		return s["rtmpd_publishers"]+s["rtmpd_players"] == 0 && s["rtmpd_publishes_total"] == 1 && s[ofStream("publishing", "live", "cam")] == 0 && s["rtmpd_streams"] == 1
	})
	for _, series := range []string{`rtmpd_sent_bytes_total{listen="",protocol="rtmp"}`, `rtmpd_received_bytes_total{listen="",protocol="rtmp"}`} {
		if now := r.scrape()[series]; now < got[series] {
			t.Errorf("%s went from %v to %v", series, got[series], now)
		}
	}
}

func TestHooksAreMeasured(t *testing.T) {
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.FormValue("name") == "no" {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer hook.Close()
	r := start(t, `rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    on_publish = "`+hook.URL+`"
    on_play    = "http://127.0.0.1:1/nobody"
  }
}
`+metricsHTTP)
	r.publish("live", "cam")
	r.refused("live", "no", dialling{}, "NetStream.Publish.Denied", "on_publish")
	r.spectate("live", "cam", dialling{})
	r.logged("session refused", "on_play")
	got := r.scrape()
	for series, want := range map[string]float64{
		`rtmpd_hook_duration_seconds_count{hook="on_publish"}`:            2,
		`rtmpd_hook_duration_seconds_bucket{hook="on_publish",le="+Inf"}`: 2,
		`rtmpd_hook_duration_seconds_count{hook="on_play"}`:               1,
		`rtmpd_hook_refusals_total{hook="on_publish"}`:                    1,
		`rtmpd_hook_failures_total{hook="on_publish"}`:                    0,
		`rtmpd_hook_failures_total{hook="on_play"}`:                       1,
	} {
		if v, ok := got[series]; !ok || v != want {
			t.Errorf("%s: %v (%t), want %v", series, v, ok, want)
		}
	}
	if got[`rtmpd_hook_duration_seconds_sum{hook="on_publish"}`] <= 0 {
		t.Error("calls took no time")
	}
}

// Streams beyond metrics { streams } are one series, and the oldest keep theirs.
func TestSeriesAreBounded(t *testing.T) {
	const bound = "metrics {\n  streams = %d\n}\n"
	r := start(t, fmt.Sprintf(bound, 2)+metricsApps)
	for i := range 5 {
		c := r.publish("live", fmt.Sprintf("cam%d", i))
		c.seconds(1)
		if i == 3 {
			r.spectate("live", "cam3", dialling{}).first()
		}
	}
	r.spectate("live", "nobody", dialling{})
	r.eventually("all are shown", func() bool { return r.scrape()["rtmpd_players"] == 2 })
	check := func(want map[string]float64, streams int) {
		t.Helper()
		got := r.scrape()
		for series, v := range want {
			if got[series] != v {
				t.Errorf("%s: %v, want %v", series, got[series], v)
			}
		}
		n := 0
		for series := range got {
			if strings.HasPrefix(series, "rtmpd_stream_publishing{") {
				n++
			}
			if strings.Contains(series, "nobody") {
				t.Errorf("a stranger has made %s", series)
			}
		}
		if n != streams {
			t.Errorf("%d streams with series, want %d", n, streams)
		}
	}
	other := func(metric string) string {
		return `rtmpd_stream_` + metric + `{app="",server="",stream="(other)"}`
	}
	check(map[string]float64{
		ofStream("publishing", "live", "cam0"): 1, ofStream("publishing", "live", "cam1"): 1,
		other("publishing"): 3, other("players"): 1, "rtmpd_publishers": 5, "rtmpd_streams_without_series": 3,
	}, 3)
	if v, ok := r.scrape()[other("packets_total")]; ok {
		t.Errorf("a sum that falls with each stream that ends: %v", v)
	}
	r.reload(fmt.Sprintf(bound, 5) + metricsApps)
	check(map[string]float64{ofStream("players", "live", "cam3"): 1, "rtmpd_streams_without_series": 0}, 5)
}

// Secrets and what is typed stay out; what is a name comes as it is.
func TestMetricsNameStreamsByTheirPublicNames(t *testing.T) {
	r := start(t, `rtmp {
  listen = "127.0.0.1:0"
  application "*" {}
  application "plain" {
    stream_key "cam" {
      secret = "s3cretS3cretS3"
    }
  }
}
`+metricsHTTP)
	r.publish("stage+1", "Müller+1=2~@").seconds(1)
	r.publish("plain", "s3cretS3cretS3").seconds(1)
	r.spectate("plain", "s3cretS3cretS3", dialling{})
	got := r.scrape()
	for _, series := range []string{ofStream("publishing", "stage+1", "Müller+1=2~@"), ofStream("publishing", "plain", "cam")} {
		if got[series] != 1 {
			t.Errorf("%s: %v", series, got[series])
		}
	}
	for series := range got {
		if strings.Contains(series, "s3cret") {
			t.Errorf("%s holds a secret", series)
		}
	}
}

func TestAReloadThatFailsIsShown(t *testing.T) {
	r := start(t, metricsApps)
	at := "rtmpd_config_last_reload_success_timestamp_seconds"
	first := r.scrape()
	if d := float64(time.Now().Unix()) - first[at]; d < -2 || d > 120 {
		t.Errorf("loaded %v s ago", d)
	}
	cfg := r.load(strings.Replace(metricsApps, `"$DIR/hls"`, `"/dev/null/hls"`, 1))
	if _, err := r.srv.Apply(cfg); err == nil {
		t.Fatal("a path that can't be made was accepted")
	}
	if s := r.scrape(); s["rtmpd_config_last_reload_successful"] != 0 || s[at] != first[at] {
		t.Errorf("after one that failed: %v at %v", s["rtmpd_config_last_reload_successful"], s[at])
	}
	r.reload(metricsApps)
	if s := r.scrape(); s["rtmpd_config_last_reload_successful"] != 1 || s[at] <= first[at] {
		t.Errorf("after a good one: %v at %v, first %v", s["rtmpd_config_last_reload_successful"], s[at], first[at])
	}
}

func TestMetricsAnswerThisMachineOnly(t *testing.T) {
	r := start(t, metricsApps)
	q, err := http.NewRequest(http.MethodGet, r.web()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("X-Forwarded-For", "192.0.2.1")
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("through a proxy: %d", res.StatusCode)
	}
}

func TestMistServersNames(t *testing.T) {
	const mist = "metrics {\n  mist = true\n}\n"
	r := start(t, metricsApps)
	r.publish("live", "cam").seconds(2)
	r.spectate("live", "cam", dialling{}).first()
	for series := range r.scrape() {
		if strings.HasPrefix(series, "mist_") || strings.HasPrefix(series, "stat_") {
			t.Errorf("%s without mist = true", series)
		}
	}
	r.reload(mist + metricsApps)
	got := r.scrape()
	for series, want := range map[string]float64{
		`mist_sessions{sessType="viewers",stream="live/cam"}`:  1,
		`mist_sessions{sessType="incoming",stream="live/cam"}`: 1,
		`mist_sessions_total{sessType="viewers"}`:              1,
		`mist_sessions_count{sessType="incoming"}`:             1,
		`mist_outputs{output="RTMP"}`:                          1,
		`mist_outputs{output="HLS"}`:                           0,
		`mist_viewcount{stream="live/cam"}`:                    1,
		`mist_trigger_count{trigger="on_publish"}`:             0,
		`mist_bw{direction="down",stream="live/cam"}`:          float64(r.stream("live", "cam").Live().Snapshot().BytesIn),
	} {
		if v, ok := got[series]; !ok || v != want {
			t.Errorf("%s: %v (%t), want %v", series, v, ok, want)
		}
	}
	for _, series := range []string{"mist_logs", `mist_bw_total{direction="up"}`, `mist_bw_total{direction="down"}`, "mist_mem_total", "mist_mem_used"} {
		if got[series] <= 0 {
			t.Errorf("%s: %v", series, got[series])
		}
	}
	again := r.scrape()
	for _, series := range []string{"mist_viewseconds_total", `mist_viewseconds{stream="live/cam"}`} {
		if again[series] <= got[series] {
			t.Errorf("%s stays at %v while somebody watches", series, got[series])
		}
	}
}

// videoFrames is how many the client has sent.
func (c *client) videoFrames() int {
	n, clip := 0, card()
	for i := range c.frames {
		if clip.frames[i%len(clip.frames)].Type == rtmp.TypeVideo {
			n++
		}
	}
	return n
}

// A scrape of 1000 streams and 5000 players, by the clock and in CPU time of all
// cores, the collector's included.
func BenchmarkMetrics(b *testing.B) {
	r := start(b, statApps)
	r.crowd(r.app("live"), 1000, 5000)
	before := process().CPU
	for b.Loop() {
		w := httptest.NewRecorder()
		r.srv.metrics.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/scrape")
	b.ReportMetric(float64((process().CPU-before).Milliseconds())/float64(b.N), "cpu-ms/scrape")
}
