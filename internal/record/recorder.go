package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/media"
)

// Options configures a Recorder in addition to its block. The functions are called
// from its goroutine and must not block.
type Options struct {
	App, Stream string
	Log         *zap.Logger
	Store       *Store
	Since       time.Time // when the stream began: with overwrite, older files are overwritten

	Started func(path string)             // the first frame is in the file
	Done    func(path string, ended bool) // the file is closed; ended: and the stream is over
	Status  func(State)                   // for record.notify
	// Finished is called after Done, with what is known of the file.
	Finished func(Finished)
	// List reports whether the files are listed, for Store.Latest; nil: they are only
	// where the block says so.
	List func() bool

	Now  func() time.Time                          // nil: time.Now
	Free func(dir string) (bytes int64, err error) // nil: of the file system
}

// State is a status that a publisher gets with record.notify.
type State uint8

// The states of a recorder.
const (
	Start State = iota
	Stop
	Failed
)

// A Recorder writes one stream to files for one record block.
type Recorder struct {
	o    Options
	log  *zap.Logger
	done chan struct{} // closed when Run has returned

	mu        sync.Mutex // guards these
	pending   *config.Record
	orders    []order
	interrupt context.CancelFunc // wakes Run
	stats     Snapshot

	// Owned by the goroutine in Run.
	cfg    *config.Record
	file   *file
	armed  bool // a file may be opened with the next packet
	closed bool // by command or limit: the next break opens another
	full   bool // a limit is reached: the next break closes it
	moved  bool // the file is not where its path is: the next break opens another
	opened time.Time
	last   string // path of the newest file, without its number
	number int    // of the newest finished one

	sequence int64 // of the newest that is listed; 0: not known
	fault    fault
	look     time.Time // when the disk is checked again
	ending   bool

	epoch     uint32
	seenVideo bool // in this epoch
	// inKeyframe: the newest video packet is one of a keyframe.
	inKeyframe bool
	run        run

	// Of formats other than FLV.
	frames  media.Frames
	scratch []*media.Packet
	held    held
}

// Snapshot is the state of a recorder.
type Snapshot struct {
	Path         string        // of the file that is open; empty: none
	Since        time.Time     // when it was opened
	Duration     time.Duration // of what is in it
	Bytes        int64         // its size
	Files        uint64        // finished so far
	Failing      string        // why it can't write at the moment; empty: it can
	FailingSince time.Time     // zero: it can
}

// Snapshot may be called from any goroutine.
func (r *Recorder) Snapshot() Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// show updates Snapshot. A recorder without anything to write, such as a manual one that
// could not be started, does not count as failing.
func (r *Recorder) show() {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.stats
	r.stats = Snapshot{Files: was.Files}
	if f := r.file; f != nil {
		r.stats.Path, r.stats.Since, r.stats.Duration, r.stats.Bytes = f.path, r.opened, f.w.Duration(), f.w.Size()
	}
	if r.fault.why != "" && (r.file != nil || r.armed) {
		r.stats.Failing = r.fault.why
		r.stats.FailingSince = was.FailingSince
		if was.Failing == "" {
			r.stats.FailingSince = r.o.Now()
		}
	}
}

// Finished describes a file that is closed.
type Finished struct {
	Path           string
	Bytes          int64
	Opened, Closed time.Time
	Duration       time.Duration
	First, Last    time.Duration // DTS of the first and the last packet
	Ended          bool          // the stream is over
	Failed         string        // why it could not be written on; empty: it could
}

// A run describes the content of the open file.
type run struct {
	began  bool
	first  time.Duration // DTS, as is last
	last   time.Duration
	frames int
	video  bool        // there is a keyframe
	codec  media.Codec // of the newest
}

// New makes the recorder of a stream. Nothing is written before its first frame.
func New(cfg config.Record, o Options) (*Recorder, error) {
	cfg.Format = cmp.Or(cfg.Format, formatFLV)
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Recorder{o: o, log: o.Log.With(zap.String("recorder", cfg.Name)), cfg: &cfg, done: make(chan struct{}), armed: !cfg.Manual}
	if _, err := r.naming().file(o.Now(), 0); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Recorder) naming() naming {
	return naming{app: r.o.App, stream: r.o.Stream, cfg: r.cfg}
}

