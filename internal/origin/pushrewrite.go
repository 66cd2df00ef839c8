package origin

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/hooks"
)

// rewritesPushes reports whether a trigger makes the public name of what a publisher
// types. Then it is as secret as a key.
func (r *appRules) rewritesPushes() bool { return r.triggers.Has(hooks.PushRewrite) }

// rewritePush has the trigger make a public name of what the publisher typed. A
// publisher that a stream key has identified has its name already.
func (a *Application) rewritePush(ctx context.Context, rules *appRules, r *PublishRequest, p Publisher) error {
	if rules.keys.inForce || !rules.rewritesPushes() {
		return nil
	}
	typed := r.Typed
	e := hooks.NewPushRewrite(a.name, pushURL(p, r), r.Address.String(), typed)
	hideGuess(p, typed) // whatever comes of it
	reply, err := a.hooks.Fire(ctx, &rules.cfg.Notify, about(p), rules.triggers.For(hooks.PushRewrite, ""), e)
	var no *hooks.Refusal
	switch {
	case errors.As(err, &no) && no.Err == nil:
		a.svc.guessLimit(a.name).miss(r.Address, time.Now())
		return &Refusal{RuleDenied, no.Reason}
	case err != nil:
		return refusedByTrigger(err)
	case r.Away():
		return ErrGone
	case !reply.Answered:
		return r.keepsName(typed)
	}
	name, query, params := strings.Cut(reply.Value, "?")
	if name == "" {
		a.svc.guessLimit(a.name).miss(r.Address, time.Now()) // as a wrong key
		return &Refusal{RuleDenied, "refused by PUSH_REWRITE"}
	}
	name = value.NormalName(name)
	if err := value.ValidStreamName(name); err != nil {
		return &Refusal{RuleDenied, "PUSH_REWRITE answers with what is no name: " + err.Error()}
	}
	if params {
		r.RawArgs = query
		r.Args, _ = url.ParseQuery(query)
	}
	r.name, r.Public = name, name
	if name != typed {
		r.owner.key = idOf(typed) // who has the secret may come back, from anywhere
		a.svc.guessLimit(a.name).hit(r.Address, r.owner.key)
	}
	return nil
}

// keepsName is for a publisher about which no handler had anything to say.
func (r *PublishRequest) keepsName(typed string) error {
	if err := value.ValidStreamName(typed); err != nil {
		return &Refusal{RuleName, "bad stream name: " + err.Error()}
	}
	r.name = typed
	return nil
}

// pushURL is what a publisher asked for, in one URL.
func pushURL(p Publisher, r *PublishRequest) string {
	u := strings.TrimRight(p.Describe().Session.TCURL, "/") + "/" + r.Typed
	if r.RawArgs != "" {
		u += "?" + r.RawArgs
	}
	return u
}

// about is what a trigger about a client is in order with.
func about(c hookClient) hooks.Subject { return hooks.Subject{Session: c.Describe().Session.ClientID} }

// refusedByTrigger is what the client hears about an error of Fire: a *Refusal, or
// ErrGone.
func refusedByTrigger(err error) error {
	var no *hooks.Refusal
	if errors.As(err, &no) {
		return &Refusal{RuleDenied, no.Reason}
	}
	return ErrGone
}
