package origin

import (
	"context"
	"iter"
	"path"
	"strings"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// Demand implements web.Demander: somebody asks for a playlist that is not there. A
// stream that is pulled on demand is pulled then, and its playlist is waited for until
// ctx ends. ok is false for any other stream, and where it does not come in time.
func (au *Audience) Demand(ctx context.Context, playlist string) (f segstore.File, ok bool) {
	for a, name := range au.owners(playlist) {
		if a.demandHTTP(ctx, name) {
			f, err := au.origin.dirs.Wait(ctx, playlist)
			return f, err == nil
		}
	}
	return f, false
}

// demandHTTP has a stream pulled that somebody asks for over HTTP, if it is one that is.
func (a *Application) demandHTTP(ctx context.Context, name string) bool {
	rules := a.rules.Load()
	from := value.RTMPURL("")
	if t := rules.triggers; (t.Has(hooks.StreamLoad) || t.Has(hooks.StreamSource)) && value.ValidStreamName(name) == nil && !a.HasStream(name) && !a.pulling(name) {
		source, loads, err := a.source(ctx, rules, name, hooks.Subject{})
		if err != nil || !loads {
			return false
		}
		from = source
	}
	return a.demand(name, from)
}

// pulling reports whether a name is pulled already.
func (a *Application) pulling(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pullers[name] != nil
}

// owners are the applications whose directories a playlist or MPD is in, and the name of
// its stream.
func (au *Audience) owners(playlist string) iter.Seq2[*Application, string] {
	return func(yield func(*Application, string) bool) {
		services := *au.origin.services.Load()
		for _, v := range services {
			cfg := v.rules.Load().cfg
			for i := range cfg.Applications {
				app := &cfg.Applications[i]
				for _, c := range app.WithStreams() {
					for _, dir := range c.SegmentPaths() {
						in, below := strings.CutPrefix(playlist, path.Clean(dir)+"/")
						if !below {
							continue
						}
						if a := v.Application(app.Name); a != nil && !yield(a, playlistOf(in)) {
							return
						}
					}
				}
			}
		}
	}
}

// playlistOf is the stream that a playlist or MPD is of: NAME.m3u8 or NAME/index.m3u8.
func playlistOf(in string) string {
	name := strings.TrimSuffix(strings.TrimSuffix(in, ".m3u8"), ".mpd")
	return strings.TrimSuffix(name, "/index")
}

// demand has a stream pulled that somebody wants to watch, if it is one that is. from is
// what on_play has answered for them.
func (a *Application) demand(name string, from value.RTMPURL) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.demandLocked(name, nil, from)
}
