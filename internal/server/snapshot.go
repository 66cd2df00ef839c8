package server

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/server/web"
)

// Snapshot shows the server at this moment, for stat and its kin.
func (s *Server) Snapshot() *api.Snapshot {
	now := time.Now()
	snap := &api.Snapshot{
		Version:  s.opts.Version,
		Uptime:   now.Sub(s.started),
		Accepted: s.accepted.Load(),
	}
	snap.Process = process()
	s.mu.Lock()
	services, sites := slices.Clone(s.services), slices.Clone(s.sites)
	snap.Connections = len(s.live)
	snap.BytesIn, snap.BytesOut = s.gone.in, s.gone.out
	for _, sess := range s.live {
		if conn := sess.conn.Load(); conn != nil {
			snap.BytesIn += conn.BytesIn()
			snap.BytesOut += conn.BytesOut()
		}
	}
	s.mu.Unlock()
	for _, v := range services {
		snap.Servers = append(snap.Servers, v.snapshot(now))
	}
	for _, site := range sites {
		snap.HTTP = append(snap.HTTP, httpFigures(site, now))
	}
	for i := range snap.Servers {
		for j := range snap.Servers[i].Applications {
			for _, st := range snap.Servers[i].Applications[j].Streams {
				snap.BwIn += st.BwIn
				snap.BwOut += st.BwOut
			}
		}
	}
	return snap
}

func httpFigures(site *web.Site, now time.Time) api.HTTP {
	f := site.Traffic().Figures(now)
	out := api.HTTP{
		Listen: site.Listen(), Requests: f.Requests, BytesOut: f.BytesOut,
		InFlight: f.InFlight, Connections: f.Connections,
	}
	for _, c := range f.Codes {
		out.Codes = append(out.Codes, api.CodeCount(c))
	}
	for _, p := range f.Paths {
		out.Paths = append(out.Paths, api.PathCount(p))
	}
	return out
}

func (v *service) snapshot(now time.Time) api.Server {
	var out api.Server
	for _, a := range v.all() {
		app := api.Application{Name: a.name, Live: a.rules.Load().cfg.Live}
		a.mu.Lock()
		for _, st := range a.streams {
			app.Streams = append(app.Streams, st.snapshotLocked(now))
		}
		a.mu.Unlock()
		slices.SortFunc(app.Streams, func(x, y api.Stream) int { return cmp.Compare(x.Name, y.Name) })
		out.Applications = append(out.Applications, app)
	}
	slices.SortFunc(out.Applications, func(x, y api.Application) int { return cmp.Compare(x.Name, y.Name) })
	return out
}

// snapshotLocked is called with app.mu held.
func (st *stream) snapshotLocked(now time.Time) api.Stream {
	l := st.live.Snapshot()
	out := api.Stream{
		Name: st.name, Age: now.Sub(st.started),
		BytesIn: l.BytesIn, BwIn: l.BwIn, BwAudio: l.BwAudio, BwVideo: l.BwVideo,
		Video: l.Video, Audio: l.Audio,
	}
	out.Ingest, out.Health = st.health()
	out.FrameRate = out.Ingest.FrameRate
	if p := st.publisher; p != nil {
		out.Publishing = true
		out.Clients = append(out.Clients, p.client(now))
	}
	if h := st.app.houses[st.name]; h != nil {
		out.BytesOut = h.fan.BytesOut.Load()
		for pl := range h.players {
			out.Clients = append(out.Clients, pl.session.client(now))
		}
		slices.SortFunc(out.Clients, func(x, y api.Client) int { return cmp.Compare(x.ID, y.ID) })
	}
	if h := st.app.halls[st.name]; h != nil {
		out.Viewers, out.ViewersPeak, out.ViewersUnique = h.viewers.Counts(now)
	}
	return out
}

func (s *session) client(now time.Time) api.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := api.Client{
		ID: s.id, Address: s.addr.String(), Age: now.Sub(s.started),
		FlashVer: s.connect.FlashVer, PageURL: s.connect.PageURL, SWFURL: s.connect.SWFURL,
		Timestamp: s.timestamp.Load(), Publishing: s.stream != nil, Active: s.stream != nil,
	}
	if s.playing != nil && s.playing.fan != nil {
		out.Active, out.Dropped = true, s.playing.fan.Lapped()
	}
	return out
}

// stat serves the XML page; how it may be reached is its location's matter.
func (s *Server) stat(stylesheet string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		w.Header().Set("Cache-Control", "no-store")
		if r.Method == http.MethodHead {
			return
		}
		_ = api.WriteXML(w, s.Snapshot(), stylesheet) // a reader that went away
	})
}
