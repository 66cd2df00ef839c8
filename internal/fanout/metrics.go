package fanout

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what a Hub counts of all its players since it was made.
type metrics struct {
	flush  prometheus.Histogram
	lagged prometheus.Counter
	closed *prometheus.CounterVec

	// By reason, so that nothing is looked up when a thousand go at once.
	slow, stuck, control, refused prometheus.Counter
}

func newMetrics() *metrics {
	m := &metrics{
		flush: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "rtmpd_fanout_flush_seconds",
			Help:    "Time from media coming in to a flusher having offered it to each of its RTMP players, the wait for the next pass included.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1},
		}),
		lagged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rtmpd_players_lagged_total",
			Help: "How often an RTMP player was behind by more than player_queue and was moved to the newest keyframe.",
		}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rtmpd_players_closed_total",
			Help: "RTMP players that were closed, by reason: slow (behind what is kept), stuck (took nothing for the whole timeout), control (replies piled up), refused (can take nothing of the stream).",
		}, []string{"reason"}),
	}
	m.slow, m.stuck = m.closed.WithLabelValues("slow"), m.closed.WithLabelValues("stuck")
	m.control, m.refused = m.closed.WithLabelValues("control"), m.closed.WithLabelValues("refused")
	return m
}

// Register shows the hub's counters to r.
//
// Errors: there is a hub in r already.
func (h *Hub) Register(r prometheus.Registerer) error {
	return errors.Join(r.Register(h.metrics.flush), r.Register(h.metrics.lagged), r.Register(h.metrics.closed))
}

// close counts a player that is given up.
func (m *metrics) close(reason error) {
	switch reason {
	case ErrClosed: // it went by itself
	case ErrSlow:
		m.slow.Inc()
	case ErrStuck:
		m.stuck.Inc()
	case ErrControl:
		m.control.Inc()
	default:
		m.refused.Inc()
	}
}
