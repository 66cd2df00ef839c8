package server

import (
	"context"
	"fmt"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/hooks"
)

// serverNotify is how the triggers about the server are called.
var serverNotify = &config.Notify{Concurrency: 8}

// AskStart asks SYSTEM_START whether the server is to run, after its first Apply.
func (s *Server) AskStart(ctx context.Context) error {
	list := hooks.NewTriggers("", s.cfg.Load().Triggers, nil).For(hooks.SystemStart, "")
	if len(list) == 0 {
		return nil
	}
	if _, err := s.triggers.Fire(ctx, serverNotify, hooks.Subject{}, list, hooks.NewSystem(hooks.SystemStart, "rtmpd "+s.opts.Version)); err != nil {
		return fmt.Errorf("rtmpd is not to run: %w", err)
	}
	return nil
}

// sayStop tells SYSTEM_STOP that the server stops. No answer keeps it from that.
func (s *Server) sayStop() {
	list := hooks.NewTriggers("", s.cfg.Load().Triggers, nil).For(hooks.SystemStop, "")
	if len(list) > 0 {
		s.triggers.TellTriggers(serverNotify, hooks.Subject{}, list, hooks.NewSystem(hooks.SystemStop, "the server was told to stop"))
	}
}
