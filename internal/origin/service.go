package origin

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/quota"
)

// A Service is one rtmp block at run time: its applications, by name.
type Service struct {
	origin *Origin
	rules  atomic.Pointer[Rules]
	hooks  *hooks.Caller // of on_connect and on_disconnect
	scope  quota.Scope   // of its RTMP players

	mu   sync.Mutex
	apps map[string]*Application
	// guesses are those of the applications with keys, by the name of their
	// block: all that "*" takes in have its keys, and count together.
	guesses map[string]*guessLimit
}

// Rules are what a reload swaps at once for a Service.
type Rules struct {
	cfg *config.RTMP
	// keys are the rings of the applications the block names, by name; those
	// that "*" takes in share its.
	keys map[string]*keyring
	// triggers are the trigger blocks of the top level.
	triggers []config.Trigger
	// shut are those of each application of the block, for what lies beside its files.
	shut []*hooks.Triggers
	// tokens are the rules of all tokens blocks, by the name of the application.
	tokens map[string]map[*config.Tokens]*tokenRules
}

// NewService returns a Service without applications.
func (og *Origin) NewService() *Service {
	return &Service{origin: og, apps: make(map[string]*Application), hooks: og.Hooks.Caller(og.Log)}
}

// Config is the block as the newest reload has it; nil before the first.
func (v *Service) Config() *config.RTMP {
	if r := v.rules.Load(); r != nil {
		return r.cfg
	}
	return nil
}

// Hooks calls on_connect and on_disconnect.
func (v *Service) Hooks() *hooks.Caller { return v.hooks }

// find resolves an application's name in r: its own block, else "*".
func (r *Rules) find(name string) *appRules {
	cfg := r.cfg.Application(name)
	if cfg == nil {
		return nil
	}
	block := name
	if r.keys[name] == nil {
		block = "*"
	}
	return &appRules{cfg: cfg, keys: r.keys[block], tokens: r.tokens[block], triggers: hooks.NewTriggers(name, r.triggers, cfg.Triggers)}
}

// guessLimit is that of an application. It outlives the application: else who
// guesses would begin anew with another name that "*" takes in.
func (v *Service) guessLimit(name string) *guessLimit {
	cfg := v.rules.Load().cfg
	if !slices.ContainsFunc(cfg.Applications, func(a config.Application) bool { return a.Name == name }) {
		name = "*"
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	g := v.guesses[name]
	if g == nil {
		if v.guesses == nil {
			v.guesses = make(map[string]*guessLimit)
		}
		g = &guessLimit{}
		v.guesses[name] = g
	}
	return g
}

const maxWildApps = 1000 // names that "*" may bring to life at a time

// Named returns the application that a client's connect names, or nil. One that
// only "*" has a place for comes to life with a publish or play: see Alive.
func (v *Service) Named(name string) *Application {
	v.mu.Lock()
	defer v.mu.Unlock()
	a := v.apps[name]
	if a == nil {
		rules := v.rules.Load().find(name)
		if rules == nil || value.ValidStreamName(name) != nil {
			return nil
		}
		a = newApplication(v, name, rules)
	}
	a.enter()
	return a
}

// Alive returns the application of a's name that is alive, a itself if there is
// none. A connection that entered a has entered that one then.
func (v *Service) Alive(a *Application) (*Application, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if b := v.apps[a.name]; b != nil {
		if b != a {
			b.enter()
			a.leave()
		}
		return b, nil
	}
	rules := v.rules.Load().find(a.name)
	switch {
	case rules == nil:
		return nil, errAppGone
	case len(v.apps) >= maxWildApps:
		return nil, errManyApps
	}
	a.setRules(rules)
	v.apps[a.name] = a
	return a, nil
}

var errManyApps = errors.New("too many different applications are in use")

// enter returns the application of a name, alive and entered, or nil.
func (v *Service) enter(name string) *Application {
	v.mu.Lock()
	defer v.mu.Unlock()
	if a := v.apps[name]; a != nil {
		a.enter()
		return a
	}
	rules := v.rules.Load().find(name)
	if rules == nil || value.ValidStreamName(name) != nil || len(v.apps) >= maxWildApps {
		return nil
	}
	a := newApplication(v, name, rules)
	v.apps[name] = a
	a.enter()
	return a
}

// Commit swaps the block's rules and evicts whom they refuse. It
// returns the applications that are gone.
func (v *Service) Commit(r *Rules) (gone []*Application) {
	v.scope.SetLimits(QuotaOf(r.cfg.Limits, "the rtmp block"))
	v.mu.Lock()
	if old := v.rules.Swap(r); old != nil && (old.cfg.OnConnect != r.cfg.OnConnect || old.cfg.OnDisconnect != r.cfg.OnDisconnect) {
		v.hooks.Moved()
	}
	var stay, fresh []*Application
	for name, a := range v.apps {
		rules := r.find(name)
		if rules == nil {
			delete(v.apps, name)
			gone = append(gone, a)
			continue
		}
		a.setRules(rules)
		stay = append(stay, a)
	}
	for i := range r.cfg.Applications {
		name := r.cfg.Applications[i].Name
		if name != "*" && v.apps[name] == nil {
			a := newApplication(v, name, r.find(name))
			v.apps[name] = a
			fresh = append(fresh, a)
		}
	}
	v.mu.Unlock()
	v.origin.goes.Go(func() { v.origin.checkFiles(r.cfg) })
	for _, a := range slices.Concat(stay, fresh) {
		named := slices.ContainsFunc(r.cfg.Applications, func(cfg config.Application) bool { return cfg.Name == a.name })
		a.execs.apply(r.cfg.Application(a.name), named)
		a.applyPulls()
	}
	for _, a := range fresh {
		a.startNamedSlates()
		a.reloadPulls()
	}
	for _, a := range stay {
		a.evict()
		a.reloadSlates()
		a.startNamedSlates()
		a.reloadPulls()
		cfg := a.rules.Load().cfg
		a.each(func(st *Stream) { st.outputs.apply(cfg.For(st.name)) })
	}
	return gone
}

// tidy forgets an application that only "*" brought to life, once nobody uses it.
func (v *Service) tidy(a *Application) {
	v.mu.Lock()
	defer v.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.idleLocked() || v.apps[a.name] != a {
		return
	}
	cfg := v.rules.Load().cfg
	for i := range cfg.Applications {
		if cfg.Applications[i].Name == a.name {
			return
		}
	}
	delete(v.apps, a.name)
}

// Application returns the application of that name that is alive, or nil.
func (v *Service) Application(name string) *Application {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.apps[name]
}

// All returns the applications, in no order.
func (v *Service) All() []*Application {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := make([]*Application, 0, len(v.apps))
	for _, a := range v.apps {
		all = append(all, a)
	}
	return all
}
