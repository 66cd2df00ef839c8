package record

import (
	"fmt"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/output"
)

// lookEvery is the interval of disk checks while a file is open.
const lookEvery = 5 * time.Second

// A fault is a recorder that can't write. It tries again with back-off, and
// the stream goes on without it.
type fault struct {
	why     string // empty: none
	retryAt time.Time
	pause   output.Backoff
}

// open opens the next file.
func (r *Recorder) open() error {
	now := r.o.Now()
	w := want{
		dir: string(r.cfg.Path), naming: r.naming(), now: now,
		since: r.o.Since, last: r.last, number: r.number, keyframes: r.keyframes(),
	}
	f, err := r.o.Store.create(w)
	if err != nil {
		return err
	}
	if err := r.room(f); err != nil {
		_ = f.close()
		return err
	}
	r.file, r.last, r.opened, r.full, r.moved = f, f.plain, now, false, false
	r.show()
	r.look = now.Add(lookEvery)
	r.run = run{}
	r.list(f, false)
	r.status(Start)
	return nil
}

// keyframes returns the expected number of keyframes in the file; 0: unknown.
func (r *Recorder) keyframes() int {
	switch c := r.cfg; {
	case c.Append:
		return 0
	case c.MaxFrames > 0:
		return c.MaxFrames
	case c.Interval > 0:
		return int(c.Interval/time.Second) + 1
	}
	return 0
}

// room returns an error when the disk has less than min_free.
func (r *Recorder) room(f *file) error {
	if r.cfg.MinFree == 0 {
		return nil
	}
	var free int64
	var err error
	if r.o.Free != nil {
		free, err = r.o.Free(filepath.Dir(f.path))
	} else {
		free, err = freeBytes(f.f)
	}
	if err == nil && free < int64(r.cfg.MinFree) {
		return fmt.Errorf("record %s: %d MiB are free, less than min_free = %d MiB", f.path, free>>20, r.cfg.MinFree>>20)
	}
	return nil
}

// write appends p.
func (r *Recorder) write(p *media.Packet) error {
	f, run := r.file, &r.run
	if now := r.o.Now(); !now.Before(r.look) {
		r.look = now.Add(lookEvery)
		if err := r.room(f); err != nil {
			return err
		}
		if !r.moved && f.moved() {
			r.moved = true
			r.log.Warn("the recording was deleted or its directory replaced: it goes on in another file, where its path is now", zap.String("path", f.path))
		}
	}
	if !run.began {
		run.first = p.DTS
	}
	run.began, run.last = true, p.DTS
	if err := f.w.Write(p); err != nil {
		return err
	}
	if p.Keyframe {
		run.video, run.codec = true, p.Track.Codec
	}
	if p.Track.Kind != media.Data {
		run.frames++
	}
	if !f.empty {
		return nil
	}
	if err := f.w.Flush(); err != nil { // announce only what is in the file
		return err
	}
	if f.w.Written() > 0 {
		f.empty = false
		r.started(f)
	}
	return nil
}

// started announces that f has its first frame.
func (r *Recorder) started(f *file) {
	if r.fault.why != "" {
		r.log.Info("recorder writes again", zap.String("path", f.path))
		r.fault = fault{}
		r.show()
	}
	r.log.Info("recording started", zap.String("path", f.path))
	if r.o.Started != nil {
		r.o.Started(f.path)
	}
}

// close finishes the file, if there is one.
func (r *Recorder) close() {
	f := r.file
	if f == nil {
		return
	}
	r.file, r.full = nil, false
	r.show()
	unsaid := f.empty
	if err := f.close(); err != nil && r.fault.why == "" {
		r.log.Error("recording not finished", zap.String("path", f.path), zap.Error(err))
	}
	if f.empty {
		return
	}
	r.number = f.number
	if unsaid { // so short that all of it was written now
		r.started(f)
	}
	r.mu.Lock()
	r.stats.Files++
	r.mu.Unlock()
	r.log.Info("recording finished", zap.String("path", f.path), zap.Int64("bytes", f.w.Written()), zap.Int64("dur_ms", f.w.Duration().Milliseconds()))
	r.list(f, true)
	r.sweep()
	r.status(Stop)
	if r.o.Done != nil {
		r.o.Done(f.path, r.ending)
	}
	if r.o.Finished != nil {
		r.o.Finished(Finished{
			Path: f.path, Bytes: f.w.Written(), Opened: r.opened, Closed: r.o.Now(), Duration: f.w.Duration(),
			First: r.run.first, Last: r.run.last, Ended: r.ending, Failed: r.fault.why,
		})
	}
}

// broken ends a file that can't be written on.
func (r *Recorder) broken(err error) {
	r.armed, r.closed = true, false // tried again at a keyframe
	r.failed(err)
	r.close()
}

// failed handles a fault and logs one line when it begins.
func (r *Recorder) failed(err error) {
	r.fault.retryAt = r.o.Now().Add(r.fault.pause.Next())
	if r.fault.why == "" {
		r.log.Error("recorder can't write; the stream goes on without it until it can", zap.String("finding", "output_failing"), zap.Error(err))
		r.status(Failed)
	}
	r.fault.why = err.Error()
	r.show()
}

func (r *Recorder) status(s State) {
	if r.o.Status != nil && r.cfg.Notify {
		r.o.Status(s)
	}
}

// sweep deletes what keep_for and keep_size say is too much now.
func (r *Recorder) sweep() {
	deleted, err := r.o.Store.Sweep(r.cfg, r.o.App, r.o.Now())
	LogSwept(r.log, r.cfg, deleted, err)
	if err := r.o.Store.Publish(r.cfg, r.o.App); err != nil {
		r.log.Warn("recordings can't be listed for others", zap.String("path", string(r.cfg.Path)), zap.Error(err))
	}
}

// LogSwept says what Store.Sweep did.
func LogSwept(log *zap.Logger, cfg *config.Record, deleted []string, err error) {
	if len(deleted) > 0 {
		log.Info("old recordings deleted", zap.String("path", string(cfg.Path)), zap.Strings("files", deleted))
	}
	if err != nil {
		log.Warn("old recordings can't be deleted", zap.String("path", string(cfg.Path)), zap.Error(err))
	}
}
