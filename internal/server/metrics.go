package server

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
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
	lines [zapcore.FatalLevel - zapcore.DebugLevel + 1]atomic.Uint64 // logged, by level

	mu          sync.Mutex
	reload      api.Reload     // guarded by mu
	keysFailing []api.KeysFile // guarded by mu
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
		s.origin.Directories().Metrics().Register(r),
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

// Loaded notes how loading a configuration went: Apply does for those that it is
// given, and whoever reads them for those that can't be read. failed is nil for a
// good one.
func (s *Server) Loaded(failed error) {
	c, now := &s.counters, time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if failed == nil {
		c.reload = api.Reload{Successful: true, At: now}
		return
	}
	r := &c.reload
	r.Successful, r.Error = false, failed.Error()
	if r.FailingSince.IsZero() {
		r.FailingSince = now
	}
}

// noteKeysFiles notes which keys files of the new configuration can't be used,
// and logs what changed.
func (s *Server) noteKeysFiles(failing map[string]string) {
	c := &s.counters
	var now []api.KeysFile
	c.mu.Lock()
	before := c.keysFailing
	for _, path := range slices.Sorted(maps.Keys(failing)) {
		f := api.KeysFile{Path: path, Since: time.Now(), Error: failing[path]}
		if i := slices.IndexFunc(before, func(b api.KeysFile) bool { return b.Path == path }); i >= 0 {
			f.Since = before[i].Since
		} else {
			s.log.Error("stream_keys_file can't be used: the keys that were read before stay", zap.String("finding", api.FindingKeysFileFailing), zap.String("path", path), zap.String("err", f.Error))
		}
		now = append(now, f)
	}
	c.keysFailing = now
	c.mu.Unlock()
	for _, b := range before {
		if failing[b.Path] == "" {
			s.log.Info("stream_keys_file can be used again", zap.String("path", b.Path))
		}
	}
}

// count adds what the server and the hooks have counted.
func (s *Server) count(snap *api.Snapshot) {
	c := &s.counters
	n := s.origin.Counts()
	snap.Published, snap.Played, snap.Viewed = n.Published, n.Played, n.Viewed
	c.mu.Lock()
	snap.Reload, snap.KeysFailing = c.reload, slices.Clone(c.keysFailing)
	c.mu.Unlock()
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
