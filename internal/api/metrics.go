package api

import (
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// MetricsSettings are the attributes of the metrics block.
type MetricsSettings struct {
	Streams int  // how many streams have their own series
	Mist    bool // MistServer's names as well
}

// A Collector renders one Snapshot per scrape for Prometheus: the same figures as stat.
// Packages that have their own collectors register them beside it.
type Collector struct {
	take     func() *Snapshot
	settings func() MetricsSettings
	server   map[string]*prometheus.Desc // by name

	mu     sync.Mutex // one scrape at a time; guards the rest
	mist   *mist
	scrape *scrape // the present one
}

// NewCollector returns a Collector of the Snapshots that take returns. host is called
// for Mist only.
func NewCollector(take func() *Snapshot, settings func() MetricsSettings, host func() Host) *Collector {
	c := &Collector{
		take: take, settings: settings,
		server: make(map[string]*prometheus.Desc), mist: newMist(host),
	}
	for _, f := range slices.Concat(serverFamilies, limitFamilies) {
		c.server[f.name] = prometheus.NewDesc(f.name, f.help, f.labels, nil)
	}
	return c
}

// gather is a scrape of the collectors registered at r and of the streams.
func (c *Collector) gather(r prometheus.Gatherer) ([]*dto.MetricFamily, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &scrape{snap: c.take(), settings: c.settings()}
	s.own, s.rest = split(s.snap, s.settings.Streams)
	c.scrape = s
	defer func() { c.scrape = nil }()
	out, err := r.Gather()
	out = append(out, s.families()...)
	slices.SortFunc(out, func(x, y *dto.MetricFamily) int { return strings.Compare(x.GetName(), y.GetName()) })
	return out, err
}

// registered is the part of a Collector that is small enough for a registry. Only gather
// uses it.
type registered struct{ *Collector }

// Describe implements prometheus.Collector.
func (c registered) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.server {
		ch <- d
	}
	for _, d := range c.mist.descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c registered) Collect(ch chan<- prometheus.Metric) {
	c.collectServer(ch, c.scrape)
	if c.scrape.settings.Mist {
		c.mist.collect(ch, c.scrape)
	}
}

// maxScrapes bounds the concurrent scrapes; more get 503.
const maxScrapes = 4

// Handler answers scrapes with the collectors registered at r and with c, in the format
// that Prometheus asks for. Nothing else may gather from r.
//
// Errors: r has such a Collector already.
func (c *Collector) Handler(r *prometheus.Registry) (http.Handler, error) {
	if err := r.Register(registered{c}); err != nil {
		return nil, err
	}
	all := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return c.gather(r) })
	inner := promhttp.HandlerFor(all, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError, // one bad series must not hide all the others
		MaxRequestsInFlight: maxScrapes,
		// Prometheus is usually close, and gzip would take longer than the rest.
		DisableCompression: true,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
			return
		}
		if c.wantsMistJSON(r) {
			c.serveMistJSON(yielding{w})
			return
		}
		inner.ServeHTTP(yielding{w}, r)
	}), nil
}

// yielding yields to other goroutines before each write: a scrape is milliseconds of
// work, and media has priority.
type yielding struct{ http.ResponseWriter }

func (y yielding) Write(b []byte) (int, error) {
	runtime.Gosched()
	return y.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (y yielding) Unwrap() http.ResponseWriter { return y.ResponseWriter }

// label makes s a valid label value: the library refuses invalid UTF-8 and escapes the
// rest.
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
