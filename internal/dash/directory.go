package dash

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A Directory is the DASH of one path. It is a packager.Format.
type Directory struct {
	*packager.Directory

	mu      sync.Mutex
	ladders map[string]*ladder // by file name
}

// NewDirectory makes the DASH of a directory that packager.OpenDirectory then opens with
// it.
func NewDirectory() *Directory { return &Directory{ladders: make(map[string]*ladder)} }

// Attach implements packager.Format.
func (d *Directory) Attach(p *packager.Directory) { d.Directory = p }

// Removed implements packager.Format.
func (d *Directory) Removed(rec segstore.Entry) {
	if rec.Kind == packager.KindMPD {
		d.leaveLadder(rec.Name)
	}
}

// Moved implements packager.Format.
func (d *Directory) Moved() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.ladders)
}

// Names implements packager.Format.
func (d *Directory) Names(rec segstore.Entry, body []byte) (files []string, n segstore.Numbers, ok bool) {
	if rec.Kind != packager.KindMPD {
		return nil, n, false
	}
	m, err := parseMPD(body)
	if err != nil {
		return nil, n, false
	}
	for i := range m.Periods {
		for k := range m.Periods[i].Sets {
			files = append(files, m.Periods[i].Sets[k].files(rec.Name)...)
		}
	}
	return files, n, true
}

// Settings are those of a dash block, for streams in d whose segments no other block
// names.
func (d *Directory) Settings(cfg config.DASH) packager.Settings {
	return packager.Settings{
		What: "dash", Format: "fmp4",
		Fragment: cfg.Fragment, MaxFragment: max(3*cfg.Fragment, maxGOP), PlaylistLength: cfg.PlaylistLength,
		Nested: cfg.Nested, Naming: packager.NamingMedia, NginxDASH: true,
		Continuous: true, Cleanup: cfg.Cleanup, Endlist: true,
		Manifests: []packager.Spec{d.Spec(cfg)}, Part: Part(cfg), Days: cfg.LowLatency,
	}
}

// Part is how long parts are that a dash block needs; 0: it needs none.
func Part(cfg config.DASH) time.Duration {
	if !cfg.LowLatency {
		return 0
	}
	return PartLength
}

// maxGOP is how far keyframes may be apart, with short fragments too: many players can't
// begin a segment without one.
const maxGOP = 15 * time.Second

// Spec is the MPD of a dash block, for streams in d whose segments are those of another
// block too.
func (d *Directory) Spec(cfg config.DASH) packager.Spec { return &spec{d: d, cfg: cfg} }

// NewPackager makes the packager of a stream whose segments only the MPD names. Nothing is
// written before its first segment is complete.
//
// Errors: a name that can't be a file's; what is not built.
func (d *Directory) NewPackager(app, name string, cfg config.DASH, log *zap.Logger) (*packager.Packager, error) {
	return d.Directory.NewPackager(app, name, d.Settings(cfg), log)
}

// A spec is a dash block, for streams in one directory.
type spec struct {
	d    *Directory
	cfg  config.DASH
	rung *Rung // nil: the stream is no rendition
}

// Files implements packager.Spec.
func (s *spec) Files(_, stream string) []string { return []string{ManifestName(stream, &s.cfg)} }

// Open implements packager.Spec.
func (s *spec) Open(w *packager.Writer) packager.Manifest {
	_, stream := w.Stream()
	m := &manifest{d: s.d, w: w, cfg: s.cfg, file: ManifestName(stream, &s.cfg), rung: s.rung}
	if s.cfg.LowLatency && s.rung == nil { // renditions have no parts
		m.low = new(low)
	}
	return m
}

// clocks are the UTCTiming schemes of dash.clock (§5.8.5.7).
var clocks = map[string]string{
	"ntp":       "urn:mpeg:dash:utc:ntp:2014",
	"http_head": "urn:mpeg:dash:utc:http-head:2014",
	"http_iso":  "urn:mpeg:dash:utc:http-iso:2014",
}

// ClockQuery is the query of an MPD's URL that asks for the time (dash.clock without
// dash.clock_uri).
const ClockQuery = "utc"

// timings say where players get the time. Without an address that is the MPD's own: it is
// wherever the MPD is.
func timings(cfg *config.DASH, file string) []urnPair {
	scheme := clocks[cfg.Clock]
	if scheme == "" {
		return nil
	}
	at := cfg.ClockURI
	if at == "" {
		at = uri(file) + "?" + ClockQuery
	}
	return []urnPair{{scheme, at}}
}

// updatePeriod is how soon there will be another segment.
func updatePeriod(fragment time.Duration) time.Duration { return max(fragment, minUpdate) }

// minUpdate bounds how often players load the MPD.
const minUpdate = 500 * time.Millisecond
