// Package packager turns a stream into segments on disk. It decides when a segment is
// written, where, and when it goes, and knows no playlist: the manifests of a stream
// (internal/hls, internal/dash) name what it wrote. Several manifests of one stream name
// the same files.
//
//	cursor → segmenter.Segmenter → segmenter.Container → Writer → segstore.Dir
//	                                                       │
//	                                                       └─► Manifest…
//
// A Packager belongs to one stream, a Directory to one path, a Writer to one stream in
// one directory. The packager holds the stream's own packets until a segment ends, muxes
// them in one pass into one of the directory's few scratch buffers and writes the files
// whole, under temporary names first. A manifest is replaced only when every file that it
// names is there.
package packager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/segmenter"
)

// A Packager writes the segments of one stream.
type Packager struct {
	// OnManifest, set before Run, is called with the path of the first manifest
	// after each time it was written. It must not block.
	OnManifest func(path string)
	// Ladder, set before Run, is that of the renditions which the stream is one of; nil: it
	// is none. Set is the name of those that players change between.
	Ladder *Ladder
	Set    string

	app, name string
	log       *zap.Logger
	pending   atomic.Pointer[change] // what Reconfigure asked for

	// Owned by the goroutine in Run.
	set      Settings
	dir      *Directory
	out      *Writer // nil until it could be opened
	seg      *segmenter.Segmenter
	rules    segmenter.Rules // of seg
	lapped   uint64          // packets lost because the stream's ring overwrote them
	pictures media.Pictures
	box      segmenter.Container
	clock    wallClock
	began    time.Time // when elapsed was 0
	valid    validity
	written  time.Duration // when manifests were published, on the clock of elapsed
	codecs   codecFilter
	fault    fault
	tiny     bucket
	ending   bool // the last segment ends: settings do not change any more
	warned   bool // the log has the warning about the keyframe interval
	video    bool // a picture came before out could be opened
	late     bool // out was opened after a picture: it begins with the next keyframe

	refused *change // a change that failed and is tried again; nil: none
	refusal string  // why it failed

	mu    sync.Mutex
	stats Snapshot
}

type change struct {
	set Settings
	dir *Directory
}

// Snapshot is what a packager has done so far.
type Snapshot struct {
	Manifest     string // the first, relative to Path
	Path         string
	Segments     uint64        // written
	Bytes        uint64        // of all segments written
	LastDuration time.Duration // of the newest segment
	Lost         uint64        // segments that could not be written
	Dropped      uint64        // packets that fit into no segment
	Errors       uint64        // failed writes
	Failing      string        // why it can't write, or can't apply its new settings; empty: it can
	FailingSince time.Time     // zero: nothing fails
}

// NewPackager makes the packager of a stream. Nothing is written before its first segment
// is complete.
//
// Errors: a name that can't be a file's.
func (d *Directory) NewPackager(app, name string, s Settings, log *zap.Logger) (*Packager, error) {
	if err := s.check(app, name); err != nil {
		return nil, fmt.Errorf("%s %s/%s: %w", s.What, app, name, err)
	}
	if log == nil {
		log = zap.NewNop()
	}
	p := &Packager{app: app, name: name, log: log, set: s, dir: d, box: s.container(), codecs: s.codecs(log)}
	p.seg = segmenter.New(p.write, p.forced)
	p.seg.EndShort(p.short)
	return p, nil
}

// Reconfigure changes the settings of a running packager at its next cut: no packet is
// lost or repeated. d is the directory of the path. A segment that would be longer than a
// manifest allows waits for the next publish.
func (p *Packager) Reconfigure(s Settings, d *Directory) {
	p.pending.Store(&change{set: s, dir: d})
}

// Snapshot may be called from any goroutine.
func (p *Packager) Snapshot() Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// ErrAbandoned, as the cause of the end of Run's context, has it write nothing more: what
// it would write has another place now.
var ErrAbandoned = errors.New("the output is replaced by another one")

// readAhead is how many packets are taken from the cursor at a time.
const readAhead = 64

// A Source is where packets come from: *live.Cursor.
type Source interface {
	Next(ctx context.Context, buf []*media.Packet) (n int, skipped uint64, err error)
	TryNext(buf []*media.Packet) (n int, skipped uint64, err error)
}

