package origin

import (
	"bytes"
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/dash"
	"github.com/rtmpd/rtmpd/internal/hls"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/pages"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// Pages shows the streams to package pages.
type Pages struct{ origin *Origin }

// Pages returns what pages show.
func (og *Origin) Pages() Pages { return Pages{og} }

// How well an application fits a name that several have a place for.
const (
	couldHave = iota + 1
	named     // it has a key for the name
	begins
	watched
)

// Find implements pages.Streams.
func (p Pages) Find(apps []string, app, name string) (found pages.Stream, ok bool) {
	best := 0
	for _, v := range *p.origin.services.Load() {
		rules := v.rules.Load()
		names := []string{app}
		if app == "" {
			names = v.namesOfApps(rules.cfg)
		}
		for _, n := range names {
			r := rules.find(n)
			if r == nil || !shownIn(apps, rules.cfg, n) {
				continue
			}
			if s, fit := p.look(v.Application(n), r, n, name); fit > best {
				best, found = fit, s
			}
		}
	}
	return found, best > 0
}

// namesOfApps are the applications of the block in the order of the configuration, then
// those that "*" brought to life.
func (v *Service) namesOfApps(cfg *config.RTMP) []string {
	var names, more []string
	for i := range cfg.Applications {
		if n := cfg.Applications[i].Name; n != "*" {
			names = append(names, n)
		}
	}
	for _, a := range v.All() {
		if !slices.Contains(names, a.name) {
			more = append(more, a.name)
		}
	}
	slices.Sort(more)
	return append(names, more...)
}

// shownIn reports whether the applications attribute of a player names an application,
// itself or as "*".
func shownIn(apps []string, cfg *config.RTMP, name string) bool {
	if len(apps) == 0 || slices.Contains(apps, name) {
		return true
	}
	own := slices.ContainsFunc(cfg.Applications, func(a config.Application) bool { return a.Name == name })
	return !own && slices.Contains(apps, "*")
}

// look returns what an application has under a name, and how well it fits; 0: it has no
// place for it. a is nil if the application is not alive.
func (p Pages) look(a *Application, rules *appRules, appName, name string) (s pages.Stream, fit int) {
	app := rules.cfg
	cfg := app.For(name)
	if !app.Live || cfg.HLS == nil && cfg.DASH == nil {
		return s, 0
	}
	s = pages.Stream{App: appName, Name: name, State: pages.Offline, Guarded: rules.asksHTTP(name) || cfg.Tokens != nil, Locked: cfg.Tokens != nil && cfg.Tokens.Passphrase != ""}
	if h := cfg.HLS; h != nil {
		s.Dir, s.Playlist, s.Elsewhere, s.Fragmented = string(h.Path), hls.PlaylistName(name, h), elsewhere(h), h.Format == "fmp4"
	}
	fit = couldHave
	if slices.ContainsFunc(app.StreamKeys, func(k config.StreamKey) bool { return k.Stream == name }) {
		fit = named
	}
	goes := false // the MPD is there, and not static
	if d := cfg.DASH; d != nil {
		manifest := dash.ManifestName(name, d)
		if f, ok := p.origin.dirs.Lookup(strings.TrimSuffix(string(d.Path), "/") + "/" + manifest); ok {
			s.ManifestDir, s.Manifest = string(d.Path), manifest
			goes = !bytes.Contains(f.Body, []byte(` type="static"`))
		}
	}
	if a != nil {
		p.fill(a, cfg.HLS, goes, &s)
	}
	switch {
	case s.State == pages.Waiting:
		fit = begins
	case s.State != pages.Offline:
		fit = watched
	case len(pullsOf(app, name)) > 0:
		s.State, fit = pages.OnDemand, watched
	default:
		if other, ok := p.shownAs(a, rules, s); ok {
			return other, watched
		}
	}
	return s, fit
}

// shownAs returns the stream that is shown in the place of s, under its name.
func (p Pages) shownAs(a *Application, rules *appRules, s pages.Stream) (pages.Stream, bool) {
	now := time.Now()
	name := p.origin.audience.shown.of(s.Dir, s.Name, now)
	if name == "" {
		name = p.origin.audience.shown.of(s.ManifestDir, s.Name, now)
	}
	if name == "" || a == nil || !a.HasStream(name) {
		return s, false
	}
	other, _ := p.look(a, rules, s.App, name)
	if cfg := rules.cfg.For(name); other.Playlist != "" {
		other.Playlist = hls.PlaylistName(s.Name, cfg.HLS)
	}
	if cfg := rules.cfg.For(name); other.Manifest != "" {
		other.Manifest = dash.ManifestName(s.Name, cfg.DASH)
	}
	other.Name, other.Guarded = s.Name, true // it is in no list, and has no picture for everybody
	other.Outputs = s.Outputs                // none: they would tell its name
	return other, true
}

// fill says what there is of s, a stream of a or the base name of renditions. Without HLS
// (cfg is nil) dash says whether it can be watched.
func (p Pages) fill(a *Application, cfg *config.HLS, dash bool, s *pages.Stream) {
	a.mu.Lock()
	t := a.titles[s.Name]
	st, publishing := a.streams[s.Name], false
	if st != nil {
		publishing = st.publication != nil
	}
	var renditions []*Stream
	if st == nil && cfg != nil {
		for i := range cfg.Variants {
			if r := a.streams[s.Name+cfg.Variants[i].Suffix]; r != nil && cfg.Variants[i].Suffix != "" {
				renditions = append(renditions, r)
				publishing = publishing || r.publication != nil
			}
		}
	}
	a.mu.Unlock()
	if len(renditions) > 0 {
		s.Playlist, s.Renditions = hls.MasterName(s.Name), len(renditions)
		st = largest(renditions)
	}
	s.Title, s.Description = t.title, t.description
	if st == nil {
		return
	}
	d := st.description()
	s.Title, s.Description = cmp.Or(s.Title, d.title.title), cmp.Or(s.Description, d.description)
	s.Video, s.Audio = st.live.Tracks()
	s.FrameRate = d.frameRate
	there := dash
	if cfg != nil {
		media := hls.MediaPlaylists(st.name, cfg)
		if rungs := st.outputs.rungsOf(st.name); len(rungs) > 0 {
			media, s.Renditions = nil, len(rungs)
			for _, r := range rungs {
				media = append(media, hls.MediaPlaylists(r.name(), cfg)...)
			}
		}
		there = p.playable(s, media)
	}
	if st.name == s.Name && there {
		s.Outputs = outputFiles(st)
	}
	switch {
	case there && publishing:
		s.State = pages.Live
	case there:
		s.State = pages.Interrupted
	case publishing:
		s.State = pages.Waiting
	}
}

// playable reports whether the playlist of s is there and its media playlists go on.
func (p Pages) playable(s *pages.Stream, media []string) bool {
	lookup := func(name string) (segstore.File, bool) {
		f, ok := p.origin.dirs.Lookup(strings.TrimSuffix(s.Dir, "/") + "/" + name)
		return f, ok && (f.Kind == segstore.Playlist || f.Kind == segstore.Master)
	}
	if _, ok := lookup(s.Playlist); !ok {
		return false
	}
	there := false
	for _, name := range media {
		if f, ok := lookup(name); ok {
			if there = true; bytes.HasSuffix(bytes.TrimSpace(f.Body), []byte("#EXT-X-ENDLIST")) {
				return false
			}
		}
	}
	return there
}

// largest returns the stream with the largest picture, the first of several.
func largest(all []*Stream) *Stream {
	best, most := all[0], -1
	for _, st := range all {
		size := 0
		if video, _ := st.live.Tracks(); video != nil {
			size = 1 + video.Width*video.Height
		}
		if size > most {
			best, most = st, size
		}
	}
	return best
}

// elsewhere returns the origins that fragments and keys come from, if it is not that of
// the playlist.
func elsewhere(cfg *config.HLS) string {
	var out []string
	add := func(base string) {
		if u, err := url.Parse(base); err == nil && u.Host != "" && !strings.ContainsAny(u.Host, " ;,\"'") {
			out = append(out, cmp.Or(u.Scheme, "https")+"://"+u.Host)
		}
	}
	add(string(cfg.BaseURL))
	if cfg.Keys != nil {
		add(string(cfg.Keys.URL))
	}
	return strings.Join(out, " ")
}

// All implements pages.Streams.
func (p Pages) All(apps []string) []pages.Stream {
	var out []pages.Stream
	for _, v := range *p.origin.services.Load() {
		cfg := v.rules.Load().cfg
		for _, a := range v.All() {
			if !shownIn(apps, cfg, a.name) {
				continue
			}
			rules := a.rules.Load()
			app := rules.cfg
			seen := make(map[string]bool)
			a.each(func(st *Stream) {
				name := st.name
				if h := app.For(name).HLS; h != nil {
					if base, ok := hls.VariantBase(*h, name); ok {
						name = base
					}
				}
				if seen[name] {
					return
				}
				seen[name] = true
				if s, _ := p.look(a, rules, a.name, name); s.State == pages.Live || s.State == pages.Interrupted {
					out = append(out, s)
				}
			})
		}
	}
	slices.SortFunc(out, func(x, y pages.Stream) int {
		return cmp.Or(cmp.Compare(x.Name, y.Name), cmp.Compare(x.App, y.App))
	})
	return out
}

// Keyframe implements pages.Streams.
func (p Pages) Keyframe(app, name string) *media.Packet {
	for _, v := range *p.origin.services.Load() {
		a := v.Application(app)
		if a == nil {
			continue
		}
		st := a.Stream(name)
		if h := a.rules.Load().cfg.For(name).HLS; st == nil && h != nil {
			var renditions []*Stream
			for i := range h.Variants {
				if r := a.Stream(name + h.Variants[i].Suffix); r != nil {
					renditions = append(renditions, r)
				}
			}
			if len(renditions) > 0 {
				st = largest(renditions)
			}
		}
		if st != nil {
			return newestKeyframe(st.live)
		}
	}
	return nil
}

// maxParts bounds the messages of a picture that are looked at.
const maxParts = 64

// newestKeyframe returns the newest keyframe, joined if it came in several messages; nil:
// none is held.
func newestKeyframe(s *live.Stream) *media.Packet {
	cur := s.Cursor(live.FromKeyframe, true)
	defer cur.Close()
	buf := make([]*media.Packet, maxParts)
	n, _, _ := cur.TryNext(buf) // at its end there may be a keyframe all the same
	var parts []*media.Packet
	for _, p := range buf[:n] {
		if p.Track.Kind != media.Video || p.Track.ID != 0 {
			continue
		}
		if len(parts) == 0 && !p.Keyframe || len(parts) > 0 && !p.Continues {
			break
		}
		parts = append(parts, p)
	}
	if len(parts) == 0 {
		return nil
	}
	return media.Join(parts)
}
