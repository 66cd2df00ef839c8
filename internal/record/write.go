package record

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/output"
)

// lookEvery is how often the disk is looked at while a file is open.
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
		since: r.o.Since, last: r.last, keyframes: r.keyframes(),
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
	r.run = run{base: f.rec.Last()}
	r.status(Start)
	return nil
}

// keyframes is how many the file will hold; 0: nobody knows.
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

// room says no when the disk has less than min_free.
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

// write appends p, behind what its decoder must know before.
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
		run.began, run.first = true, p.DTS
	}
	at := r.stamp(p)
	if p.Track.Kind <= media.Audio {
		if err := r.headers(p, at); err != nil {
			return err
		}
	}
	if err := f.rec.WriteTag(flv.FileTag{Type: tagType(p.Track.Kind), Timestamp: at, Body: p.Tag}, p.Keyframe); err != nil {
		return err
	}
	run.video = run.video || p.Keyframe
	if p.Track.Kind != media.Data {
		run.frames++
	}
	if !f.empty {
		return nil
	}
	if err := f.rec.Flush(); err != nil { // only what is there is said to be
		return err
	}
	f.empty = false
	if r.fault.why != "" {
		r.log.Info("recorder writes again", zap.String("path", f.path))
		r.fault = fault{}
		r.show()
	}
	r.log.Info("recording started", zap.String("path", f.path))
	if r.o.Started != nil {
		r.o.Started(f.path)
	}
	return nil
}

// stamp is p's timestamp in the file, which begins at 0, or goes on.
func (r *Recorder) stamp(p *media.Packet) uint32 {
	return r.run.base + uint32(max(p.DTS-r.run.first, 0)/time.Millisecond)
}

// headers writes the sequence headers that p needs and the file has not.
func (r *Recorder) headers(p *media.Packet, at uint32) error {
	kind := p.Track.Kind
	track, extra := r.run.told[kind], r.run.toldMore[kind]
	if p.Track.ID == 0 {
		track = p.Track
	}
	if track == r.run.told[kind] && p.Extra == extra {
		return nil
	}
	known := bodies(r.run.told[kind], extra)
	for _, b := range bodies(track, p.Extra) {
		if slices.ContainsFunc(known, func(k []byte) bool { return len(k) == len(b) && len(b) > 0 && &k[0] == &b[0] }) {
			continue
		}
		if err := r.file.rec.WriteTag(flv.FileTag{Type: tagType(kind), Timestamp: at, Body: b}, false); err != nil {
			return err
		}
	}
	r.run.told[kind], r.run.toldMore[kind] = track, p.Extra
	r.file.rec.Describe(r.run.told[media.Video], r.run.told[media.Audio])
	return nil
}

func bodies(t *media.Track, extra *media.Extra) [][]byte {
	switch {
	case extra != nil:
		return extra.Headers
	case t != nil && t.Tag != nil:
		return [][]byte{t.Tag}
	}
	return nil
}

func tagType(k media.Kind) uint8 {
	switch k {
	case media.Video:
		return flv.TagVideo
	case media.Audio:
		return flv.TagAudio
	}
	return flv.TagScript
}

// close finishes the file, if there is one.
func (r *Recorder) close() {
	f := r.file
	if f == nil {
		return
	}
	r.file, r.full = nil, false
	r.show()
	empty := f.empty
	if err := f.close(); err != nil && r.fault.why == "" {
		r.log.Error("recording not finished", zap.String("path", f.path), zap.Error(err))
	}
	if empty {
		return
	}
	r.log.Info("recording finished", zap.String("path", f.path), zap.Int64("bytes", f.rec.Size()), zap.Uint32("dur_ms", f.rec.Last()))
	r.status(Stop)
	if r.o.Done != nil {
		r.o.Done(f.path, r.ending)
	}
}

// broken ends a file that can't be written on.
func (r *Recorder) broken(err error) {
	r.armed, r.closed = true, false // tried again at a keyframe
	r.failed(err)
	r.close()
}

// failed is the beginning, or the going on, of a time of trouble: one line.
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
