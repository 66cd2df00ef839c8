package origin

import (
	"context"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/dash"
	"github.com/rtmpd/rtmpd/internal/hls"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/pages"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// Instead implements web.Defaulter: DEFAULT_STREAM may say which stream a viewer is to be
// shown that asks for the playlist of one that is not there.
func (au *Audience) Instead(ctx context.Context, playlist string, v viewers.Visit) (viewers.Substitute, bool) {
	for a, stream := range au.owners(playlist) {
		rules := a.rules.Load()
		if value.ValidStreamName(stream) != nil || a.HasStream(stream) || len(rules.triggers.For(hooks.DefaultStream, stream)) == 0 {
			continue
		}
		other := au.defaults.get(a, stream, v, func() string {
			return a.defaultHTTP(ctx, rules, stream, (&viewerSet{app: a, name: stream}).conn(v))
		})
		if other == "" || !a.HasStream(other) {
			return viewers.Substitute{}, false
		}
		if s, ok := au.shown.enter(playlist, stream, other, rules.cfg.For(other), v.Now); ok {
			return s, true
		}
		dir, name := manifestOf(other, filepath.Ext(playlist), rules.cfg.For(other))
		return viewers.Substitute{Dir: dir, Name: name}, name != ""
	}
	return viewers.Substitute{}, false
}

// Instead implements pages.Streams.
func (p Pages) Instead(ctx context.Context, s pages.Stream, from netip.Addr, address string) bool {
	au := p.origin.audience
	for _, v := range *p.origin.services.Load() {
		rules := v.rules.Load().find(s.App)
		if rules == nil || value.ValidStreamName(s.Name) != nil || len(rules.triggers.For(hooks.DefaultStream, s.Name)) == 0 {
			continue
		}
		a := v.enter(s.App)
		if a == nil {
			continue
		}
		_, query, _ := strings.Cut(address, "?")
		visit := viewers.Visit{Addr: from, Query: query, Now: time.Now()}
		other := au.defaults.get(a, s.Name, visit, func() string {
			return a.defaultHTTP(ctx, rules, s.Name, hooks.Conn{Stream: s.Name, Addr: from.String(), Connector: "HTTP", URL: clip(address)})
		})
		if other == "" || !a.HasStream(other) {
			return false
		}
		cfg, shown := rules.cfg.For(other), false
		for _, ext := range []string{".m3u8", ".mpd"} {
			if dir, name := manifestOf(s.Name, ext, cfg); name != "" {
				_, ok := au.shown.enter(filepath.Join(dir, name), s.Name, other, cfg, visit.Now)
				shown = shown || ok
			}
		}
		return shown
	}
	return false
}

// Meant implements web.Defaulter.
func (au *Audience) Meant(absPath string, now time.Time) (viewers.Substitute, bool) {
	return au.shown.find(absPath, now)
}

// manifestOf is where a stream's playlist is, or its MPD; an empty name: it has none.
func manifestOf(stream, ext string, cfg *config.Application) (dir, name string) {
	switch {
	case ext == ".mpd" && cfg.DASH != nil:
		return string(cfg.DASH.Path), dash.ManifestName(stream, cfg.DASH)
	case ext == ".m3u8" && cfg.HLS != nil:
		return string(cfg.HLS.Path), hls.PlaylistName(stream, cfg.HLS)
	}
	return "", ""
}

// defaultHTTP asks DEFAULT_STREAM about an HTTP viewer; empty: it gets nothing.
func (a *Application) defaultHTTP(ctx context.Context, rules *appRules, stream string, who hooks.Conn) string {
	cfg := rules.cfg.For(stream)
	reply, err := a.hooks.Fire(ctx, &rules.cfg.Notify, hooks.Subject{}, rules.triggers.For(hooks.DefaultStream, stream),
		hooks.NewDefaultStream(a.name, fallbackOf(cfg, a.name, stream), who))
	if err != nil || !reply.Answered || reply.Value == stream {
		return ""
	}
	other, err := answeredName(hooks.DefaultStream, reply.Value)
	if err != nil {
		return ""
	}
	a.origin.replaced.add(stream) // it may be a view token
	return other
}

// A defaultTable remembers for a moment what DEFAULT_STREAM has said: players ask again
// and again for what is not there.
type defaultTable struct {
	mu  sync.Mutex
	all map[viewers.Key]defaultAnswer
}

type defaultAnswer struct {
	name  string
	until time.Time
}

const (
	defaultLife = 5 * time.Second
	maxAnswers  = 10000
)

func (t *defaultTable) get(a *Application, stream string, v viewers.Visit, ask func() string) string {
	key := viewers.KeyOf(a.id, 0, v.Addr, stream, v.Query)
	t.mu.Lock()
	known, ok := t.all[key]
	t.mu.Unlock()
	if ok && v.Now.Before(known.until) {
		return known.name
	}
	name := ask()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.all) >= maxAnswers || t.all == nil {
		t.all = make(map[viewers.Key]defaultAnswer)
	}
	t.all[key] = defaultAnswer{name, v.Now.Add(defaultLife)}
	return name
}
