package origin

import (
	"context"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/dash"
	"github.com/rtmpd/rtmpd/internal/hls"
	"github.com/rtmpd/rtmpd/internal/pages"
	"github.com/rtmpd/rtmpd/internal/progressive"
	"github.com/rtmpd/rtmpd/internal/segstore"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// Broadcast implements web.Broadcaster: the stream whose playlist or MPD is, or would be,
// in dir. A stream that is pulled on demand is pulled.
func (au *Audience) Broadcast(ctx context.Context, dir, name string) (progressive.Source, bool) {
	if value.ValidStreamName(name) != nil {
		return progressive.Source{}, false
	}
	if s, ok := au.broadcast(dir, name); ok {
		return s, true
	}
	for a, stream := range au.owners(dir + "/" + name + ".m3u8") {
		if stream != name || !a.demandHTTP(ctx, name) {
			continue
		}
		cfg, list := a.Config(name), ""
		switch {
		case cfg.HLS != nil:
			list = path.Join(string(cfg.HLS.Path), hls.PlaylistName(name, cfg.HLS))
		case cfg.DASH != nil:
			list = path.Join(string(cfg.DASH.Path), dash.ManifestName(name, cfg.DASH))
		}
		if _, err := au.origin.dirs.Wait(ctx, list); err != nil {
			break
		}
		return au.broadcast(dir, name)
	}
	return progressive.Source{}, false
}

func (au *Audience) broadcast(dir, name string) (s progressive.Source, ok bool) {
	for _, v := range *au.origin.services.Load() {
		for _, a := range v.All() {
			st := a.Stream(name)
			if st == nil {
				continue
			}
			cfg := a.Config(name)
			if !slices.ContainsFunc(cfg.SegmentPaths(), func(p string) bool { return path.Clean(p) == dir }) {
				continue
			}
			if cfg.HLS != nil && cfg.HLS.Keys != nil {
				continue // who may watch is who gets the keys of its fragments
			}
			return progressive.Source{
				File: segstore.File{Dir: dir, App: a.name, Stream: name, Kind: segstore.Playlist, Target: unknownTarget},
				Live: st.live, Queue: cfg.PlayerQueue, Meta: string(cfg.Meta),
			}, true
		}
	}
	return s, false
}

// outputFiles are what a stream is served as beside its playlist, the best first.
func outputFiles(st *Stream) (all [8]pages.Output) {
	if cfg := st.app.Config(st.name); cfg.HLS != nil && cfg.HLS.Keys != nil {
		return all
	}
	video, audio := st.live.Tracks()
	var out []pages.Output
	for _, f := range progressive.Fitting(video, audio) {
		o := pages.Output{File: st.name + f.Ext, Kind: f.Kind, Name: f.Name, Rank: f.Rank}
		switch {
		case f.Events:
		case f.Sound || video == nil || audio == nil:
			o.Tracks = 1
		default:
			o.Tracks = 2
		}
		out = append(out, o)
	}
	slices.SortStableFunc(out, func(a, b pages.Output) int { return b.Rank - a.Rank })
	copy(all[:], out)
	return all
}

// Stays implements web.Broadcaster: whether a viewer still may watch that Playlist has let
// in. It counts as a request for a playlist. An error is a *viewers.Denial, or ctx's.
func (au *Audience) Stays(ctx context.Context, v viewers.Visit) error {
	h := au.viewersOf(v.File)
	if h == nil {
		return &viewers.Denial{Status: http.StatusNotFound}
	}
	if cfg := h.app.rules.Load().cfg; cfg.Sessions != nil {
		cred := h.shownBy(&v, tokenFrom(cfg))
		if id, _ := au.identify(h, &v, cred.token); !h.counter.Joined(id, v.Now) && h.counter.Len(v.Now) < maxCounted {
			return &viewers.Denial{Status: http.StatusForbidden, Reason: whySessionStopped}
		}
	}
	_, err := au.Playlist(ctx, v)
	return err
}

// maxCounted is below what a viewers.Counter holds: of more than that some are served
// without being counted.
const maxCounted = 1 << 15

// connectorOf names, as MistServer does, what a viewer watches by: the last part of the
// URL tells.
func connectorOf(urlPath string) string {
	if strings.HasSuffix(urlPath, ".mpd") {
		return "DASH"
	}
	if f, _ := progressive.ByName(urlPath); f != nil {
		return f.Protocol()
	}
	return "HLS"
}
