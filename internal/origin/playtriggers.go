package origin

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/url"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/hooks"
)

// connectorRTMP is what triggers call RTMP.
const connectorRTMP = "RTMP"

// Opened asks CONN_OPEN about a client that has named the application. The error is a
// *Refusal, or ErrGone. Closed is to be called whatever it says.
func (a *Application) Opened(ctx context.Context, d Description) error {
	rules := a.rules.Load()
	if !rules.triggers.Has(hooks.ConnOpen) {
		return nil
	}
	c := hooks.Conn{Addr: d.Address.String(), Connector: connectorRTMP, URL: hooks.StreamURL(d.Session.TCURL, "", "")}
	return a.ask(ctx, rules, d, hooks.NewConn(hooks.ConnOpen, a.name, c), "")
}

// Closed tells CONN_CLOSE about a client that has gone. stream is what it published or
// played last, as far as that is no secret.
func (a *Application) Closed(d Description, stream string) {
	rules := a.rules.Load()
	if !rules.triggers.Has(hooks.ConnClose) {
		return
	}
	c := hooks.Conn{Stream: stream, Addr: d.Address.String(), Connector: connectorRTMP, URL: hooks.StreamURL(d.Session.TCURL, stream, "")}
	a.tell(rules, hooks.Subject{Session: d.ID}, hooks.NewConn(hooks.ConnClose, a.name, c), stream)
}

// ask asks a trigger that wants a yes.
func (a *Application) ask(ctx context.Context, rules *appRules, d Description, e hooks.Event, stream string) error {
	list := rules.triggers.For(e.Hook, stream)
	if len(list) == 0 {
		return nil
	}
	if _, err := a.hooks.Fire(ctx, &rules.cfg.Notify, hooks.Subject{Session: d.ID}, list, e); err != nil {
		return refusedByTrigger(err)
	}
	return nil
}

// tell tells the handlers of a trigger.
func (a *Application) tell(rules *appRules, about hooks.Subject, e hooks.Event, stream string) {
	if list := rules.triggers.For(e.Hook, stream); len(list) > 0 {
		a.hooks.TellTriggers(&rules.cfg.Notify, about, list, e)
	}
}

// renamesPlayers reports whether a trigger may make another name of what a player asks
// for. Then it may be a token.
func (r *appRules) renamesPlayers() bool {
	return r.triggers.Has(hooks.PlayRewrite) || r.triggers.Has(hooks.DefaultStream)
}

// viewToken is MistServer's client token in the arguments of a stream.
func viewToken(args url.Values) string {
	for _, name := range []string{"tkn", "sid", "sessId"} {
		if t := args.Get(name); t != "" {
			return clip(t)
		}
	}
	return ""
}

// sessionID names the n-th client for triggers. Nobody else can guess it.
func (og *Origin) sessionID(n uint64) string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(og.identity), n))
	return hex.EncodeToString(sum[:])
}

// conn describes a player of the stream name.
func (r *PlayRequest) conn(p Player, name string) hooks.Conn {
	return hooks.Conn{Stream: name, Addr: r.Address.String(), Connector: connectorRTMP, URL: hooks.StreamURL(p.Describe().Session.TCURL, r.Name, r.RawArgs)}
}

// rewritePlay has PLAY_REWRITE say what a player plays that asks for name.
func (a *Application) rewritePlay(ctx context.Context, rules *appRules, r *PlayRequest, p Player, name string) (string, error) {
	list := rules.triggers.For(hooks.PlayRewrite, name)
	if len(list) == 0 {
		return name, nil
	}
	reply, err := a.hooks.Fire(ctx, &rules.cfg.Notify, about(p), list, hooks.NewConn(hooks.PlayRewrite, a.name, r.conn(p, name)))
	switch {
	case err != nil:
		return "", refusedByTrigger(err)
	case r.Away():
		return "", ErrGone
	case !reply.Answered:
		return name, nil
	}
	other, err := answeredName(hooks.PlayRewrite, reply.Value)
	if err != nil || other == name {
		return other, err
	}
	hideGuess(p, name)
	return other, mayPlay(rules.cfg.For(other), r.Address)
}

// answeredName is the name of a stream that a trigger has answered. An empty one is a no.
func answeredName(h hooks.Hook, answer string) (string, error) {
	if answer == "" {
		return "", &Refusal{RuleDenied, "refused by " + h.String()}
	}
	name := value.NormalName(answer)
	if err := value.ValidStreamName(name); err != nil {
		return "", &Refusal{RuleDenied, h.String() + " answers with what is no name: " + err.Error()}
	}
	return name, nil
}

// maxDefaults bounds how often DEFAULT_STREAM may name another stream that is not there.
const maxDefaults = 3

