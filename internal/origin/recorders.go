package origin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/hcl/v2"
	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/record"
)

// A recordOutput is one record block of one stream.
type recordOutput struct {
	recorder *record.Recorder
	cfg      atomic.Pointer[config.Record]
	stop     context.CancelFunc
	statuses chan record.State // on their way to the publisher
}

// maxStatuses bounds what a publisher that reads nothing is still to be told.
const maxStatuses = 8

// applyRecords starts, changes and stops recorders; mu is held.
func (o *outputs) applyRecords(want []config.Record) {
	for name, r := range o.records {
		if !slices.ContainsFunc(want, func(c config.Record) bool { return c.Name == name }) {
			r.stop()
			delete(o.records, name)
		}
	}
	for _, cfg := range want {
		r := o.records[cfg.Name]
		switch {
		case r == nil:
			o.startRecord(cfg)
		case !sameRecord(*r.cfg.Load(), cfg):
			r.cfg.Store(&cfg)
			r.recorder.Reconfigure(cfg)
			o.log().Info("recorder changes at the next keyframe", zap.String("recorder", cfg.Name))
		}
	}
}

// sameRecord compares two blocks, wherever they stand in the file.
func sameRecord(a, b config.Record) bool {
	a.Range, b.Range = hcl.Range{}, hcl.Range{}
	return reflect.DeepEqual(a, b)
}

func (o *outputs) startRecord(cfg config.Record) {
	st := o.stream
	r := &recordOutput{statuses: make(chan record.State, maxStatuses)}
	r.cfg.Store(&cfg)
	var err error
	r.recorder, err = record.New(cfg, record.Options{
		App: st.app.name, Stream: st.name, Log: o.log(), Store: &st.app.origin.files, Since: st.started,
		Started: func(path string) { st.sayRecordStarted(r, path) },
		Done:    func(path string, ended bool) { st.sayRecordDone(r, path, ended) },
		Status: func(s record.State) {
			select {
			case r.statuses <- s:
			default:
			}
		},
	})
	if err != nil {
		o.log().Error("no recorder", zap.String("recorder", cfg.Name), zap.Error(err))
		return
	}
	o.records[cfg.Name] = r
	r.stop = o.start(func(ctx context.Context, cur *live.Cursor) {
		told := make(chan struct{})
		go func() {
			defer close(told)
			r.tellPublisher(st)
		}()
		if err := r.recorder.Run(ctx, cur); err != nil {
			o.log().Error("recorder failed", zap.String("recorder", cfg.Name), zap.Error(err))
		}
		close(r.statuses)
		<-told
	})
}

// tellPublisher says what record.notify promises.
func (r *recordOutput) tellPublisher(st *Stream) {
	for s := range r.statuses {
		st.app.mu.Lock()
		p := st.publication
		st.app.mu.Unlock()
		if p == nil {
			continue
		}
		if who, ok := p.publisher.(RecordNotified); ok {
			who.RecordStatus(r.cfg.Load().Name, s)
		}
	}
}

// sayRecordStarted tells on_record_started that the first frame is in a file.
func (st *Stream) sayRecordStarted(r *recordOutput, path string) {
	cfg, rec := st.app.rules.Load().cfg, r.cfg.Load()
	if n := st.hooks.Load(); n != nil {
		target := cmp.Or(rec.OnRecordStarted, cfg.For(st.name).Hooks.OnRecordStarted)
		st.app.hooks.Tell(&cfg.Notify, n.subject(), hooks.Call{Target: target, Event: hooks.RecordStarted(n.from, n.stream, rec.Name, path)})
	}
}

// sayRecordDone tells on_record_done that a file is closed. At the end of a
// stream that is after the publisher's good-bye, as at nginx-rtmp.
func (st *Stream) sayRecordDone(r *recordOutput, path string, ended bool) {
	cfg, rec := st.app.rules.Load().cfg, r.cfg.Load()
	n := st.hooks.Load()
	target := cmp.Or(rec.OnRecordDone, cfg.For(st.name).Hooks.OnRecordDone)
	if n == nil || target == "" {
		return
	}
	tell := func() {
		st.app.hooks.Tell(&cfg.Notify, n.subject(), hooks.Call{Target: target, Event: hooks.RecordDone(n.from, n.stream, rec.Name, path)})
	}
	if !ended {
		tell()
		return
	}
	st.outputs.done.Go(func() {
		select {
		case <-n.ended:
		case <-st.app.origin.outputCtx.Done():
		}
		tell()
	})
}

// recordTimeout bounds how long a call of control waits for a disk.
const recordTimeout = 10 * time.Second

// recordControl starts or stops the recorder rec of the targets' streams and
// returns the file that it opened or closed, the last one of several.
func recordControl(ctx context.Context, targets []target, rec string, start bool) (path string, err error) {
	found := make([]*recordOutput, 0, len(targets))
	for _, t := range targets {
		r, err := t.publication.stream.outputs.recorder(rec)
		if err != nil {
			return "", &api.ControlError{Status: http.StatusBadRequest, Reason: fmt.Sprintf("stream %q of application %q %s", t.publication.stream.name, t.app.name, err)}
		}
		found = append(found, r)
	}
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	var errs []error
	for _, r := range found {
		do := r.recorder.Stop
		if start {
			do = r.recorder.Start
		}
		p, err := do(ctx)
		if errors.Is(err, record.ErrEnded) {
			continue // the stream ended meanwhile: as if it had not been there
		}
		errs = append(errs, err)
		path = cmp.Or(p, path)
	}
	return path, errors.Join(errs...)
}

// recorder finds a recorder by its name; without one, the only one there is.
func (o *outputs) recorder(name string) (*recordOutput, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if name == "" && len(o.records) > 1 {
		return nil, errors.New("has several recorders: say rec=NAME")
	}
	for n, r := range o.records {
		if name == "" || n == name {
			return r, nil
		}
	}
	return nil, fmt.Errorf("has no recorder %q", name)
}
