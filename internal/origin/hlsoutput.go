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
		return map[string]any{"": *a.HLS}
	},
	Open: openHLS,
}

// An hlsOutput is the packager of a stream, and holds the directory that it writes
// to.
type hlsOutput struct {
	dirs     *Directories
	packager *packager.Packager

	mu  sync.Mutex
	dir *Directory // of the newest block
}

func openHLS(st *Stream, block any) (Output, error) {
	cfg := block.(config.HLS)
	h := &hlsOutput{dirs: st.app.origin.dirs}
	dir, err := h.dirs.Open(string(cfg.Path))
	if err != nil {
		return nil, err
	}
	h.dir = dir
	h.packager, err = dir.hls.NewPackager(st.app.name, st.name, cfg, st.log())
	if err != nil {
		h.dirs.Release(dir)
		return nil, err
	}
	h.packager.OnManifest = st.sayPlaylist
	return h, nil
}

// Run implements Output.
func (h *hlsOutput) Run(ctx context.Context, cur *live.Cursor) error {
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
func (h *hlsOutput) Reconfigure(block any) error {
	cfg := block.(config.HLS)
	dir, err := h.dirs.Open(string(cfg.Path))
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
	h.packager.Reconfigure(dir.hls.Settings(cfg), dir.Directory)
	return nil
}

// State implements Output.
func (h *hlsOutput) State() output.State {
	s := h.packager.Snapshot()
	return output.State{Target: s.Manifest, Bytes: s.Bytes, Files: s.Segments, Failing: s.Failing, FailingSince: s.FailingSince}
}
