package api

import (
	"net/http"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// MetricsSettings is what the metrics block says.
type MetricsSettings struct {
	Streams int  // how many streams get series of their own
	Mist    bool // MistServer's names as well
}

// A Collector renders Snapshots for Prometheus, one a scrape: it shows what stat
// shows. What rooms count by themselves is registered beside it.
type Collector struct {
	take     func() *Snapshot
	settings func() MetricsSettings

	server  map[string]*prometheus.Desc // by name
	streams []*prometheus.Desc          // in the order of streamFamilies
	finding *prometheus.Desc

	mu   sync.Mutex // one scrape at a time; guards the rest
	mist *mist
}

// NewCollector makes a Collector of what take returns. host is asked for Mist only.
func NewCollector(take func() *Snapshot, settings func() MetricsSettings, host func() Host) *Collector {
	c := &Collector{
		take: take, settings: settings,
		server: make(map[string]*prometheus.Desc), mist: newMist(host),
	}
	for _, f := range serverFamilies {
		c.server[f.name] = prometheus.NewDesc(f.name, f.help, f.labels, nil)
	}
	for _, f := range streamFamilies {
		c.streams = append(c.streams, prometheus.NewDesc(f.name, f.help, streamLabels, nil))
	}
	c.finding = prometheus.NewDesc(findingName, findingHelp, append([]string{"finding", "level"}, streamLabels...), nil)
	return c
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.server {
		ch <- d
	}
	for _, d := range c.streams {
		ch <- d
	}
	ch <- c.finding
	for _, d := range c.mist.descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	snap, settings := c.take(), c.settings()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.collectServer(ch, snap)
	c.collectStreams(ch, snap, settings.Streams)
	if settings.Mist {
		c.mist.collect(ch, snap, settings.Streams)
	}
}

// maxScrapes at a time are answered, the others told to come again: each takes
// a snapshot.
const maxScrapes = 4

// Metrics is the handler of a metrics location: everything that is registered at
// r, in the text format or whatever else a Prometheus asks for.
func Metrics(r prometheus.Gatherer) http.Handler {
	inner := promhttp.HandlerFor(r, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError, // one bad series must not hide all the others
		MaxRequestsInFlight: maxScrapes,
		// Of a scrape of 1000 streams gzip takes three quarters of the time,
		// and it goes next door.
		DisableCompression: true,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// A sample is one figure of one series. Those of a stream share their labels:
// prometheus.MustNewConstMetric would make them anew for each.
type sample struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	labels []*dto.LabelPair
	value  float64
}

// Desc implements prometheus.Metric.
func (s *sample) Desc() *prometheus.Desc { return s.desc }

// Write implements prometheus.Metric.
func (s *sample) Write(m *dto.Metric) error {
	m.Label = s.labels
	switch s.kind {
	case prometheus.CounterValue:
		m.Counter = &dto.Counter{Value: &s.value}
	case prometheus.GaugeValue:
		m.Gauge = &dto.Gauge{Value: &s.value}
	default:
		m.Untyped = &dto.Untyped{Value: &s.value}
	}
	return nil
}

// label is a value that the exposition can have: the library refuses what is
// not UTF-8, and escapes the rest.
func label(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strconv.QuoteToASCII(s)
}

// pairs are labels by name, which must be in alphabetical order: name, value ….
func pairs(nameValues ...string) []*dto.LabelPair {
	out := make([]*dto.LabelPair, 0, len(nameValues)/2)
	for i := 0; i < len(nameValues); i += 2 {
		name, value := nameValues[i], label(nameValues[i+1])
		out = append(out, &dto.LabelPair{Name: &name, Value: &value})
	}
	return out
}
