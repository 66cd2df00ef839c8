package origin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/output"
	"github.com/rtmpd/rtmpd/internal/record"
)

var recordKind = OutputKind{
	Name: "record",
	Blocks: func(a *config.Application, stream string) map[string]any {
		all := make(map[string]any, len(a.Records))
		for _, r := range a.Records {
			if r.Streams.Match(stream) && r.When.Open(time.Now()) {
				all[r.Name] = r
			}
		}
		return all
	},
	Open: openRecord,
}

// A recordOutput is one record block of one stream.
type recordOutput struct {
	stream   *Stream
	recorder *record.Recorder
	cfg      atomic.Pointer[config.Record]
	statuses chan record.State // on their way to the publisher
}

// maxStatuses bounds what a publisher that reads nothing is still to be told.
const maxStatuses = 8

func openRecord(st *Stream, block any) (Output, error) {
	cfg := block.(config.Record)
	r := &recordOutput{stream: st, statuses: make(chan record.State, maxStatuses)}
	r.cfg.Store(&cfg)
	var err error
	r.recorder, err = record.New(cfg, record.Options{
		App: st.app.name, Stream: st.name, Log: st.log(), Store: &st.app.origin.files, Since: st.started,
		Started:  func(path string) { st.sayRecordStarted(r, path) },
		Done:     func(path string, ended bool) { st.sayRecordDone(r, path, ended) },
		Finished: func(f record.Finished) { st.sayFile(r, f) },
		List:     func() bool { return st.app.Config(st.name).Fallback == config.LatestRecording },
		Status: func(s record.State) {
			select {
			case r.statuses <- s:
			default:
			}
		},
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Run implements Output.
func (r *recordOutput) Run(ctx context.Context, cur *live.Cursor) error {
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		r.tellPublisher()
	}()
	err := r.recorder.Run(ctx, cur)
	close(r.statuses)
	<-sent
	return err
}

// Reconfigure implements Reconfigurer.
func (r *recordOutput) Reconfigure(block any) error {
	cfg := block.(config.Record)
	r.cfg.Store(&cfg)
	r.recorder.Reconfigure(cfg)
	return nil
}

// State implements Output.
func (r *recordOutput) State() output.State {
	s := r.recorder.Snapshot()
	return output.State{
		Target: s.Path, Since: s.Since, Duration: s.Duration, Bytes: uint64(s.Bytes), Files: s.Files,
		Failing: s.Failing, FailingSince: s.FailingSince,
	}
}

// tellPublisher says what record.notify promises.
func (r *recordOutput) tellPublisher() {
	st := r.stream
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
	st.recordEvent("record_started", rec, path)
	if n := st.hooks.Load(); n != nil {
		target := cmp.Or(rec.OnRecordStarted, cfg.For(st.name).Hooks.OnRecordStarted)
		st.app.hooks.Tell(&cfg.Notify, n.subject(), hooks.Call{Target: target, Event: hooks.RecordStarted(n.from, n.stream, rec.Name, path)})
	}
}

// sayRecordDone tells on_record_done that a file is closed. At the end of a
// stream that is after publish_done, as at nginx-rtmp.
func (st *Stream) sayRecordDone(r *recordOutput, path string, ended bool) {
	cfg, rec := st.app.rules.Load().cfg, r.cfg.Load()
	n := st.hooks.Load()
	target := cmp.Or(rec.OnRecordDone, cfg.For(st.name).Hooks.OnRecordDone)
	st.recordEvent("record_done", rec, path)
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
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	found := make([]*recordOutput, 0, len(targets))
	for _, t := range targets {
		r, err := t.publication.stream.outputs.recorder(ctx, rec)
		if err != nil {
			return "", &api.ControlError{Status: http.StatusBadRequest, Reason: fmt.Sprintf("stream %q of application %q %s", t.publication.stream.name, t.app.name, err)}
		}
		found = append(found, r)
	}
	return recordAll(ctx, found, start)
}

// recordAll starts or stops recorders.
func recordAll(ctx context.Context, all []*recordOutput, start bool) (path string, err error) {
	var errs []error
	for _, r := range all {
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

// recorder finds a recorder by its name; without one, the only one there is. It
// waits for one that is about to begin.
func (o *outputs) recorder(ctx context.Context, name string) (*recordOutput, error) {
	var all []*supervised
	for _, s := range o.list() {
		if s.kind.Name == recordKind.Name && (name == "" || name == s.label) {
			all = append(all, s)
		}
	}
	switch len(all) {
	case 0:
		return nil, fmt.Errorf("has no recorder %q", name)
	case 1:
		select {
		case <-all[0].opened:
		case <-ctx.Done():
		}
		out, state := all[0].now()
		if r, ok := out.(*recordOutput); ok {
			return r, nil
		}
		return nil, fmt.Errorf("has a recorder %q that can't begin: %s", all[0].label, cmp.Or(state.Failing, "it has ended"))
	}
	return nil, errors.New("has several recorders: say rec=NAME")
}
