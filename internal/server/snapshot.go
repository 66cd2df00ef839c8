package server

import (
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/web"
)

// Snapshot shows the server at this moment, for stat and its kin.
func (s *Server) Snapshot() *api.Snapshot {
	now := time.Now()
	snap := &api.Snapshot{
		Version: s.opts.Version,
		Built:   s.opts.Built,
		Uptime:  now.Sub(s.started),
	}
	snap.Process, snap.Healthy = process(), s.Health().OK
	s.count(snap)
	s.mu.Lock()
	blocks, sites := slices.Clone(s.blocks), slices.Clone(s.sites)
	s.mu.Unlock()
	f := s.rtmp.Figures()
	snap.Accepted, snap.Connections, snap.BytesIn = f.Accepted, f.Connections, f.BytesIn
	snap.BytesOut = f.BytesOut + s.origin.Counts().Sent
	for _, b := range blocks {
		snap.HooksDown = append(snap.HooksDown, b.HooksDown()...)
		server, sent, held := b.Snapshot(now)
		snap.Servers = append(snap.Servers, server)
		snap.BytesOut += sent
		snap.FanoutBytes += held
	}
	snap.Limits = s.origin.Limits()
	snap.Examine()
	snap.BytesOut = s.sentAtLeast(snap.BytesOut)
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

// sentAtLeast is the most that was ever shown as sent. The players of a name
// that leave while a snapshot is made, or of an application that is gone, are
// missing from one: a counter must not fall for that.
func (s *Server) sentAtLeast(sum uint64) uint64 {
	for {
		shown := s.shownOut.Load()
		if sum <= shown {
			return shown
		}
		if s.shownOut.CompareAndSwap(shown, sum) {
			return sum
		}
	}
}

func httpFigures(site *web.Site, now time.Time) api.HTTP {
	f := site.Traffic().Figures(now)
	out := api.HTTP{
		Listen: site.Listen(), Requests: f.Requests, BytesOut: f.BytesOut, BytesIn: f.BytesIn,
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
