package server

import (
	"net/http"
	"slices"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/web"
)

// webDeps is what every site gets of the server. keys are the hls keys.paths,
// which no root may serve.
func (s *Server) webDeps(cfg *config.Config) web.Deps {
	return web.Deps{
		Live: s.dirs, Audience: s.audience, KeyPaths: keyPaths(cfg), Log: s.log, Player: s.opts.Player, ACME: s.acme,
		Metrics: s.metrics, Health: http.HandlerFunc(s.serveHealth), IsKey: s.isKey,
		Stat:    func(c config.Stat) http.Handler { return api.Stat(s.Snapshot, c.Stylesheet) },
		Control: func(c config.Control) http.Handler { return api.Control(c.Allow, s.steer) },
	}
}

// traffic is what the site that listens there counts in, so that a reload
// starts no counter afresh; nil: there is none yet.
func (s *Server) traffic(listen string) *web.Traffic {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, site := range s.sites {
		if site.Listen() == listen {
			return site.Traffic()
		}
	}
	return nil
}

// isKey says whether word is a stream key of any application, in its time or not.
func (s *Server) isKey(word string) bool {
	if len(word) < minSecret {
		return false
	}
	services := s.keyed.Load() // no lock: whoever writes a log line may hold it
	if services == nil {
		return false
	}
	for _, v := range *services {
		for _, ring := range v.rules.Load().keys {
			if ring.holds(word) {
				return true
			}
		}
	}
	return false
}

func keyPaths(cfg *config.Config) []string {
	var out []string
	for i := range cfg.RTMP {
		for j := range cfg.RTMP[i].Applications {
			for _, app := range withStreams(&cfg.RTMP[i].Applications[j]) {
				if app.HLS != nil && app.HLS.Keys != nil && !slices.Contains(out, string(app.HLS.Keys.Path)) {
					out = append(out, string(app.HLS.Keys.Path))
				}
			}
		}
	}
	return out
}

// withStreams is an application with what its stream blocks make of it.
func withStreams(app *config.Application) []*config.Application {
	all := []*config.Application{app}
	for _, r := range app.Streams {
		all = append(all, r.Application)
	}
	return all
}
