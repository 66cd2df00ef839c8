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
func (r *appRules) rewritesPushes() bool {
	return r.triggers.Has(hooks.PushRewrite) || r.triggers.Has(hooks.RTMPPushRewrite)
}

// rewritePush has the triggers make a public name of what the publisher typed: first
// RTMP_PUSH_REWRITE, which gets and gives a URL, then PUSH_REWRITE. A publisher that a
// stream key has identified has its name already.
func (a *Application) rewritePush(ctx context.Context, rules *appRules, r *PublishRequest, p Publisher) error {
	if rules.keys.inForce || !rules.rewritesPushes() {
		return nil
	}
	typed, asked := r.Typed, pushURL(p, r)
	hideGuess(p, typed) // whatever comes of it
	name, answered := typed, false
	reply, err := a.askPush(ctx, rules, r, p, hooks.NewRTMPPushRewrite(a.name, asked, r.Address.String()))
	if err == nil && reply.Answered {
		answered = true
		asked = reply.Value
		name, err = a.nameInURL(asked)
	}
	if err == nil {
		reply, err = a.askPush(ctx, rules, r, p, hooks.NewPushRewrite(a.name, asked, r.Address.String(), withoutQuery(name)))
	}
	if err != nil {
		return err
	}
	if reply.Answered {
		answered = true
		name = reply.Value
	}
	if !answered {
		return r.keepsName(typed)
	}
	name, query, params := strings.Cut(name, "?")
	name = value.WildcardName(value.NormalName(name))
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
		a.origin.replaced.add(typed)
	}
	return nil
}

func withoutQuery(name string) string {
	name, _, _ = strings.Cut(name, "?")
	return name
}

// askPush asks a trigger about what a publisher typed. Its no counts as a wrong key.
func (a *Application) askPush(ctx context.Context, rules *appRules, r *PublishRequest, p Publisher, e hooks.Event) (hooks.Reply, error) {
	list := rules.triggers.For(e.Hook, "")
	if len(list) == 0 {
		return hooks.Reply{}, nil
	}
	reply, err := a.hooks.Fire(ctx, &rules.cfg.Notify, about(p), list, e)
	var no *hooks.Refusal
	switch {
	case errors.As(err, &no) && no.Err == nil:
		a.svc.guessLimit(a.name).miss(r.Address, time.Now())
		return reply, &Refusal{RuleDenied, no.Reason}
	case err != nil:
		return reply, refusedByTrigger(err)
	case r.Away():
		return reply, ErrGone
	case reply.Answered && reply.Value == "":
		a.svc.guessLimit(a.name).miss(r.Address, time.Now())
		return reply, &Refusal{RuleDenied, "refused by " + e.Hook.String()}
	}
	return reply, nil
}

// nameInURL is the stream in the URL that RTMP_PUSH_REWRITE has answered: what stands
// behind its last slash. A connection stays in its application; MistServer's guide has
// an empty one there, which stands for a password.
func (a *Application) nameInURL(answer string) (string, error) {
	const bad = "RTMP_PUSH_REWRITE answers with a wrong URL: "
	scheme, rest, ok := strings.Cut(answer, "://")
	if !ok || !strings.EqualFold(scheme, "rtmp") && !strings.EqualFold(scheme, "rtmps") {
		return "", &Refusal{RuleDenied, bad + "it is none of rtmp://HOST/APP/NAME"}
	}
	path, query, params := strings.Cut(rest, "?")
	_, path, ok = strings.Cut(path, "/")
	i := strings.LastIndexByte(path, '/')
	if !ok || i < 0 {
		return "", &Refusal{RuleDenied, bad + "it is none of rtmp://HOST/APP/NAME"}
	}
	app, name := path[:i], path[i+1:]
	if app != "" && app != a.name {
		return "", &Refusal{RuleDenied, bad + "it names another application, and a connection stays in its own"}
	}
	if params {
		name += "?" + query
	}
	return name, nil
}

// mayPush asks STREAM_PUSH about a publisher whose public name is known.
func (a *Application) mayPush(ctx context.Context, rules *appRules, r *PublishRequest, p Publisher, name string) error {
	list := rules.triggers.For(hooks.StreamPush, name)
	if len(list) == 0 {
		return nil
	}
	d := p.Describe()
	c := hooks.Conn{Stream: name, Addr: r.Address.String(), Connector: connectorRTMP, URL: hooks.StreamURL(d.Session.TCURL, name, r.publicArgs())}
	if err := a.ask(ctx, rules, d, hooks.NewConn(hooks.StreamPush, a.name, c), name); err != nil {
		return err
	}
	if r.Away() {
		return ErrGone
	}
	return nil
}

// publicArgs are the arguments without what is a secret.
func (r *PublishRequest) publicArgs() string {
	args := r.RawArgs
	for _, secret := range []string{r.Typed, r.Args.Get("key")} {
		if secret != "" && secret != r.name && r.owner.key != (keyID{}) {
			args = strings.ReplaceAll(args, secret, "")
		}
	}
	return args
}

// keepsName is for a publisher about which no handler had anything to say.
func (r *PublishRequest) keepsName(typed string) error {
	name := value.WildcardName(typed)
	if err := value.ValidStreamName(name); err != nil {
		return &Refusal{RuleName, "bad stream name: " + err.Error()}
	}
	r.name = name
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
