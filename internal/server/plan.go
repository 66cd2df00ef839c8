package server

import (
	"fmt"
	"slices"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/origin"
)

// Plan says what Apply(cfg) would do, whom it would disconnect included.
func (s *Server) Plan(cfg *config.Config) config.Plan {
	s.applying.Lock()
	defer s.applying.Unlock()
	cfg = s.withState(cfg)
	plan := config.Diff(s.cfg.Load(), cfg)
	s.mu.Lock()
	blocks := s.pairBlocks(s.cfg.Load(), cfg)
	running := slices.Clone(s.blocks)
	s.mu.Unlock()
	for _, b := range running {
		var rules *origin.Rules
		if i := slices.Index(blocks, b); i >= 0 {
			rules = origin.PlanRules(cfg, i)
		}
		for _, e := range b.Evictions(rules) {
			plan.Disconnects = append(plan.Disconnects, fmt.Sprintf("%s of %s/%s from %s: %s", e.Role, e.App, e.Stream, e.Peer, e.Reason))
		}
	}
	slices.Sort(plan.Disconnects)
	return plan
}
