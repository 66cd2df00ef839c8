package api

import (
	"runtime"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// A family is the series of one name.
type family struct {
	name, help string
	labels     []string
}

// serverFamilies describe the server as a whole.
var serverFamilies = []family{
	{"rtmpd_build_info", "Always 1: which rtmpd this is.", []string{"version", "goversion"}},
	{"rtmpd_healthy", "Whether health locations answer 200: the server can do its job.", nil},
	{"rtmpd_findings", "How many findings of a name there are, of the server itself and of all streams; none: no series.", []string{"finding", "level"}},
	{"rtmpd_config_last_reload_successful", "Whether the last attempt to load a configuration worked; after 0 the one before it runs on.", nil},
	{"rtmpd_config_last_reload_success_timestamp_seconds", "When a configuration was loaded last, as Unix time.", nil},
	{"rtmpd_keys_file_ok", "Whether every stream_keys_file can be used; at 0 the keys that were read before stay.", nil},
	{"rtmpd_log_messages_total", "Lines written to the log, by level.", []string{"level"}},

	{"rtmpd_connections", "Open connections, by protocol.", []string{"protocol"}},
	{"rtmpd_connections_accepted_total", "RTMP connections since the start.", nil},
	{"rtmpd_streams", "Streams that are live, or kept for their publisher to come back.", nil},
	{"rtmpd_publishers", "Publishers now.", nil},
	{"rtmpd_players", "RTMP players now, those that wait for a stream included.", nil},
	{"rtmpd_viewers", "HTTP viewers now: those that poll a playlist.", nil},
	{"rtmpd_publishes_total", "Publishers that were let in.", nil},
	{"rtmpd_plays_total", "RTMP players that were let in.", nil},
	{"rtmpd_viewer_sessions_total", "HTTP viewers that have come.", nil},
	{"rtmpd_streams_without_series", "Streams beyond metrics { streams }: those in stream=\"(other)\".", nil},

	{"rtmpd_received_bytes_total", "Bytes received, by protocol and, for HTTP, listener.", []string{"protocol", "listen"}},
	{"rtmpd_sent_bytes_total", "Bytes sent, by protocol; of HTTP the bodies, by the listen of the http block.", []string{"protocol", "listen"}},
	{"rtmpd_fanout_log_bytes", "Memory that holds what RTMP players are being sent. Most of it is in no process_resident_memory_bytes.", nil},

	{"rtmpd_http_requests_total", "Answers over HTTP, by the listen of the http block and status.", []string{"listen", "code"}},
	{"rtmpd_http_requests_in_flight", "HTTP requests that are being answered.", []string{"listen"}},

	{"rtmpd_hook_duration_seconds", "How long calls of hooks took, failed ones included.", []string{"hook"}},
	{"rtmpd_hook_failures_total", "Calls of hooks that got no answer.", []string{"hook"}},
	{"rtmpd_hook_refusals_total", "Calls of hooks that were answered by a no.", []string{"hook"}},
	{"rtmpd_hook_retries_total", "Calls of hooks that were made again.", []string{"hook"}},
	{"rtmpd_hook_lost_total", "Calls of hooks that were given up, or never made for want of room.", []string{"hook"}},
}

func (c *Collector) collectServer(ch chan<- prometheus.Metric, x *scrape) {
	s := x.snap
	put := func(kind prometheus.ValueType, name string, v float64, labels ...string) {
		for i := range labels {
			labels[i] = label(labels[i])
		}
		ch <- prometheus.MustNewConstMetric(c.server[name], kind, v, labels...)
	}
	gauge := func(name string, v float64, labels ...string) { put(prometheus.GaugeValue, name, v, labels...) }
	counter := func(name string, v uint64, labels ...string) {
		put(prometheus.CounterValue, name, float64(v), labels...)
	}

	gauge("rtmpd_build_info", 1, s.Version, runtime.Version())
	gauge("rtmpd_healthy", oneIf(s.Healthy))
	for _, f := range s.health().Found {
		gauge("rtmpd_findings", float64(f.Count), f.Name, f.Level)
	}
	gauge("rtmpd_config_last_reload_successful", oneIf(s.Reload.Successful))
	gauge("rtmpd_config_last_reload_success_timestamp_seconds", float64(s.Reload.At.UnixMilli())/1000)
	gauge("rtmpd_keys_file_ok", oneIf(len(s.KeysFailing) == 0))
	for _, l := range s.Logged {
		counter("rtmpd_log_messages_total", l.Lines, l.Level)
	}

	t := totalsOf(s)
	gauge("rtmpd_connections", float64(s.Connections), "rtmp")
	gauge("rtmpd_connections", float64(t.httpConnections), "http")
	counter("rtmpd_connections_accepted_total", s.Accepted)
	gauge("rtmpd_streams", float64(t.streams))
	gauge("rtmpd_publishers", float64(t.publishers))
	gauge("rtmpd_players", float64(t.players))
	gauge("rtmpd_viewers", float64(t.viewers))
	gauge("rtmpd_streams_without_series", float64(len(x.rest)))
	counter("rtmpd_publishes_total", s.Published)
	counter("rtmpd_plays_total", s.Played)
	counter("rtmpd_viewer_sessions_total", s.Viewed)

	counter("rtmpd_received_bytes_total", s.BytesIn, "rtmp", "")
	counter("rtmpd_sent_bytes_total", s.BytesOut, "rtmp", "")
	gauge("rtmpd_fanout_log_bytes", float64(s.FanoutBytes))

	c.collectLimits(ch, s.Limits)

	listens := make(map[string]bool)
	for _, h := range s.HTTP {
		if listens[h.Listen] {
			continue // ":0" twice; a series can be there once
		}
		listens[h.Listen] = true
		counter("rtmpd_received_bytes_total", h.BytesIn, "http", h.Listen)
		counter("rtmpd_sent_bytes_total", h.BytesOut, "http", h.Listen)
		gauge("rtmpd_http_requests_in_flight", float64(h.InFlight), h.Listen)
		for _, code := range h.Codes {
			counter("rtmpd_http_requests_total", code.Count, h.Listen, strconv.Itoa(code.Code))
		}
	}
	for _, h := range s.Hooks {
		ch <- prometheus.MustNewConstHistogram(c.server["rtmpd_hook_duration_seconds"], h.Calls, h.Took.Seconds(), cumulative(h.Latency), h.Name)
		counter("rtmpd_hook_failures_total", h.Failed, h.Name)
		counter("rtmpd_hook_refusals_total", h.Refused, h.Name)
		counter("rtmpd_hook_retries_total", h.Retried, h.Name)
		counter("rtmpd_hook_lost_total", h.Lost, h.Name)
	}
}

// cumulative converts buckets to Prometheus's, each of which includes those before it.
func cumulative(buckets []Bucket) map[float64]uint64 {
	out := make(map[float64]uint64, len(buckets))
	sum := uint64(0)
	for _, b := range buckets {
		sum += b.Count
		out[b.Until.Seconds()] = sum
	}
	return out
}

// totals are sums over a Snapshot.
type totals struct {
	streams, publishers, players, viewers int
	httpConnections                       int64
	httpOut                               uint64
}

func totalsOf(s *Snapshot) (t totals) {
	s.eachStream(func(_ int, _ *Application, st *Stream) {
		if st.exists() {
			t.streams++
		}
		if st.Publishing {
			t.publishers++
		}
		t.players += st.players()
		t.viewers += st.Viewers
	})
	for i := range s.HTTP {
		t.httpConnections += s.HTTP[i].Connections
		t.httpOut += s.HTTP[i].BytesOut
	}
	return t
}

func (s *Snapshot) eachStream(f func(server int, a *Application, st *Stream)) {
	for i := range s.Servers {
		for j := range s.Servers[i].Applications {
			a := &s.Servers[i].Applications[j]
			for k := range a.Streams {
				f(i, a, &a.Streams[k])
			}
		}
	}
}

// exists distinguishes a stream from a name that players wait for. Any client can choose
// such a name.
func (st *Stream) exists() bool { return st.Publishing || st.BytesIn > 0 }

// players returns the number of its RTMP players.
func (st *Stream) players() int {
	n := 0
	for i := range st.Clients {
		if !st.Clients[i].Publishing {
			n++
		}
	}
	return n
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
