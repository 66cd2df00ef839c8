package server

import (
	"net/http"
	"slices"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/pages"
	"github.com/rtmpd/rtmpd/internal/web"
)

// webDeps is what every site gets of the server. keys are the hls keys.paths,
// which no root may serve.
func (s *Server) webDeps(cfg *config.Config) web.Deps {
	return web.Deps{
		Live: s.origin.Directories(), Audience: s.origin.Audience(), KeyPaths: keyPaths(cfg), Log: s.log, ACME: s.acme,
		Metrics: s.metrics, Health: http.HandlerFunc(s.serveHealth), IsKey: s.origin.IsKey,
		Stat: func(c config.Stat) http.Handler { return api.Stat(s.Snapshot, c.Stylesheet) },
		Player: func(c config.Player) (web.PageFunc, error) {
			h, err := pages.New(c, s.origin.Pages())
			if err != nil {
				return nil, err
			}
			return h.Serve, nil
		},
		API:     func(c config.API, path string) web.APIFunc { return s.api.Handler(c, path) },
		Control: func(c config.Control) http.Handler { return api.Control(c.Allow, s.origin.Control) },
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

func keyPaths(cfg *config.Config) []string {
	var out []string
	for i := range cfg.RTMP {
		for j := range cfg.RTMP[i].Applications {
			for _, app := range cfg.RTMP[i].Applications[j].WithStreams() {
				if app.HLS != nil && app.HLS.Keys != nil && !slices.Contains(out, string(app.HLS.Keys.Path)) {
					out = append(out, string(app.HLS.Keys.Path))
				}
			}
		}
	}
	return out
}
