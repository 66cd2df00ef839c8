package origin

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/dash"
	"github.com/rtmpd/rtmpd/internal/hls"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/output"
	"github.com/rtmpd/rtmpd/internal/packager"
)

var hlsKind = OutputKind{
	Name: "hls",
	Blocks: func(a *config.Application, _ string) map[string]any {
		if a.HLS == nil {
			return nil
		}
		b := hlsBlock{HLS: *a.HLS}
		if a.OneSetOfSegments() {
			b.DASH = a.DASH
		}
		return map[string]any{"": b}
	},
	Rung: func(block any, r rung) any {
		b := block.(hlsBlock)
		b.Rung = &r
		return b
	},
	Open: func(st *Stream, block any) (Output, error) {
		b := block.(hlsBlock)
		return openPackaged(st, b, "hls", b.Rung)
	},
}

// dashKind are dash blocks with segments of their own. Others belong to the hls block that
// they share segments with.
var dashKind = OutputKind{
	Name: "dash",
	Blocks: func(a *config.Application, _ string) map[string]any {
		if a.DASH == nil || a.OneSetOfSegments() {
			return nil
		}
		return map[string]any{"": dashBlock{DASH: *a.DASH}}
	},
	Rung: func(block any, r rung) any {
		b := block.(dashBlock)
		b.Rung = &r
		return b
	},
	Open: func(st *Stream, block any) (Output, error) {
		b := block.(dashBlock)
		return openPackaged(st, b, "dash", b.Rung)
	},
}

// A packagedBlock is what a packagedOutput does.
type packagedBlock interface {
	place() (what, path string)
	// packager makes the packager of st in d.
	packager(st *Stream, d *Directory) (*packager.Packager, error)
	settings(d *Directory) packager.Settings
}

// An hlsBlock is an hls block, with the dash block whose manifests name the same segments.
type hlsBlock struct {
	HLS  config.HLS
	DASH *config.DASH // nil: there is none
	Rung *rung        // nil: the stream is no ladder
}

func (b hlsBlock) place() (what, path string) { return "hls", string(b.HLS.Path) }

func (b hlsBlock) packager(st *Stream, d *Directory) (*packager.Packager, error) {
	if b.DASH == nil && b.Rung == nil {
		return d.hls.NewPackager(st.app.name, st.name, b.HLS, st.log())
	}
	return d.NewPackager(st.app.name, fileName(st, b.Rung), b.settings(d), st.log())
}

// fileName begins the names of a stream's files, or of those of its rendition.
func fileName(st *Stream, r *rung) string {
	if r == nil {
		return st.name
	}
	return r.name()
}

func (b hlsBlock) settings(d *Directory) packager.Settings {
	s := d.hls.Settings(b.HLS)
	if b.Rung != nil {
		s = d.hls.RungSettings(b.HLS, hls.Rung{Base: b.Rung.Base, Suffix: b.Rung.Suffix, Index: b.Rung.Index})
		s.Public = b.Rung.Stream
	}
	if b.DASH != nil {
		s.Naming = packager.NamingMedia
		s.Manifests = append(s.Manifests, dashSpec(d, *b.DASH, b.Rung))
		if b.Rung == nil { // renditions have no low latency in DASH
			s.Part, s.Days = cmp.Or(s.Part, dash.Part(*b.DASH)), b.DASH.LowLatency
		}
	}
	return s
}

// dashSpec is the MPD of a stream, or of its rendition.
func dashSpec(d *Directory, cfg config.DASH, r *rung) packager.Spec {
	if r == nil {
		return d.dash.Spec(cfg)
	}
	return d.dash.RungSpec(cfg, dash.Rung{Base: r.Base, Index: r.Index})
}

// A dashBlock is a dash block whose segments nothing else names.
type dashBlock struct {
	DASH config.DASH
	Rung *rung // nil: the stream is no ladder
}

func (b dashBlock) place() (what, path string) { return "dash", string(b.DASH.Path) }

func (b dashBlock) packager(st *Stream, d *Directory) (*packager.Packager, error) {
	if b.Rung == nil {
		return d.dash.NewPackager(st.app.name, st.name, b.DASH, st.log())
	}
	return d.NewPackager(st.app.name, b.Rung.name(), b.settings(d), st.log())
}

func (b dashBlock) settings(d *Directory) packager.Settings {
	s := d.dash.Settings(b.DASH)
	if b.Rung != nil {
		s.Aligned, s.Public = true, b.Rung.Stream
		s.Part, s.Days = 0, false
		s.Manifests = []packager.Spec{dashSpec(d, b.DASH, b.Rung)}
	}
	return s
}

// A packagedOutput is the packager of a stream, and holds the directory that it writes
// to.
type packagedOutput struct {
	dirs     *Directories
	packager *packager.Packager
	rung     *rung // nil: the stream is no ladder

	mu  sync.Mutex
	dir *Directory // of the newest block
}

func openPackaged(st *Stream, block packagedBlock, kind string, r *rung) (Output, error) {
	h := &packagedOutput{dirs: st.app.origin.dirs, rung: r}
	dir, err := h.dirs.Open(block.place())
	if err != nil {
		return nil, err
	}
	h.dir = dir
	h.packager, err = block.packager(st, dir)
	if err != nil {
		h.dirs.Release(dir)
		return nil, err
	}
	h.packager.OnManifest = st.sayPlaylist
	if r != nil {
		h.packager.Ladder, h.packager.Set = st.ladders.of(kind), r.Base
	}
	return h, nil
}

// Run implements Output.
func (h *packagedOutput) Run(ctx context.Context, cur *live.Cursor) error {
	var from packager.Source = cur
	if h.rung != nil {
		from = newRungSource(cur, *h.rung)
	}
	err := h.packager.Run(ctx, from)
	h.mu.Lock()
	h.dirs.Release(h.dir)
	h.dir = nil
	h.mu.Unlock()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Reconfigure implements Reconfigurer. It opens the new directory, so that the
// packager has it at the next keyframe.
func (h *packagedOutput) Reconfigure(changed any) error {
	block := changed.(packagedBlock)
	dir, err := h.dirs.Open(block.place())
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dir == nil { // it has just ended
		h.dirs.Release(dir)
		return nil
	}
	h.dirs.Release(h.dir)
	h.dir = dir
	h.packager.Reconfigure(block.settings(dir), dir.Directory)
	return nil
}

// State implements Output.
func (h *packagedOutput) State() output.State {
	s := h.packager.Snapshot()
	return output.State{Target: s.Manifest, Bytes: s.Bytes, Files: s.Segments, Failing: s.Failing, FailingSince: s.FailingSince}
}
