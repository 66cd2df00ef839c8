package packager

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the metrics of the packagers of all directories. Each directory gets the
// same ones.
type Metrics struct {
	writing   prometheus.Histogram
	bytes     prometheus.Counter
	errors    prometheus.Counter
	playlists prometheus.Counter

	// Segments that were not written, and packets that are in none.
	unwritable, rationed prometheus.Counter
	lapped, unfit        prometheus.Counter

	all []prometheus.Collector
}

// NewMetrics makes metrics that are not registered.
func NewMetrics() *Metrics {
	lost := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rtmpd_hls_fragments_lost_total",
		Help: "HLS and DASH fragments that were not written, by reason: disk (could not be written), rationed (too many shorter than 0.2 s).",
	}, []string{"reason"})
	skipped := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "rtmpd_hls_skipped_packets_total",
		Help: "Packets that are in no fragment of HLS or DASH, by reason: lapped (the output was too slow), unfit (out of order, or before the keyframe or time that a fragment begins with).",
	}, []string{"reason"})
	m := &Metrics{
		writing: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "rtmpd_hls_fragment_write_seconds",
			Help:    "Time to mux a fragment and to write it to the disk, playlist not included; its count is the fragments written.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rtmpd_hls_fragment_bytes_total", Help: "Bytes of the fragments of HLS and DASH written.",
		}),
		playlists: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rtmpd_hls_playlists_written_total", Help: "Times that the playlists of an HLS output, or the MPD of a DASH output, were written.",
		}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rtmpd_hls_write_errors_total", Help: "Writes of fragments, playlists and MPDs that failed.",
		}),
		unwritable: lost.WithLabelValues("disk"), rationed: lost.WithLabelValues("rationed"),
		lapped: skipped.WithLabelValues("lapped"), unfit: skipped.WithLabelValues("unfit"),
	}
	m.all = []prometheus.Collector{m.writing, m.bytes, m.playlists, m.errors, lost, skipped}
	return m
}

// Register registers the metrics with r.
//
// Errors: there are such metrics in r already.
func (m *Metrics) Register(r prometheus.Registerer) error {
	var errs []error
	for _, c := range m.all {
		errs = append(errs, r.Register(c))
	}
	return errors.Join(errs...)
}

// wrote counts a segment that took so long.
func (m *Metrics) wrote(took time.Duration, size int) {
	m.writing.Observe(took.Seconds())
	m.bytes.Add(float64(size))
}
