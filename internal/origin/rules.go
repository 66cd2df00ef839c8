package origin

import (
	"fmt"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/hooks"
)

// A MadeKey is a stream key that AcquireRules made, because its block states none.
type MadeKey struct {
	file string // in the state directory
	line string
}

// String is the line that the console shows once.
func (k MadeKey) String() string { return k.line }

// AcquireRules resolves the keys of the i-th rtmp block. Those that it makes are
// appended to made, also where it fails.
func AcquireRules(cfg *config.Config, i int, made *[]MadeKey) (*Rules, error) {
	keepTokens := func(app string) (string, error) { return keepTokenKey(string(cfg.StateDir), app) }
	return newRules(cfg, i, keepTokens, func(app, holder string) (string, error) {
		secret, fresh, err := keepKey(string(cfg.StateDir), app, holder)
		if fresh {
			*made = append(*made, MadeKey{
				file: keyFile(app, holder),
				line: fmt.Sprintf("stream key of %q in application %q, made just now: %s", holder, app, secret),
			})
		}
		return secret, err
	})
}

// PlanRules resolves keys as AcquireRules does, without making any: a key that is
// not made yet fits nobody.
func PlanRules(cfg *config.Config, i int) *Rules {
	keptTokens := func(app string) (string, error) {
		secret, err := keptSecret(string(cfg.StateDir), tokenKeyFile(app))
		if err != nil {
			secret = NewKey()
		}
		return secret, nil
	}
	rules, _ := newRules(cfg, i, keptTokens, func(app, holder string) (string, error) {
		secret, err := KeptKey(string(cfg.StateDir), app, holder)
		if err != nil {
			secret = NewKey()
		}
		return secret, nil
	})
	return rules
}

// newRules resolves the keys of the i-th block; tokenKey and generated give those that were
// made.
func newRules(cfg *config.Config, i int, tokenKey func(app string) (string, error), generated func(app, holder string) (string, error)) (*Rules, error) {
	b := &cfg.RTMP[i]
	rules := &Rules{cfg: b, keys: make(map[string]*keyring), tokens: make(map[string]map[*config.Tokens]*tokenRules), triggers: cfg.Triggers}
	for i := range b.Applications {
		app := &b.Applications[i]
		ring, err := newKeyring(app, generated)
		if err != nil {
			return nil, fmt.Errorf("application %q: %w", app.Name, err)
		}
		rules.keys[app.Name] = ring
		if rules.tokens[app.Name], err = newTokenRules(app, tokenKey); err != nil {
			return nil, fmt.Errorf("application %q: tokens: %w", app.Name, err)
		}
		rules.shut = append(rules.shut, hooks.NewTriggers(app.Name, cfg.Triggers, app.Triggers))
	}
	return rules, nil
}

// Evictions lists the publishers and players that rules would refuse; nil: all of
// them.
func (v *Service) Evictions(rules *Rules) []Eviction {
	var out []Eviction
	for _, a := range v.All() {
		var r *appRules
		if rules != nil {
			r = rules.find(a.name)
		}
		out = append(out, a.evictions(r)...)
	}
	return out
}

// Remove ends the streams and the HTTP viewers of an application that is gone.
func (og *Origin) Remove(a *Application) {
	a.remove()
	og.audience.leave(a)
}

// setRules swaps an application's rules. Verdicts on its viewers are forgotten if
// what gave them changes; rules and epoch are one, so that no answer of the hook
// before counts as the new one's.
func (a *Application) setRules(rules *appRules) {
	old := a.rules.Load()
	switch {
	case old == nil:
		rules.asked = asked{epoch: a.origin.epochs.Add(1)}
	case old.cfg.Hooks.OnPlay == rules.cfg.Hooks.OnPlay && old.cfg.Hooks.OnPlayHTTP == rules.cfg.Hooks.OnPlayHTTP && sameTokens(old.cfg, rules.cfg) && old.triggers.Equal(rules.triggers):
		rules.asked = old.asked
	default:
		rules.asked = asked{epoch: a.origin.epochs.Add(1), since: time.Now(), open: !old.guards()}
	}
	if old != nil && (old.cfg.Hooks != rules.cfg.Hooks || !old.triggers.Equal(rules.triggers)) {
		a.hooks.Moved()
	}
	a.scope.SetLimits(QuotaOf(rules.cfg.Limits, fmt.Sprintf("application %q", a.name)))
	a.rules.Store(rules)
}
