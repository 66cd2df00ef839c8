package origin

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config/value"
)

// A PublishRequest is what a publisher asks for. It serves for one Publish, and
// again after Redirected.
type PublishRequest struct {
	Log     *zap.Logger // of the client
	Address netip.Addr
	Typed   string     // the name as it was written; may be a secret
	Args    url.Values // behind the ? of the name; key= may be a secret
	RawArgs string     // the same as text
	Type    string     // live, record, append: for on_publish
	Via     []string   // the marks of the servers that it came through
	// Away reports whether the client has hung up, or was kicked, meanwhile.
	Away func() bool

	// Public is the stream's public name, as far as it is known that it is no
	// secret; Publish sets it, also where it refuses.
	Public string

	name     string // what Typed and Args mean
	seen     presented
	owner    owner
	metadata []byte // of a publisher that was redirected
	again    bool   // it was identified before
}

// Redirected is the request of the same publisher for another name, which an
// operator has chosen. metadata, if not nil, is what the stream is described by:
// encoders send it once.
func (r *PublishRequest) Redirected(name, query string, metadata []byte) *PublishRequest {
	next := *r
	next.Typed, next.name, next.RawArgs, next.Public = name, name, query, ""
	next.Args, _ = url.ParseQuery(query) // what can be read of it; the hooks get it as it is
	next.Type, next.metadata, next.again = "live", metadata, true
	return &next
}

// Publish decides in the one order there is (docs/architecture.md): access,
// limits, key, busy?, hooks, name taken. Nothing with an effect happens before all
// have agreed. The error is a *Refusal, or ErrGone. Without one the caller must
// call Leave.
func (a *Application) Publish(ctx context.Context, r *PublishRequest, p Publisher) (*Publication, error) {
	rules := a.rules.Load() // one snapshot for the whole decision
	if !r.again {
		if err := a.identify(rules, r, p); err != nil {
			return nil, err
		}
		if err := a.rewritePush(ctx, rules, r, p); err != nil {
			return nil, err
		}
	}
	name, cfg := r.name, rules.cfg
	session := a.newHookSession(p, r.Away)
	session.publish(r)
	if cfg.Hooks.OnPublish == "" || r.owner.holder != "" {
		r.Public = name
	}
	if err := a.inCircle(r.Via, name); err != nil {
		return nil, err
	}
	if err := a.mayClaim(name, r.owner); err != nil { // 4. busy? nothing is taken yet
		return nil, &Refusal{RuleName, err.Error()}
	}
	verdict, err := session.ask(ctx, cfg) // 5. the client waits, TCP holds its bytes
	if err != nil {
		return nil, err
	}
	if verdict.Name != "" && verdict.Name != r.Typed {
		p.Hide(r.Typed, false)
	}
	name = verdict.NameOr(name)
	r.Public = name
	if err := a.mayPush(ctx, rules, r, p, name); err != nil {
		session.end() // the hook had agreed
		return nil, err
	}
	if err := a.inCircle(r.Via, name); err != nil {
		session.end()
		return nil, err
	}
	pub := &Publication{app: a, publisher: p, log: r.Log, seen: r.seen, owner: r.owner, keyName: r.name, via: r.Via, pushTo: verdict.Relay, hooks: session}
	if err := a.claim(name, pub); err != nil { // 6. take it; looked at again, for others ask too
		session.end() // the hook had agreed
		return nil, &Refusal{RuleName, err.Error()}
	}
	if now := a.rules.Load(); now != rules { // reloaded while the hook was asked
		if why := pub.refusedBy(now, name); why != "" {
			pub.evicted.Store(true)
			pub.Leave(false)
			return nil, &Refusal{RuleDenied, why}
		}
	}
	session.watch()
	a.origin.published.Add(1)
	pub.announce(r.metadata)
	pub.watchIdle(cfg.For(name).DropIdlePublisher)
	if r.metadata != nil {
		pub.SetMetadata(r.metadata)
	}
	return pub, nil
}

// identify decides who publishes and makes a public name of what was typed.
func (a *Application) identify(rules *appRules, r *PublishRequest, p Publisher) error {
	// With keys, a hook or a trigger it may be a secret, or nearly one.
	if !rules.keys.inForce && !rules.rewritesPushes() && rules.cfg.Hooks.OnPublish == "" && value.ValidStreamName(value.WildcardName(r.Typed)) == nil {
		r.Public = value.WildcardName(r.Typed)
	}
	switch { // 1. local and cheap first
	case !rules.cfg.Live:
		return &Refusal{RuleDenied, "live = false for this application"}
	case !rules.cfg.Access.Publish.Allows(r.Address):
		return &Refusal{RuleDenied, "access denied: publishing from this address is not allowed"}
	}
	key := r.Args.Get("key")
	seen := presented{typed: idOf(r.Typed), arg: idOf(key), name: value.WildcardName(r.Typed)}
	guesses := a.svc.guessLimit(a.name)
	if !guesses.admits(r.Address, seen, time.Now()) { // 2. limits
		hideGuess(p, r.Typed, key)
		return &Refusal{RuleDenied, "too many wrong stream keys: try again in a minute"}
	}
	if !rules.keys.inForce && rules.rewritesPushes() {
		r.name, r.seen, r.owner = r.Typed, seen, owner{addr: r.Address} // rewritePush makes a name of it
		return nil
	}
	name, who, err := rules.identify(seen, r.Address, time.Now()) // 3. secret → public name; the secret ends here
	if err != nil {
		hideGuess(p, r.Typed, key)
		return a.refuseName(rules, err, r)
	}
	guesses.hit(r.Address, who.key)
	if rules.keys.inForce && who.holder != "" && name != r.Typed {
		seen.name = ""
	}
	r.name, r.seen, r.owner = name, seen, who
	return nil
}

// refuseName turns a failed identification into what the client hears. The
// answer to a nearly right secret is the same as to any other. A stream's public
// name is no secret: its answer may differ.
func (a *Application) refuseName(rules *appRules, err error, r *PublishRequest) error {
	if !rules.keys.inForce {
		return &Refusal{RuleName, "bad stream name: " + err.Error()}
	}
	a.svc.guessLimit(a.name).miss(r.Address, time.Now())
	switch {
	case errors.Is(err, errKeyTime), errors.Is(err, errKeyName):
		return &Refusal{RuleDenied, err.Error()}
	case r.Args.Get("key") == "" && rules.keys.names(r.Typed):
		return &Refusal{RuleDenied, "this is the name that viewers see, not its stream key: the key is the secret that goes with it (in OBS: Settings, Stream, Stream Key)"}
	}
	return &Refusal{RuleDenied, "wrong stream key: this application wants one (in OBS: Settings, Stream, Stream Key)"}
}

// hideGuess hides what may be meant as a secret: a wrong one is often nearly
// right, or will be right again.
func hideGuess(p interface{ Hide(string, bool) }, guesses ...string) {
	for _, g := range guesses {
		if len(g) >= minSecret {
			p.Hide(g, false)
			p.Hide(g, true)
		}
	}
}
