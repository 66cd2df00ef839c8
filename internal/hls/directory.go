// Package hls names the segments of streams in playlists (RFC 8216), laid out as
// nginx-rtmp does it. internal/packager writes segments and decides when a playlist is
// written.
//
//	packager.Writer → Manifest → media playlist
//	                          └→ Directory → multivariant playlist
package hls

import (
	"fmt"
	"sync"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A Directory is the HLS of one hls.path: its multivariant playlists name the renditions
// of several streams. It is a packager.Format.
type Directory struct {
	*packager.Directory

	mu      sync.Mutex
	masters map[string]*master // by file name
}

// NewDirectory makes the HLS of a directory that packager.OpenDirectory then opens with
// it.
func NewDirectory() *Directory { return &Directory{masters: make(map[string]*master)} }

// Attach implements packager.Format.
func (d *Directory) Attach(p *packager.Directory) { d.Directory = p }

// Removed implements packager.Format.
func (d *Directory) Removed(rec segstore.Entry) {
	if rec.Kind == packager.KindPlaylist {
		d.dropVariant(rec.Name)
	}
}

// Moved implements packager.Format. The multivariant playlists of the old directory are
// forgotten: they are written again with the next playlists of their renditions.
func (d *Directory) Moved() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.masters)
}

// Settings are those of an hls block, for streams in d.
func (d *Directory) Settings(cfg config.HLS) packager.Settings {
	s := settings(cfg)
	s.Manifests = []packager.Spec{&spec{d: d, cfg: cfg}}
	return s
}

// A Rung is a stream that is a rendition of one publisher's ladder.
type Rung struct {
	Base   string // what viewers of all renditions play
	Suffix string // of the rung's own name: a variant block with it counts for the rung
	Index  int    // its place in the multivariant playlist
}

// RungSettings are those of an hls block for a rendition in d. All renditions are cut at
// the same pictures.
func (d *Directory) RungSettings(cfg config.HLS, r Rung) packager.Settings {
	s := settings(cfg)
	s.Aligned = true
	s.Manifests = []packager.Spec{&spec{d: d, cfg: cfg, rung: &r}}
	return s
}

// NewPackager makes the packager of a stream. Nothing is written before its first segment
// is complete.
//
// Errors: a name that can't be a file's; a format that is not built.
func (d *Directory) NewPackager(app, name string, cfg config.HLS, log *zap.Logger) (*packager.Packager, error) {
	if cfg.LowLatency && (!fragmented(&cfg) || cfg.Keys != nil) {
		return nil, fmt.Errorf("hls %s/%s: low_latency needs format fmp4, without keys", app, name)
	}
	return d.Directory.NewPackager(app, name, d.Settings(cfg), log)
}
