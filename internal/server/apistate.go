package server

import (
	"errors"
	"net/http"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/apistate"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/relay"
)

// withState returns cfg with what the API has changed. applying is held.
func (s *Server) withState(cfg *config.Config) *config.Config {
	if !apistate.Wanted(cfg) {
		return cfg
	}
	if s.kept.Load() == nil {
		kept, err := apistate.Load(string(cfg.StateDir))
		if err != nil {
			// It is not written again before somebody has mended it.
			s.log.Error("what the API has changed has no effect", zap.Error(err))
			return cfg
		}
		s.kept.Store(kept)
	}
	return s.kept.Load().With(cfg)
}

// state returns what the API has changed, and the configuration without it. What it returns
// is read only.
func (s *Server) state() (*apistate.State, *config.Config) {
	kept := s.kept.Load()
	if kept == nil {
		kept = &apistate.State{}
	}
	return kept, s.file.Load()
}

// changeState changes what the API has changed: it is kept in the state directory first,
// and then takes effect as a reload does. After an error nothing has changed.
func (s *Server) changeState(change func(next *apistate.State, cfg *config.Config) error) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	if s.stopping() {
		return &api.ControlError{Status: http.StatusServiceUnavailable, Reason: "the server is stopping"}
	}
	file := s.file.Load()
	if s.kept.Load() == nil {
		if s.withState(file); s.kept.Load() == nil {
			return errors.New("what the API has changed before can't be read: the log says why. Mend or remove the file")
		}
	}
	next := s.kept.Load().Clone()
	if err := change(next, file); err != nil {
		return err
	}
	cfg := next.With(file)
	rules := make([]*origin.Rules, len(cfg.RTMP))
	for i := range cfg.RTMP {
		var err error
		var made []origin.MadeKey // all are made already
		if rules[i], err = origin.AcquireRules(cfg, i, &made); err != nil {
			return err
		}
	}
	if err := next.Save(string(cfg.StateDir)); err != nil {
		return err
	}
	s.kept.Store(next)
	s.mu.Lock()
	s.cfg.Store(cfg)
	blocks := s.blocks
	s.mu.Unlock()
	for i, b := range blocks {
		for _, app := range b.Commit(rules[i]) {
			s.removeApp(app)
		}
	}
	return nil
}

// APIChanges are what the API has changed, a line for each, and whether it has an effect
// with a configuration.
func (s *Server) APIChanges(cfg *config.Config) []string {
	kept, _ := s.state()
	return kept.Lines(cfg, func(p *apistate.Push) string {
		r := apistate.Remote(p.Target, 0)
		return relay.Shown(&r, p.App, p.Streams)
	})
}