// Reconfigure changes the settings at the next keyframe: no packet is lost or
// repeated. A new file begins there if the file would be another one.
func (r *Recorder) Reconfigure(cfg config.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = &cfg
}

// A source is where packets come from: *live.Cursor.
type source interface {
	Next(ctx context.Context, buf []*media.Packet) (n int, skipped uint64, err error)
	TryNext(buf []*media.Packet) (n int, skipped uint64, err error)
	Prompt()
}

const (
	readAhead = 64 // packets at a time
	maxDrain  = 32 // readings at the end: some seconds of media
)

// Run records what cur delivers until the stream ends or ctx does; the file that
// is open then is finished. It is called once.
func (r *Recorder) Run(ctx context.Context, cur source) error {
	defer close(r.done)
	defer func() { r.interrupt() }()
	if r.cfg.Format == formatFLV { // others write seconds at a time
		cur.Prompt()
	}
	buf := make([]*media.Packet, readAhead)
	wait := r.execute(ctx)
	for {
		if wait.Err() != nil {
			wait = r.execute(ctx)
		}
		n, skipped, err := cur.Next(wait, buf)
		r.take(buf[:n], skipped)
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			r.ending = true
			r.settle()
			r.close()
			return nil
		case ctx.Err() != nil:
			for range maxDrain {
				n, skipped, err := cur.TryNext(buf)
				r.take(buf[:n], skipped)
				if n == 0 || err != nil {
					break
				}
			}
			r.settle()
			r.close()
			return nil
		case wait.Err() != nil: // an order
		default:
			r.close()
			return fmt.Errorf("record %s/%s: %w", r.o.App, r.o.Stream, err)
		}
	}
}

// execute runs the orders and returns the context of the next wait, which the next order
// ends.
func (r *Recorder) execute(ctx context.Context) context.Context {
	r.mu.Lock()
	orders := r.orders
	r.orders = nil
	wait, interrupt := context.WithCancel(ctx)
	if r.interrupt != nil {
		r.interrupt() // frees the one before
	}
	r.interrupt = interrupt
	r.mu.Unlock()
	for _, o := range orders {
		var a answer
		if o.start {
			a.path, a.err = r.begin()
		} else {
			a.path = r.end()
		}
		o.answer <- a
	}
	return wait
}

func (r *Recorder) take(packets []*media.Packet, skipped uint64) {
	if skipped > 0 {
		r.log.Warn("recorder was too slow and passed over packets", zap.Uint64("packets", skipped))
		r.settle()
		r.frames.Passed()
	}
	for i, p := range packets {
		if r.cfg.Format == formatFLV {
			r.packet(p)
		} else {
			r.whole(r.frames.Add(r.scratch[:0], p))
			if r.cfg.Format == formatFLV { // since the keyframe before
				r.parts()
			}
		}
		packets[i] = nil // the ring may free it
	}
	if r.file != nil && !r.file.empty {
		if err := r.file.w.Flush(); err != nil {
			r.broken(err)
		}
	}
	r.show()
}

// whole takes whole frames.
func (r *Recorder) whole(all []*media.Packet) {
	for i, p := range all {
		r.packet(p)
		all[i] = nil
	}
	r.scratch = all[:0]
}

// parts takes the messages that wait as they came.
func (r *Recorder) parts() {
	for _, p := range r.frames.Rest() {
		r.packet(p)
	}
}

// settle takes what waits for more: no more comes.
func (r *Recorder) settle() {
	if r.cfg.Format != formatFLV {
		r.whole(r.frames.Flush(r.scratch[:0]))
		r.release()
	}
}

// packet writes p if it belongs into the file, and opens and closes files.
func (r *Recorder) packet(p *media.Packet) {
	if p.Epoch != r.epoch {
		r.epoch, r.seenVideo = p.Epoch, false
	}
	kind := p.Track.Kind
	if kind == media.Video && p.Track.ID == 0 && supports(r.cfg.Format, p.Track) {
		r.seenVideo = true
	}
	isBreak := p.Keyframe || kind == media.Audio && !(r.seenVideo && slices.Contains(r.cfg.Tracks, "video"))
	if isBreak {
		format := r.cfg.Format
		r.atBreak()
		if r.cfg.Format != format && r.reroute(p) {
			return
		}
	}
	if !r.wants(p) || !r.fits(p, isBreak) {
		return
	}
	r.put(p, isBreak)
}