// Run writes what cur delivers. It returns nil when the stream has ended (the manifests
// say so, and the files are removed later) or ctx has ended (the open segment is closed,
// and another run can go on).
func (p *Packager) Run(ctx context.Context, cur Source) error {
	if c := p.pending.Swap(nil); c != nil {
		p.set, p.dir = c.set, c.dir
	}
	if err := p.open(); errors.Is(err, errTaken) {
		return fmt.Errorf("%s %s/%s: %w", p.set.What, p.app, p.name, err)
	}
	buf := make([]*media.Packet, readAhead)
	defer p.valid.end()
	defer p.Ladder.leave(p)
	for {
		n, skipped, err := p.next(ctx, cur, buf)
		if ctx.Err() != nil && errors.Is(context.Cause(ctx), ErrAbandoned) {
			if p.out != nil {
				p.out.end(nil)
			}
			return nil
		}
		p.take(buf[:n], skipped)
		p.grow(cur)
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			p.finish(p.set.Endlist)
			return nil
		case ctx.Err() != nil:
			p.drain(cur, buf)
			p.finish(false)
			return nil
		default:
			p.finish(false)
			return fmt.Errorf("%s %s/%s: %w", p.set.What, p.app, p.name, err)
		}
	}
}

// open begins the output. After an error openLate tries again.
func (p *Packager) open() error {
	out, err := openWriter(p, p.dir, p.set)
	if err != nil {
		p.failed(err)
		return err
	}
	p.out = out
	p.Ladder.join(p, out)
	p.begin()
	if n := len(out.Window.Segments); n > 0 && !out.renew {
		p.log.Info(p.set.What+" playlist goes on", zap.String("path", p.dir.path+"/"+out.Main()), zap.Int("fragments", n))
	}
	if out.unsaved {
		p.publish()
	}
	return nil
}

// openLate tries again to begin the output, before packets. It returns whether that
// worked.
func (p *Packager) openLate(packets []*media.Packet) bool {
	for _, pkt := range packets {
		p.video = p.video || pkt.Track.Kind == media.Video
	}
	if p.dir.now().Before(p.fault.retryAt) {
		return false
	}
	if c := p.pending.Swap(nil); c != nil {
		p.set, p.dir = c.set, c.dir
	}
	p.late = p.video
	return p.open() == nil
}

// drain takes the packets that the stream holds already.
func (p *Packager) drain(cur Source, buf []*media.Packet) {
	for range maxDrain {
		n, skipped, err := cur.TryNext(buf)
		p.take(buf[:n], skipped)
		if err != nil || n == 0 {
			return
		}
	}
}

// maxDrain bounds the reading at the end to some seconds of media.
const maxDrain = 32

// elapsed is the time since the packager began, on the monotonic clock.
func (p *Packager) elapsed(now time.Time) time.Duration {
	if p.began.IsZero() {
		p.began = now
	}
	return now.Sub(p.began)
}

func (p *Packager) begin() {
	if p.out.follows {
		p.seg.Break()
	}
	p.applyRules()
	p.mu.Lock()
	p.stats.Manifest, p.stats.Path = p.out.Main(), p.dir.path
	p.mu.Unlock()
}

// applyRules passes the settings to segmenter and container.
func (p *Packager) applyRules() {
	s := &p.set
	p.box.SetAudio(s.Sync, s.MaxAudioDelay)
	if x, ok := p.box.(parter); ok {
		x.SetParts(s.Part)
		x.SetAligned(s.Aligned)
	}
	limits := p.out.limits()
	r := segmenter.Rules{Fragment: s.Fragment, MaxFragment: s.MaxFragment, Aligned: s.Aligned, AtOnce: p.Ladder != nil, Apart: p.box.Apart()}
	r.MaxFragment = max(r.MaxFragment, r.Fragment)
	if limits.Fragment > 0 && r.Fragment > limits.Fragment {
		r.Fragment = p.rules.Fragment
		if r.Fragment == 0 {
			r.Fragment = limits.Fragment
		}
	}
	p.rules = r
	p.seg.SetRules(r)
	p.seg.SetLimit(limits.Longest)
}

