package origin

import (
	"context"
	"errors"
	"net/url"
	"path"
	"time"

	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// triggerLife is how long the word of triggers about a viewer counts: a no that long,
// as at MistServer; a yes is then renewed beside its requests.
const triggerLife = 10 * time.Minute

// conn describes an HTTP viewer for triggers.
func (h *viewerSet) conn(v viewers.Visit) hooks.Conn {
	u := v.Request.PublicURL(v.Path) + "/" + url.PathEscape(path.Base(v.Path))
	if v.Query != "" {
		u += "?" + v.Query
	}
	return hooks.Conn{Stream: h.name, Addr: v.Addr.String(), Connector: connectorOf(v.Path), URL: clip(u)}
}

// visitToken is MistServer's client token in the query of a viewer.
func visitToken(v viewers.Visit) string {
	args, _ := url.ParseQuery(v.Query) // what can be read of it
	return viewToken(args)
}

// askTriggers asks the triggers about a viewer whom on_play has let in, or that it was
// not asked about, and says how long the answer counts.
func (h *viewerSet) askTriggers(ctx context.Context, rules *appRules, serial uint64, v viewers.Visit) (time.Duration, error) {
	c, about, denied := h.conn(v), hooks.Subject{Session: serial}, triggerLife
	if s := rules.cfg.Sessions; s != nil {
		denied = s.DenyFor
	}
	for _, hook := range viewerTriggers {
		list := rules.triggers.For(hook, h.name)
		if len(list) == 0 {
			continue
		}
		e := hooks.NewConn(hook, h.app.name, c)
		if hook == hooks.UserNew {
			e = hooks.NewUserNew(h.app.name, c, visitToken(v), h.app.origin.sessionID(serial))
		}
		reply, err := h.app.hooks.Fire(ctx, &rules.cfg.Notify, about, list, e)
		var no *hooks.Refusal
		switch {
		case errors.As(err, &no) && no.Err != nil:
			return noAnswerLife, silent{&viewers.Denial{Status: 403, Reason: no.Reason}} // the caller has logged it
		case errors.As(err, &no):
			return denied, h.refuse(v, no.Reason)
		case err != nil:
			return 0, err
		case hook == hooks.PlayRewrite && reply.Answered && reply.Value == "":
			return denied, h.refuse(v, "refused by PLAY_REWRITE")
		case hook == hooks.PlayRewrite && reply.Answered && reply.Value != h.name:
			return denied, h.refuse(v, "PLAY_REWRITE names another stream, which is for RTMP players: a URL stays what it is")
		}
	}
	return triggerLife, nil
}

// sayVisitEnd tells USER_END and CONN_CLOSE that a viewer has gone.
func (h *viewerSet) sayVisitEnd(rules *appRules, f *doneCall, serial uint64) {
	v := *f.visit
	v.Session, v.For = h.app.origin.sessionID(serial), max(time.Since(f.came)-h.counter.Timeout(), 0)
	about := hooks.Subject{Session: serial}
	h.app.tell(rules, about, hooks.NewUserEnd(h.app.name, v), h.name)
	h.app.tell(rules, about, hooks.NewConn(hooks.ConnClose, h.app.name, v.Conn), h.name)
}

// doorkeeper is who decides on HTTP viewers.
func (r *appRules) doorkeeper() string {
	if asksOnPlay(r.cfg) {
		return hooks.OnPlay.String()
	}
	for _, h := range viewerTriggers {
		if r.triggers.Has(h) {
			return h.String()
		}
	}
	return "a hook"
}