// reroute hands on p, at which the format changed to or from FLV, as the new one
// takes it.
func (r *Recorder) reroute(p *media.Packet) bool {
	switch {
	case r.cfg.Format == formatFLV && p.Tag == nil:
		for _, part := range slices.Clone(r.frames.Raw()) {
			r.packet(part)
		}
		return true
	case r.cfg.Format != formatFLV && p.Track.Kind == media.Video:
		r.frames = media.Frames{}
		r.frames.Add(nil, p)
		return true
	}
	return false
}

// put writes p, which is wanted, if there is a file or one may be opened.
func (r *Recorder) put(p *media.Packet, isBreak bool) {
	if r.file == nil {
		if !r.armed || r.fault.why != "" && (!isBreak || r.o.Now().Before(r.fault.retryAt)) {
			return
		}
		if err := r.open(); err != nil {
			r.failed(err)
			return
		}
	}
	if r.cfg.Manual && !r.run.began && !isBreak {
		return
	}
	if err := r.write(p); err != nil {
		r.broken(err)
		return
	}
	r.limit()
}

// wants reports whether p is of a track that is recorded.
func (r *Recorder) wants(p *media.Packet) bool {
	tracks := r.cfg.Tracks
	switch p.Track.Kind {
	case media.Audio:
		return slices.Contains(tracks, "audio")
	case media.Data:
		return slices.Contains(tracks, "data")
	}
	if slices.Contains(tracks, "video") {
		// Nothing can be decoded before the first keyframe.
		return p.Keyframe || r.file != nil && r.run.video
	}
	if !slices.Contains(tracks, "keyframes") {
		return false
	}
	r.inKeyframe = p.Keyframe || p.Continues && r.inKeyframe
	return r.inKeyframe
}

// atBreak is where one file may end and another begin: at a keyframe, or without
// video at any sound.
func (r *Recorder) atBreak() {
	r.mu.Lock()
	next := r.pending
	r.pending = nil
	r.mu.Unlock()
	if next != nil {
		r.reconfigure(next)
	}
	if r.file != nil && r.moved {
		r.close()
		r.armed, r.last = true, "" // the name is free there
	}
	if r.cfg.Manual {
		return
	}
	now := r.o.Now()
	due := r.cfg.Interval > 0 && now.Sub(r.opened) >= r.cfg.Interval
	switch {
	case r.file != nil && !r.file.w.Empty() && (due || r.full):
		r.close()
		r.armed = true
	case r.file == nil && r.closed && (r.cfg.Interval == 0 || due):
		r.armed, r.closed = true, false
	}
}

// reconfigure makes next the settings.
func (r *Recorder) reconfigure(next *config.Record) {
	old := *r.cfg
	next.Format = cmp.Or(next.Format, formatFLV)
	other := old.Path != next.Path || old.Format != next.Format || old.Suffix != next.Suffix || old.Filename != next.Filename || old.Unique != next.Unique ||
		old.Append != next.Append || old.Lock != next.Lock || !slices.Equal(old.Tracks, next.Tracks)
	r.cfg = next
	switch {
	case old.Manual && !next.Manual:
		r.armed = r.file == nil
	case !old.Manual && next.Manual:
		r.close()
		r.armed, r.closed = false, false
		r.show()
	case other && r.file != nil:
		r.close()
		if next.Manual {
			if err := r.open(); err != nil {
				r.failed(err)
			}
		} else {
			r.armed = true
		}
	}
}

// limit ends the file at max_size and max_frames. Where another one follows at
// once, it ends at the next keyframe: no frame is lost between two files.
func (r *Recorder) limit() {
	c := r.cfg
	if (c.MaxSize == 0 || r.file.w.Size() < int64(c.MaxSize)) && (c.MaxFrames == 0 || r.run.frames < c.MaxFrames) {
		return
	}
	if !c.Manual && c.Interval == 0 {
		r.full = true
		return
	}
	r.close()
	r.armed, r.closed = false, !c.Manual
}
