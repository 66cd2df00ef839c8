package server

import (
	"fmt"
	"slices"

	"github.com/rtmpd/rtmpd/config"
)

// Plan says what Apply(cfg) would do, whom it would disconnect included.
func (s *Server) Plan(cfg *config.Config) config.Plan {
	s.applying.Lock()
	defer s.applying.Unlock()
	plan := config.Diff(s.cfg.Load(), cfg)
	s.mu.Lock()
	services := s.pairServices(s.cfg.Load(), cfg)
	running := slices.Clone(s.services)
	s.mu.Unlock()
	for _, v := range running {
		var rules *serviceRules
		if i := slices.Index(services, v); i >= 0 {
			rules = planRings(cfg, i)
		}
		for _, app := range v.all() {
			var r *appRules
			if rules != nil {
				r = rules.find(app.name)
			}
			for _, c := range app.condemned(r) {
				plan.Disconnects = append(plan.Disconnects, fmt.Sprintf("%s of %s/%s from %s: %s", c.role, app.name, c.stream, c.session.peer, c.reason))
			}
		}
	}
	slices.Sort(plan.Disconnects)
	return plan
}

// planRings resolves keys as acquire would, without making any: a key that is
// not made yet fits nobody.
func planRings(cfg *config.Config, i int) *serviceRules {
	rules := &serviceRules{cfg: &cfg.RTMP[i], keys: make(map[string]*keyring)}
	for j := range cfg.RTMP[i].Applications {
		app := &cfg.RTMP[i].Applications[j]
		ring, err := newKeyring(app, func(name, holder string) (string, error) {
			secret, err := KeptKey(string(cfg.StateDir), name, holder)
			if err != nil {
				secret = NewKey()
			}
			return secret, nil
		})
		if err == nil {
			rules.keys[app.Name] = ring
		}
	}
	return rules
}
