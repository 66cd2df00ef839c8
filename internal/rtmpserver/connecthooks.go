package rtmpserver

import (
	"context"
	"errors"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// askConnect asks on_connect and returns the application's name. It is not asked
// about names that no application can have: a URL in the wrong field of an encoder
// ends in a stream key. An error ends the session.
func (s *session) askConnect(ctx context.Context, c rtmp.Connect) (app string, err error) {
	if value.ValidStreamName(c.App) != nil {
		return c.App, nil
	}
	if len(c.Args) > origin.MaxHookArgs {
		return "", &refusal{"", "the application's arguments are too long"}
	}
	s.setHookSession(&hooks.Session{
		App: c.App, Args: c.Args, FlashVer: c.FlashVer, SWFURL: c.SWFURL, TCURL: c.TCURL, PageURL: c.PageURL,
		Addr: s.addr.String(), ClientID: s.id,
	})
	cfg := s.block.Config()
	v, err := s.block.Hooks().Ask(ctx, cfg.OnConnect, &cfg.Notify, hooks.Connect(*s.hookSession, time.Since(s.srv.Origin.Started())))
	var no *hooks.Refusal
	switch {
	case errors.As(err, &no):
		s.setHookSession(nil) // on_disconnect is not called for it
		return "", &refusal{"", no.Reason}
	case err != nil:
		return "", errBye // the server stops, and kick says so
	}
	if cfg.OnConnect != "" && s.away() {
		return "", errBye
	}
	named := *s.hookSession
	named.App = v.NameOr(c.App)
	s.setHookSession(&named)
	return named.App, nil
}

// sayDisconnect tells on_disconnect that a client which on_connect let in is gone.
func (s *session) sayDisconnect() {
	if s.hookSession == nil {
		return
	}
	cfg := s.block.Config()
	caller := s.block.Hooks()
	if s.app != nil {
		caller = s.app.Hooks() // behind what it says for this session
	}
	caller.Tell(&cfg.Notify, hooks.Subject{Session: s.id}, hooks.Call{Target: cfg.OnDisconnect, Event: hooks.Disconnect(*s.hookSession)})
}

// away says that the client is gone, or was kicked, while a hook was asked:
// what the hook says is of no use.
func (s *session) away() bool { return s.kicked.Load() != nil || listen.HungUp(s.raw) }
