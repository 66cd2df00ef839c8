package server

import (
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/hooks"
)

// counters are what the server counts of itself since its start.
type counters struct {
	published, played, viewed atomic.Uint64

	lines [zapcore.FatalLevel - zapcore.DebugLevel + 1]atomic.Uint64 // logged, by level

	reloaded  atomic.Int64 // Unix ns of the last good configuration
	misloaded atomic.Bool  // one that came later is not good
}

// newMetrics collects what there is to scrape, on a registry of the server's own.
func (s *Server) newMetrics() http.Handler {
	r := prometheus.NewRegistry()
	settings := func() api.MetricsSettings {
		c := s.cfg.Load().Metrics
		return api.MetricsSettings{Streams: c.Streams, Mist: c.Mist}
	}
	h, err := api.NewCollector(s.Snapshot, settings, host).Handler(r)
	err = errors.Join(
		err,
		r.Register(collectors.NewGoCollector()),
		r.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
		s.hub.Register(r),
		s.dirs.metrics.Register(r),
	)
	if err != nil {
		panic(err) // two of one name: no input of a running server makes them
	}
	return h
}

// counted is log with its lines counted.
func (c *counters) counted(log *zap.Logger) *zap.Logger {
	return log.WithOptions(zap.Hooks(func(e zapcore.Entry) error {
		if i := int(e.Level - zapcore.DebugLevel); i >= 0 && i < len(c.lines) {
			c.lines[i].Add(1)
		}
		return nil
	}))
}

// Loaded notes whether a new configuration is good: Apply does for those that it
// is given, and whoever reads them for those that can't be read.
func (s *Server) Loaded(ok bool) {
	if ok {
		s.counters.reloaded.Store(time.Now().UnixNano())
	}
	s.counters.misloaded.Store(!ok)
}

// count adds what the server and the hooks have counted.
func (s *Server) count(snap *api.Snapshot) {
	c := &s.counters
	snap.Published, snap.Played, snap.Viewed = c.published.Load(), c.played.Load(), c.viewed.Load()
	snap.Reload = api.Reload{Successful: !c.misloaded.Load(), At: time.Unix(0, c.reloaded.Load())}
	for i := range c.lines {
		level := zapcore.DebugLevel + zapcore.Level(i)
		snap.Logged = append(snap.Logged, api.LevelCount{Level: level.String(), Lines: c.lines[i].Load()})
	}
	for _, h := range s.hooks.Stats() {
		row := api.Hook{
			Name: h.Hook.String(), Calls: h.Calls, Refused: h.Refused, Failed: h.Failed,
			Retried: h.Retried, Lost: h.Lost, Took: h.Took,
		}
		for i, until := range hooks.Buckets {
			row.Latency = append(row.Latency, api.Bucket{Until: until, Count: h.Latency[i]})
		}
		snap.Hooks = append(snap.Hooks, row)
	}
}
