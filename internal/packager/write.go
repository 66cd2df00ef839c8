package packager

import (
	"cmp"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/output"
	"github.com/rtmpd/rtmpd/internal/segmenter"
)

// A fault is the state of a packager that can't write. Segments that end before the
// next try are dropped, so that memory stays bounded.
type fault struct {
	why     string // empty: none
	retryAt time.Time
	backoff output.Backoff
	lost    uint64 // segments dropped since it began
	gap     bool   // the next segment written does not follow the last
}

// write writes a segment of the segmenter.
func (p *Packager) write(g *segmenter.Segment) {
	now := p.dir.now()
	if p.fault.gap {
		g.Discontinuity = true
	}
	var date time.Time
	if o := p.out.open; o != nil {
		date = o.date
		p.clock.end = date.Add(g.Duration)
	} else {
		date = p.clock.date(g, g.Duration, time.Duration(now.UnixNano())-p.elapsed(now))
	}
	switch {
	case g.Duration < tinyDuration && g.Duration < p.set.Fragment/2 && !p.ending && !p.out.shown() && !p.tiny.take(now):
		p.lose(g, p.dir.count.rationed)
	case now.Before(p.fault.retryAt):
		p.lose(g, p.dir.count.unwritable)
	default:
		p.add(g, date)
	}
	p.out.closeOpen(true)
	if limit := p.out.limits().Longest; limit > 0 {
		p.seg.SetLimit(limit)
	}
	if !p.ending {
		p.reconfigure()
	}
}

func (p *Packager) add(g *segmenter.Segment, date time.Time) {
	start := time.Now() // not dir.now: a duration needs the monotonic clock
	size, err := p.out.add(g, date, p.box)
	if err != nil {
		p.lose(g, p.dir.count.unwritable)
		p.failed(err)
		return
	}
	p.dir.count.wrote(time.Since(start), size)
	p.fault.gap = false
	p.mu.Lock()
	p.stats.Segments++
	p.stats.Bytes += uint64(size)
	p.stats.LastDuration = g.Duration
	p.mu.Unlock()
	p.publish()
}

// publish has the manifests written. If that fails, those of the next segment name this
// one too.
func (p *Packager) publish() {
	p.written = p.elapsed(p.dir.now())
	if err := p.out.publish(); err != nil {
		p.failed(err)
		return
	}
	p.dir.count.playlists.Inc()
	p.out.closeOpen(true)
	p.showParts()
	if p.OnManifest != nil && len(p.out.Window.Segments) > 0 {
		p.OnManifest(filepath.Join(p.dir.path, p.out.Main()))
	}
	if p.fault.why == "" {
		return
	}
	p.log.Info(p.set.What+" output writes again", zap.Uint64("fragments_lost", p.fault.lost))
	p.fault = fault{gap: p.fault.gap}
	p.showFailing()
}

// lose drops a segment, and counts it.
func (p *Packager) lose(g *segmenter.Segment, why prometheus.Counter) {
	p.out.lose(g, p.box)
	why.Inc()
	p.fault.gap = true
	p.fault.lost++
	p.mu.Lock()
	p.stats.Lost++
	p.mu.Unlock()
}

func (p *Packager) failed(err error) {
	p.dir.count.errors.Inc()
	now := p.dir.now()
	p.fault.retryAt = now.Add(p.fault.backoff.Next())
	_ = p.dir.main.Settle() // the path may name another directory now
	p.mu.Lock()
	p.stats.Errors++
	p.mu.Unlock()
	if p.fault.why == "" {
		p.log.Error(p.set.What+" output can't write; the stream goes on without it until it can",
			zap.String("finding", "output_failing"), zap.String("path", p.dir.path), zap.Error(err))
	}
	p.fault.why = err.Error()
	p.showFailing()
}

// showFailing copies the reason of a failure to the Snapshot.
func (p *Packager) showFailing() {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.stats.Failing
	p.stats.Failing = cmp.Or(p.fault.why, p.refusal)
	switch {
	case p.stats.Failing == "":
		p.stats.FailingSince = time.Time{}
	case was == "":
		p.stats.FailingSince = p.dir.now()
	}
}

const (
	// tinyDuration: segments shorter than this are rationed, so that a
	// publisher whose timestamps or tracks change all the time does not
	// fill the disk with files.
	tinyDuration = 200 * time.Millisecond
	tinyBurst    = 10
	tinyEvery    = 500 * time.Millisecond
)

// A bucket rations tiny segments by wall clock.
type bucket struct {
	used int
	last time.Time
}

func (b *bucket) take(now time.Time) bool {
	if n := int(now.Sub(b.last) / tinyEvery); n > 0 {
		b.used = max(b.used-n, 0)
		b.last = now
	}
	if b.used >= tinyBurst {
		return false
	}
	b.used++
	return true
}
