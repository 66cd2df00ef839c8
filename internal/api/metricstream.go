package api

import (
	"cmp"
	"runtime"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// The labels app, server and stream say which stream a series is about. server is
// the number of its rtmp block, as in control's srv: two blocks may have an
// application of one name.

// otherStreams is the stream label of the rest. No stream can be called so.
const otherStreams = "(other)"

// A streamFamily has a series for each stream. sums says that the figures of
// several make sense added up, even as streams come and go: those of the rest are
// one series. Sums of counters do not: they would fall with each stream that ends.
type streamFamily struct {
	name, help string
	kind       prometheus.ValueType
	sums       bool
	value      func(*Stream) float64
}

var streamFamilies = []streamFamily{
	{"rtmpd_stream_publishing", "Whether the stream has a publisher; 0 while it waits for one to come back.", prometheus.GaugeValue, true, func(s *Stream) float64 { return oneIf(s.Publishing) }},
	{"rtmpd_stream_players", "RTMP players of the stream.", prometheus.GaugeValue, true, func(s *Stream) float64 { return float64(s.players()) }},
	{"rtmpd_stream_viewers", "HTTP viewers of the stream.", prometheus.GaugeValue, true, func(s *Stream) float64 { return float64(s.Viewers) }},
	{"rtmpd_stream_viewers_peak", "The most HTTP viewers that the stream had at one time.", prometheus.GaugeValue, false, func(s *Stream) float64 { return float64(s.ViewersPeak) }},
	{"rtmpd_stream_viewers_unique", "How many different HTTP viewers the stream has had, about.", prometheus.GaugeValue, false, func(s *Stream) float64 { return float64(s.ViewersUnique) }},

	{"rtmpd_stream_received_bytes_total", "Bytes of media that came from the stream's publishers.", prometheus.CounterValue, false, func(s *Stream) float64 { return float64(s.BytesIn) }},
	{"rtmpd_stream_sent_bytes_total", "Bytes sent to the stream's RTMP players.", prometheus.CounterValue, false, func(s *Stream) float64 { return float64(s.BytesOut) }},
	{"rtmpd_stream_received_bytes_per_second", "Bytes of media a second from the publisher, over 10 s; the bit rate is 8 times that.", prometheus.GaugeValue, true, func(s *Stream) float64 { return float64(s.BwIn) / 8 }},
	{"rtmpd_stream_sent_bytes_per_second", "Bytes a second to the RTMP players, over 10 s.", prometheus.GaugeValue, true, func(s *Stream) float64 { return float64(s.BwOut) / 8 }},
	{"rtmpd_stream_video_bytes_per_second", "Bytes of video a second, over 10 s.", prometheus.GaugeValue, true, func(s *Stream) float64 { return float64(s.BwVideo) / 8 }},
	{"rtmpd_stream_audio_bytes_per_second", "Bytes of audio a second, over 10 s.", prometheus.GaugeValue, true, func(s *Stream) float64 { return float64(s.BwAudio) / 8 }},

	{"rtmpd_stream_outputs", "Outputs of the stream: HLS, recordings.", prometheus.GaugeValue, true, func(s *Stream) float64 { return float64(len(s.Outputs)) }},
	{"rtmpd_stream_outputs_failing", "Outputs of the stream that can't write.", prometheus.GaugeValue, true, func(s *Stream) float64 { return float64(s.failing()) }},

	{"rtmpd_stream_packets_total", "Packets of audio and video that came from the stream's publishers.", prometheus.CounterValue, false, func(s *Stream) float64 { return float64(s.Packets) }},
	{"rtmpd_stream_video_frames_total", "Video frames that came from the stream's publishers.", prometheus.CounterValue, false, func(s *Stream) float64 { return float64(s.VideoFrames) }},
	{"rtmpd_stream_keyframes_total", "Keyframes that came from the stream's publishers.", prometheus.CounterValue, false, func(s *Stream) float64 { return float64(s.Keyframes) }},
	{"rtmpd_stream_skipped_packets_total", "Packets passed over by the stream's outputs that were too slow.", prometheus.CounterValue, false, func(s *Stream) float64 { return float64(s.Skipped) }},
	{"rtmpd_stream_buffer_bytes", "Memory that holds the stream's newest packets, about.", prometheus.GaugeValue, true, func(s *Stream) float64 { return float64(s.BufferBytes) }},
	{"rtmpd_stream_frames_per_second", "Video frame rate by timestamps, over 10 s; 0: not known.", prometheus.GaugeValue, false, func(s *Stream) float64 { return s.FrameRate }},
	{"rtmpd_stream_gop_seconds", "Time between the last two keyframes; 0: not known.", prometheus.GaugeValue, false, func(s *Stream) float64 { return s.Ingest.GOP.Seconds() }},
	{"rtmpd_stream_gop_max_seconds", "The longest of the last 8 groups of pictures and the present one.", prometheus.GaugeValue, false, func(s *Stream) float64 { return s.Ingest.GOPMax.Seconds() }},
	{"rtmpd_stream_timestamp_gaps_total", "Times that frames were missing, of the present publisher.", prometheus.CounterValue, false, func(s *Stream) float64 { return float64(s.Ingest.Gaps) }},
	{"rtmpd_stream_timestamp_jumps_total", "Times that timestamps went back or far ahead, of the present publisher.", prometheus.CounterValue, false, func(s *Stream) float64 { return float64(s.Ingest.Jumps) }},
	{"rtmpd_stream_jitter_seconds", "How unevenly the publisher's packets arrive.", prometheus.GaugeValue, false, func(s *Stream) float64 { return s.Ingest.Jitter.Seconds() }},
	{"rtmpd_stream_late_seconds", "How late the publisher's packets arrive, against the best of the last minute.", prometheus.GaugeValue, false, func(s *Stream) float64 { return s.Ingest.Late.Seconds() }},
}

const (
	findingName = "rtmpd_stream_finding"
	findingHelp = "Always 1, while something is wrong with an output of the stream or with what the publisher sends; stat and top have it with advice."
)

// A scrape is what one answer is made of: one snapshot, and which of its streams
// have series of their own.
type scrape struct {
	snap      *Snapshot
	settings  MetricsSettings
	own, rest []placed
}

// families are the series of the streams. They are many, and made here as the
// registry would make them of its collectors' metrics: that it need not look at
// each of them again takes half the time.
func (s *scrape) families() []*dto.MetricFamily {
	labels := make([][]*dto.LabelPair, len(s.own), len(s.own)+1)
	for i, st := range s.own {
		labels[i] = pairs("app", st.app, "server", st.server, "stream", st.Name)
	}
	if len(s.rest) > 0 {
		labels = append(labels, pairs("app", "", "server", "", "stream", otherStreams))
	}
	var out []*dto.MetricFamily
	values := make([]float64, len(labels))
	for i := range streamFamilies {
		runtime.Gosched() // media goes first
		f := &streamFamilies[i]
		for j, st := range s.own {
			values[j] = f.value(st.Stream)
		}
		n := len(s.own)
		if f.sums && len(s.rest) > 0 {
			values[n] = 0
			for _, st := range s.rest {
				values[n] += f.value(st.Stream)
			}
			n++
		}
		if n > 0 {
			out = append(out, newFamily(f.name, f.help, f.kind, labels[:n], values[:n]))
		}
	}
	out = append(out, s.outputs()...)
	out = append(out, s.health()...)
	if found := s.findings(); len(found) > 0 {
		ones := slices.Repeat([]float64{1}, len(found))
		out = append(out, newFamily(findingName, findingHelp, prometheus.GaugeValue, found, ones))
	}
	return out
}

// outputFamilies have a series for each output of a stream.
var outputFamilies = []struct {
	name, help string
	value      func(*Output) float64
}{
	{"rtmpd_output_bytes", "Size of the file that a recorder writes; bytes that another output has written or sent.", func(o *Output) float64 { return float64(o.Bytes) }},
	{"rtmpd_output_seconds", "How much media is in the file that a recorder writes, or in what another output has written or sent.", func(o *Output) float64 { return o.Duration.Seconds() }},
	{"rtmpd_output_files", "Files that the output has finished.", func(o *Output) float64 { return float64(o.Files) }},
	{"rtmpd_output_failing", "Whether the output can't write; stat says why.", func(o *Output) float64 { return oneIf(o.Failing != "") }},
}

// outputs are the series of the outputs.
func (s *scrape) outputs() (out []*dto.MetricFamily) {
	var labels [][]*dto.LabelPair
	var all []*Output
	for _, st := range s.own {
		for i := range st.Outputs {
			o := &st.Outputs[i]
			all = append(all, o)
			labels = append(labels, pairs("app", st.app, "kind", o.Kind, "output", o.Name, "server", st.server, "stream", st.Name))
		}
	}
	if len(all) == 0 {
		return nil
	}
	values := make([]float64, len(all))
	for _, f := range outputFamilies {
		for i, o := range all {
			values[i] = f.value(o)
		}
		out = append(out, newFamily(f.name, f.help, prometheus.GaugeValue, labels, values))
	}
	return out
}

// findings are the labels of what the doctor has found.
func (s *scrape) findings() (out [][]*dto.LabelPair) {
	for _, st := range s.own {
		for _, f := range st.Health {
			out = append(out, pairs("app", st.app, "finding", f.Name, "level", f.Level, "server", st.server, "stream", st.Name))
		}
	}
	return out
}

// newFamily has a counter or gauge for each of labels, which it shares.
func newFamily(name, help string, kind prometheus.ValueType, labels [][]*dto.LabelPair, values []float64) *dto.MetricFamily {
	f := &dto.MetricFamily{Name: &name, Help: &help, Type: dto.MetricType_GAUGE.Enum(), Metric: make([]*dto.Metric, len(labels))}
	values = slices.Clone(values)
	metrics := make([]dto.Metric, len(labels))
	if kind == prometheus.CounterValue {
		f.Type = dto.MetricType_COUNTER.Enum()
		counters := make([]dto.Counter, len(labels))
		for i := range metrics {
			counters[i].Value = &values[i]
			metrics[i].Label, metrics[i].Counter = labels[i], &counters[i]
			f.Metric[i] = &metrics[i]
		}
		return f
	}
	gauges := make([]dto.Gauge, len(labels))
	for i := range metrics {
		gauges[i].Value = &values[i]
		metrics[i].Label, metrics[i].Gauge = labels[i], &gauges[i]
		f.Metric[i] = &metrics[i]
	}
	return f
}

// A placed stream knows whose it is.
type placed struct {
	*Stream
	app, server string
}

// split finds the streams that get series of their own, and the rest. The oldest
// get them: the busiest would change from scrape to scrape, and a Prometheus keeps
// each that was ever there. Names that are only waited for are neither: strangers
// choose them.
func split(s *Snapshot, limit int) (own, rest []placed) {
	number := -1
	var server string
	s.eachStream(func(i int, a *Application, st *Stream) {
		if i != number {
			number, server = i, strconv.Itoa(i)
		}
		if st.exists() {
			own = append(own, placed{st, a.Name, server})
		}
	})
	if limit = max(limit, 0); len(own) <= limit {
		return own, nil
	}
	slices.SortStableFunc(own, func(x, y placed) int {
		return cmp.Or(cmp.Compare(y.Age, x.Age), cmp.Compare(x.Name, y.Name))
	})
	return own[:limit], own[limit:]
}
