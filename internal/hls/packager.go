// Package hls turns a stream into MPEG-TS fragments and playlists on disk
// (RFC 8216), named and laid out as nginx-rtmp does it.
//
//	cursor → segmenter.Segmenter → segmenter.Container → segstore.Dir → playlist
//
// A Packager belongs to one stream, a Directory to one hls.path. The packager
// holds the stream's own packets until a fragment ends, muxes them in one pass
// into one of the directory's few scratch buffers and writes the file whole,
// under a temporary name first. A playlist is replaced only when every fragment
// it names is there.
package hls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/segmenter"
)

// A Packager writes the HLS output of one stream.
type Packager struct {
	// OnPlaylist, set before Run, is called with the playlist's path after
	// each time it was written. It must not block.
	OnPlaylist func(path string)

	app, name string
	log       *zap.Logger
	pending   atomic.Pointer[change] // what Reconfigure asked for

	// Owned by the goroutine in Run.
	cfg      config.HLS
	dir      *Directory
	out      *playlistWriter // nil until it could be opened
	seg      *segmenter.Segmenter
	rules    segmenter.Rules // of seg
	lapped   uint64          // packets lost because the stream's ring overwrote them
	pictures media.Pictures
	ts       segmenter.Container
	clock    wallClock
	began    time.Time // when elapsed was 0
	codecs   codecFilter
	fault    fault
	tiny     bucket
	ending   bool // the last fragment ends: settings do not change any more
	warned   bool // the log has the warning about the keyframe interval
	video    bool // a picture came before out could be opened
	late     bool // out was opened after a picture: it begins with the next keyframe

	refused *change // a change that failed and is tried again; nil: none
	refusal string  // why it failed

	mu    sync.Mutex
	stats Snapshot
}

type change struct {
	cfg config.HLS
	dir *Directory
}

// Snapshot is what a packager has done so far.
type Snapshot struct {
	Playlist     string // relative to Path
	Path         string
	Fragments    uint64        // written
	Bytes        uint64        // of all fragments written
	LastDuration time.Duration // of the newest fragment
	Lost         uint64        // fragments that could not be written
	Dropped      uint64        // packets that fit into no fragment
	Errors       uint64        // failed writes
	Failing      string        // why it can't write, or can't apply its new settings; empty: it can
	FailingSince time.Time     // zero: nothing fails
}

// NewPackager makes the packager of a stream. Nothing is written before its
// first fragment is complete.
//
// Errors: a name that can't be a file's; a format that is not built.
func (d *Directory) NewPackager(app, name string, cfg config.HLS, log *zap.Logger) (*Packager, error) {
	if cfg.Format != "" && cfg.Format != "mpegts" || cfg.LowLatency {
		return nil, fmt.Errorf("hls format %s, low_latency %t: only plain mpegts is built", cfg.Format, cfg.LowLatency)
	}
	if _, err := namesFor(app, name, &cfg); err != nil {
		return nil, fmt.Errorf("hls %s/%s: %w", app, name, err)
	}
	if log == nil {
		log = zap.NewNop()
	}
	p := &Packager{app: app, name: name, log: log, cfg: cfg, dir: d, ts: segmenter.NewMPEGTS(), codecs: codecFilter{log: log}}
	p.seg = segmenter.New(p.write, p.forced)
	return p, nil
}

// Reconfigure changes the settings of a running packager at its next cut: no
// packet is lost or repeated. d is the directory of cfg.Path. A fragment that
// would round above the playlist's TARGETDURATION waits for the next publish.
func (p *Packager) Reconfigure(cfg config.HLS, d *Directory) {
	p.pending.Store(&change{cfg: cfg, dir: d})
}

// Snapshot may be called from any goroutine.
func (p *Packager) Snapshot() Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// readAhead is how many packets are taken from the cursor at a time.
const readAhead = 64

// A source is where packets come from: *live.Cursor.
type source interface {
	Next(ctx context.Context, buf []*media.Packet) (n int, skipped uint64, err error)
	TryNext(buf []*media.Packet) (n int, skipped uint64, err error)
}

// Run writes what cur delivers. It returns nil when the stream has ended (the playlist
// gets ENDLIST, and the files are removed later) or ctx has ended (the open fragment is
// closed, and another run can continue the playlist).
func (p *Packager) Run(ctx context.Context, cur *live.Cursor) error { return p.run(ctx, cur) }

func (p *Packager) run(ctx context.Context, cur source) error {
	if c := p.pending.Swap(nil); c != nil {
		p.cfg, p.dir = c.cfg, c.dir
	}
	if err := p.open(); errors.Is(err, errTaken) {
		return fmt.Errorf("hls %s/%s: %w", p.app, p.name, err)
	}
	buf := make([]*media.Packet, readAhead)
	for {
		n, skipped, err := p.next(ctx, cur, buf)
		p.take(buf[:n], skipped)
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			p.finish(p.cfg.Endlist)
			return nil
		case ctx.Err() != nil:
			p.drain(cur, buf)
			p.finish(false)
			return nil
		default:
			p.finish(false)
			return fmt.Errorf("hls %s/%s: %w", p.app, p.name, err)
		}
	}
}

