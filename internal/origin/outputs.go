package origin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"
	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/doctor"
	"github.com/rtmpd/rtmpd/internal/hls"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/record"
)

// outputs are what a stream is turned into. They belong to the stream, not to
// its publisher, and a reload touches only the one whose block changed.
type outputs struct {
	stream *Stream
	after  *outputs // of the stream of that name before, which must have closed its files

	mu      sync.Mutex // guards hls, records and after
	hls     *hlsOutput
	records map[string]*recordOutput // by the name of their block
	done    sync.WaitGroup
}

type hlsOutput struct {
	packager *hls.Packager
	dir      *Directory
	cfg      config.HLS
	stop     context.CancelFunc
	failing  record.Snapshot // why there is no packager
}

func newOutputs(st, before *Stream) *outputs {
	o := &outputs{stream: st, records: make(map[string]*recordOutput)}
	if before != nil {
		o.after = before.outputs
	}
	return o
}

// wait blocks until every output has ended.
func (o *outputs) wait() { o.done.Wait() }

// apply starts, changes and stops outputs so that they are what cfg says.
func (o *outputs) apply(cfg *config.Application) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.applyRecords(cfg.Records)
	want := cfg.HLS
	switch {
	case want == nil && o.hls == nil:
	case want == nil:
		o.hls.stop()
		o.hls = nil
	case o.hls == nil:
		o.startHLS(*want)
	default:
		o.changeHLS(*want)
	}
}

func (o *outputs) startHLS(cfg config.HLS) {
	h := &hlsOutput{cfg: cfg}
	o.hls = h
	h.stop = o.start(func(ctx context.Context, cur *live.Cursor) { o.runHLS(ctx, h, cur) })
}

// start has run read the stream from the newest keyframe on, once the files of
// the stream of that name before are closed; stop ends its context. mu is held.
func (o *outputs) start(run func(context.Context, *live.Cursor)) (stop context.CancelFunc) {
	ctx, stop := context.WithCancel(o.stream.app.origin.outputCtx)
	cur := o.stream.live.Cursor(live.FromKeyframe, true)
	before := o.after
	o.done.Add(1)
	go func() {
		defer o.done.Done()
		defer stop()
		defer cur.Close()
		if before != nil {
			before.wait()
			o.mu.Lock()
			o.after = nil
			o.mu.Unlock()
		}
		run(ctx, cur)
	}()
	return stop
}

func (o *outputs) changeHLS(cfg config.HLS) {
	h := o.hls
	if sameHLS(h.cfg, cfg) {
		return
	}
	log := o.log()
	h.cfg = cfg
	if h.packager == nil {
		return // not begun: it will read cfg when it does
	}
	dir, err := o.stream.app.origin.dirs.Open(string(cfg.Path))
	if err != nil {
		log.Error("hls output keeps its old settings", zap.String("path", string(cfg.Path)), zap.Error(err))
		return
	}
	old := h.dir
	h.dir = dir
	h.packager.Reconfigure(cfg, dir.Directory)
	log.Info("hls output changes at the next keyframe", zap.String("path", string(cfg.Path)))
	o.stream.app.origin.dirs.Release(old)
}

// sameHLS compares two blocks, wherever they stand in the file.
func sameHLS(a, b config.HLS) bool {
	a.Range, b.Range = hcl.Range{}, hcl.Range{}
	return reflect.DeepEqual(a, b)
}

// failures lists the outputs that can't write, out of all there are.
func (o *outputs) failures() (found []doctor.Finding, all int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	add := func(what string, f record.Snapshot) {
		all++
		if f.Failing != "" {
			found = append(found, api.NewOutputFailing(what, f.Failing, f.FailingSince))
		}
	}
	if h := o.hls; h != nil {
		f := h.failing
		if h.packager != nil {
			s := h.packager.Snapshot()
			f = record.Snapshot{Failing: s.Failing, FailingSince: s.FailingSince}
		}
		add("hls", f)
	}
	for _, name := range slices.Sorted(maps.Keys(o.records)) {
		add(fmt.Sprintf("record %q", name), o.records[name].recorder.Snapshot())
	}
	return found, all
}

func (o *outputs) log() *zap.Logger {
	return o.stream.app.log.With(zap.String("stream", o.stream.name))
}

const (
	minRetry = time.Second
	maxRetry = 30 * time.Second
)

// runHLS keeps the HLS output going: an output that fails is tried again with
// back-off, and the stream goes on without it meanwhile.
func (o *outputs) runHLS(ctx context.Context, h *hlsOutput, cur *live.Cursor) {
	log := o.log()
	for retry := minRetry; ; retry = min(2*retry, maxRetry) {
		err := o.oneHLS(ctx, h, cur, log)
		if err == nil || ctx.Err() != nil {
			return
		}
		o.mu.Lock()
		if h.failing.Failing == "" {
			h.failing.FailingSince = time.Now()
		}
		h.failing.Failing = err.Error()
		o.mu.Unlock()
		log.Error("hls output failed", zap.String("finding", api.FindingOutputFailing), zap.Error(err), zap.Duration("retry_in", retry))
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry):
		}
	}
}

func (o *outputs) oneHLS(ctx context.Context, h *hlsOutput, cur *live.Cursor, log *zap.Logger) error {
	dirs := o.stream.app.origin.dirs
	o.mu.Lock()
	cfg := h.cfg
	o.mu.Unlock()
	dir, err := dirs.Open(string(cfg.Path))
	if err != nil {
		return err
	}
	p, err := dir.NewPackager(o.stream.app.name, o.stream.name, cfg, log)
	if err != nil {
		dirs.Release(dir)
		return err
	}
	p.OnPlaylist = o.stream.sayPlaylist
	o.mu.Lock()
	h.packager, h.dir, h.failing = p, dir, record.Snapshot{}
	o.mu.Unlock()
	err = p.Run(ctx, cur)
	o.mu.Lock()
	h.packager = nil
	dir = h.dir
	o.mu.Unlock()
	dirs.Release(dir)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