func (p *Packager) take(packets []*media.Packet, skipped uint64) {
	if p.out == nil && !p.openLate(packets) {
		clear(packets)
		return
	}
	if skipped > 0 {
		p.log.Warn(p.set.What+" output was too slow and passed over packets", zap.Uint64("packets", skipped))
		p.pictures.Reset()
		p.seg.Lose()
		p.lapped += skipped
		p.dir.count.lapped.Add(float64(skipped))
	}
	if c := p.pending.Load(); c != nil {
		if !p.seg.Open() {
			p.reconfigure()
		} else if p.refused != c {
			p.seg.CutSooner(c.set.Fragment)
		}
	}
	now, before := p.dir.now(), p.unfit()
	for i, pkt := range packets {
		p.late = p.late && !(pkt.Track.Kind == media.Video && pkt.Keyframe)
		if !p.late && p.codecs.carries(pkt.Track, p.box) {
			if pkt := p.pictures.Add(pkt); pkt != nil {
				p.push(pkt, now)
			}
		}
		packets[i] = nil // the ring may forget it
	}
	p.countUnfit(before)
}

// countUnfit counts the packets that fit into no segment since there were so many.
func (p *Packager) countUnfit(before uint64) {
	unfit := p.unfit()
	if n := unfit - before; n > 0 {
		p.dir.count.unfit.Add(float64(n))
	}
	p.mu.Lock()
	p.stats.Dropped = unfit + p.lapped
	p.mu.Unlock()
}

// unfit is how many packets came and went into no segment.
func (p *Packager) unfit() uint64 { return p.seg.Dropped() + p.box.Dropped() }

// reconfigure applies the change of Reconfigure, between two segments. A change that
// fails is tried again at the next cut.
func (p *Packager) reconfigure() {
	c := p.pending.Load()
	if c == nil {
		return
	}
	if err := p.apply(c); err != nil {
		if p.refused != c {
			p.log.Error(p.set.What+" output keeps its old settings until it can have the new ones", zap.String("path", c.dir.path), zap.Error(err))
		}
		p.refused, p.refusal = c, err.Error()
		p.showFailing()
		return
	}
	p.pending.CompareAndSwap(c, nil)
	if p.refused != nil {
		p.log.Info(p.set.What+" output has its new settings", zap.String("path", c.dir.path))
		p.refused, p.refusal = nil, ""
	}
	p.set = c.set
	p.applyRules()
	p.showFailing()
	p.mu.Lock()
	p.stats.Manifest, p.stats.Path = p.out.Main(), p.dir.path
	p.mu.Unlock()
}

// apply makes the writer of c the one in use.
func (p *Packager) apply(c *change) error {
	if c.dir == p.dir && p.out.same(&c.set) {
		return p.out.change(c.set)
	}
	out, err := openWriter(p, c.dir, c.set)
	if err != nil {
		return err
	}
	old := p.out
	out.follow(old)
	old.end(out)
	p.out, p.dir = out, c.dir
	if c.set.Format != p.set.Format {
		p.box, p.codecs = c.set.container(), c.set.codecs(p.log)
	}
	if p.out.follows {
		p.seg.Break()
	}
	p.fault = fault{}
	return nil
}

// finish closes the open segment and schedules the removal of the files. ended: the
// manifests say that the stream has ended.
func (p *Packager) finish(ended bool) {
	if p.out == nil {
		return
	}
	p.ending = true
	p.fault.retryAt = time.Time{} // a last try
	before := p.unfit()
	p.seg.Finish()
	p.countUnfit(before)
	if ended && len(p.out.Window.Segments) > 0 {
		p.out.Window.Ended = true
		p.out.unsaved = true
	}
	if p.out.unsaved {
		p.publish()
	}
	p.out.end(nil)
}

func (p *Packager) forced(gop time.Duration) {
	if p.warned {
		return
	}
	p.warned = true
	want := max(p.set.Fragment.Truncate(time.Second), time.Second)
	p.log.Warn(p.set.What+" fragment cut where there is no keyframe: set the keyframe interval of the encoder to the fragment's length",
		zap.Duration("keyframe_interval", want), zap.Duration("since_keyframe", gop.Round(time.Millisecond)))
}
