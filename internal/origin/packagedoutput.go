package origin

import (
	"context"
	"errors"
	"sync"

	"github.com/rtmpd/rtmpd/config"
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
	Open: func(st *Stream, block any) (Output, error) { return openPackaged(st, block.(hlsBlock)) },
}

// dashKind are dash blocks with segments of their own. Others belong to the hls block that
// they share segments with.
var dashKind = OutputKind{
	Name: "dash",
	Blocks: func(a *config.Application, _ string) map[string]any {
		if a.DASH == nil || a.OneSetOfSegments() {
			return nil
		}
		return map[string]any{"": dashBlock{*a.DASH}}
	},
	Open: func(st *Stream, block any) (Output, error) { return openPackaged(st, block.(dashBlock)) },
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
}

func (b hlsBlock) place() (what, path string) { return "hls", string(b.HLS.Path) }

func (b hlsBlock) packager(st *Stream, d *Directory) (*packager.Packager, error) {
	if b.DASH == nil {
		return d.hls.NewPackager(st.app.name, st.name, b.HLS, st.log())
	}
	return d.NewPackager(st.app.name, st.name, b.settings(d), st.log())
}

func (b hlsBlock) settings(d *Directory) packager.Settings {
	s := d.hls.Settings(b.HLS)
	if b.DASH != nil {
		s.Naming = packager.NamingMedia
		s.Manifests = append(s.Manifests, d.dash.Spec(*b.DASH))
	}
	return s
}

// A dashBlock is a dash block whose segments nothing else names.
type dashBlock struct{ DASH config.DASH }

func (b dashBlock) place() (what, path string) { return "dash", string(b.DASH.Path) }

func (b dashBlock) packager(st *Stream, d *Directory) (*packager.Packager, error) {
	return d.dash.NewPackager(st.app.name, st.name, b.DASH, st.log())
}

func (b dashBlock) settings(d *Directory) packager.Settings { return d.dash.Settings(b.DASH) }

// A packagedOutput is the packager of a stream, and holds the directory that it writes
// to.
type packagedOutput struct {
	dirs     *Directories
	packager *packager.Packager

	mu  sync.Mutex
	dir *Directory // of the newest block
}

func openPackaged(st *Stream, block packagedBlock) (Output, error) {
	h := &packagedOutput{dirs: st.app.origin.dirs}
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
	return h, nil
}

// Run implements Output.
func (h *packagedOutput) Run(ctx context.Context, cur *live.Cursor) error {
	err := h.packager.Run(ctx, cur)
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