// findStream is for a player of a stream that is not there: STREAM_SOURCE may say where
// it comes from, DEFAULT_STREAM what is shown in its place.
func (a *Application) findStream(ctx context.Context, rules *appRules, r *PlayRequest, p Player, name string, from value.RTMPURL) (string, value.RTMPURL, error) {
	if t := rules.triggers; !t.Has(hooks.StreamLoad) && !t.Has(hooks.StreamSource) && !t.Has(hooks.DefaultStream) {
		return name, from, nil
	}
	for range maxDefaults {
		cfg := rules.cfg.For(name)
		if from != "" || a.HasStream(name) || a.isFile(cfg, name) && a.library(cfg).Has(r.fileRequest(name)) {
			return name, from, nil
		}
		source, loads, err := a.source(ctx, rules, name, about(p))
		if err != nil {
			return "", "", err
		}
		if source != "" || loads && (len(pullsOf(rules.cfg, name)) > 0 || pulled(cfg, name)) {
			return name, source, nil
		}
		list := rules.triggers.For(hooks.DefaultStream, name)
		if len(list) == 0 {
			if !loads {
				return "", "", &Refusal{RuleNoStream, "refused by STREAM_LOAD"}
			}
			return name, "", nil
		}
		reply, err := a.hooks.Fire(ctx, &rules.cfg.Notify, about(p), list, hooks.NewDefaultStream(a.name, fallbackOf(cfg, a.name, name), r.conn(p, name)))
		switch {
		case err != nil:
			return "", "", refusedByTrigger(err)
		case r.Away():
			return "", "", ErrGone
		case !reply.Answered:
			return name, "", nil
		case reply.Value == "" || reply.Value == name:
			return "", "", &Refusal{RuleNoStream, "No such stream"}
		}
		hideGuess(p, name)
		if name, err = answeredName(hooks.DefaultStream, reply.Value); err != nil {
			return "", "", err
		}
		if err := mayPlay(rules.cfg.For(name), r.Address); err != nil {
			return "", "", err
		}
	}
	if a.HasStream(name) {
		return name, "", nil
	}
	return "", "", &Refusal{RuleNoStream, "No such stream"}
}

// source asks STREAM_LOAD and STREAM_SOURCE about a stream that somebody wants to watch
// and that is not there. loads is false if it is not to begin.
func (a *Application) source(ctx context.Context, rules *appRules, name string, about hooks.Subject) (from value.RTMPURL, loads bool, err error) {
	if list := rules.triggers.For(hooks.StreamLoad, name); len(list) > 0 {
		_, err := a.hooks.Fire(ctx, &rules.cfg.Notify, about, list, hooks.NewStream(hooks.StreamLoad, a.name, name))
		if ctx.Err() != nil {
			return "", false, ErrGone
		}
		if err != nil {
			return "", false, nil
		}
	}
	list := rules.triggers.For(hooks.StreamSource, name)
	if len(list) == 0 {
		return "", true, nil
	}
	reply, err := a.hooks.Fire(ctx, &rules.cfg.Notify, about, list, hooks.NewStream(hooks.StreamSource, a.name, name))
	if err != nil {
		return "", false, refusedByTrigger(err)
	}
	if reply.Value == "" {
		return "", true, nil // as the configuration has it
	}
	from, err = hooks.SourceURL(reply.Value)
	if err != nil {
		return "", false, &Refusal{RuleDenied, "STREAM_SOURCE answers with a wrong source: " + err.Error()}
	}
	return from, true, nil
}

// admitPlayer asks CONN_PLAY, then USER_NEW, about a player that has been let in so far.
func (a *Application) admitPlayer(ctx context.Context, rules *appRules, r *PlayRequest, p *Playing, name string) error {
	if t := rules.triggers; !t.Has(hooks.ConnPlay) && !t.Has(hooks.UserNew) && !t.Has(hooks.UserEnd) {
		return nil
	}
	d := p.player.Describe()
	c := r.conn(p.player, name)
	if err := a.ask(ctx, rules, d, hooks.NewConn(hooks.ConnPlay, a.name, c), name); err != nil {
		return err
	}
	token, id := viewToken(r.Args), a.origin.sessionID(a.origin.NextID())
	if err := a.ask(ctx, rules, d, hooks.NewUserNew(a.name, c, token, id), name); err != nil {
		return err
	}
	if r.Away() {
		return ErrGone
	}
	if rules.triggers.Has(hooks.UserEnd) {
		p.visit = &hooks.Visit{Conn: c, Token: token, Session: id}
		p.came = time.Now()
	}
	return nil
}

// sayUserEnd tells USER_END that the player has gone.
func (p *Playing) sayUserEnd() {
	if p.visit == nil {
		return
	}
	v := *p.visit
	v.For, v.Sent, v.Tags = time.Since(p.came), p.sent, p.tagList()
	p.app.tell(p.app.rules.Load(), hooks.Subject{Session: p.player.Describe().ID}, hooks.NewUserEnd(p.app.name, v), v.Stream)
}