// open begins the output. After an error openLate tries again.
func (p *Packager) open() error {
	out, err := openPlaylistWriter(p, p.dir, p.cfg)
	if err != nil {
		p.failed(err)
		return err
	}
	p.out = out
	p.begin()
	if n := len(out.list.entries); n > 0 && !out.renew {
		p.log.Info("hls playlist goes on", zap.String("path", p.dir.path+"/"+out.names.playlist), zap.Int("fragments", n))
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
		p.cfg, p.dir = c.cfg, c.dir
	}
	p.late = p.video
	return p.open() == nil
}

// drain takes the packets that the stream holds already.
func (p *Packager) drain(cur source, buf []*media.Packet) {
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
	p.stats.Playlist, p.stats.Path = p.out.names.playlist, p.dir.path
	p.mu.Unlock()
}

// applyRules passes the settings to segmenter and container.
func (p *Packager) applyRules() {
	c := &p.cfg
	p.ts.SetAudio(c.Sync, c.MaxAudioDelay)
	target := p.out.target()
	r := segmenter.Rules{Fragment: c.Fragment, MaxFragment: c.MaxFragment, Aligned: c.FragmentSlicing == "aligned"}
	r.MaxFragment = max(r.MaxFragment, r.Fragment)
	limit := time.Duration(0)
	if target > 0 {
		limit = limitFor(target)
		if targetFor(r.Fragment, 0) > target {
			r.Fragment = p.rules.Fragment
			if r.Fragment == 0 {
				r.Fragment = time.Duration(target) * time.Second
			}
		}
	}
	p.rules = r
	p.seg.SetRules(r)
	p.seg.SetLimit(limit)
}

func (p *Packager) take(packets []*media.Packet, skipped uint64) {
	if p.out == nil && !p.openLate(packets) {
		clear(packets)
		return
	}
	if skipped > 0 {
		p.log.Warn("hls output was too slow and passed over packets", zap.Uint64("packets", skipped))
		p.pictures.Reset()
		p.seg.Lose()
		p.lapped += skipped
		p.dir.count.lapped.Add(float64(skipped))
	}
	if c := p.pending.Load(); c != nil {
		if !p.seg.Open() {
			p.reconfigure()
		} else if p.refused != c {
			p.seg.CutSooner(c.cfg.Fragment)
		}
	}
	now, before := p.dir.now(), p.unfit()
	for i, pkt := range packets {
		p.late = p.late && !(pkt.Track.Kind == media.Video && pkt.Keyframe)
		if !p.late && p.codecs.carries(pkt.Track, p.ts) {
			if pkt := p.pictures.Add(pkt); pkt != nil {
				p.push(pkt, now)
			}
		}
		packets[i] = nil // the ring may forget it
	}
	unfit := p.unfit()
	if n := unfit - before; n > 0 {
		p.dir.count.unfit.Add(float64(n))
	}
	p.mu.Lock()
	p.stats.Dropped = unfit + p.lapped
	p.mu.Unlock()
}

// unfit is how many packets came and went into no fragment.
func (p *Packager) unfit() uint64 { return p.seg.Dropped() + p.ts.Dropped() }

// reconfigure applies the change of Reconfigure, between two fragments. A change that
// fails is tried again at the next cut.
func (p *Packager) reconfigure() {
	c := p.pending.Load()
	if c == nil {
		return
	}
	if err := p.apply(c); err != nil {
		if p.refused != c {
			p.log.Error("hls output keeps its old settings until it can have the new ones", zap.String("path", string(c.cfg.Path)), zap.Error(err))
		}
		p.refused, p.refusal = c, err.Error()
		p.showFailing()
		return
	}
	p.pending.CompareAndSwap(c, nil)
	if p.refused != nil {
		p.log.Info("hls output has its new settings", zap.String("path", string(c.cfg.Path)))
		p.refused, p.refusal = nil, ""
	}
	p.cfg = c.cfg
	p.applyRules()
	p.showFailing()
	p.mu.Lock()
	p.stats.Playlist, p.stats.Path = p.out.names.playlist, p.dir.path
	p.mu.Unlock()
}

func (p *Packager) apply(c *change) error {
	if c.dir == p.dir && c.cfg.Nested == p.cfg.Nested {
		return p.out.change(c.cfg)
	}
	out, err := openPlaylistWriter(p, c.dir, c.cfg)
	if err != nil {
		return err
	}
	old := p.out
	out.carry(&old.list)
	old.end()
	p.out, p.dir = out, c.dir
	if p.out.follows {
		p.seg.Break()
	}
	p.fault = fault{}
	return nil
}

// finish closes the open fragment and schedules the removal of the files.
func (p *Packager) finish(endlist bool) {
	if p.out == nil {
		return
	}
	p.ending = true
	p.fault.retryAt = time.Time{} // a last try
	p.seg.Finish()
	if endlist && len(p.out.list.entries) > 0 {
		p.out.list.ended = true
		p.out.unsaved = true
	}
	if p.out.unsaved {
		p.publish()
	}
	p.out.end()
}

func (p *Packager) forced(gop time.Duration) {
	if p.warned {
		return
	}
	p.warned = true
	want := max(p.cfg.Fragment.Truncate(time.Second), time.Second)
	p.log.Warn("hls fragment cut where there is no keyframe: set the keyframe interval of the encoder to the fragment's length",
		zap.Duration("keyframe_interval", want), zap.Duration("since_keyframe", gop.Round(time.Millisecond)))
}
