package origin

import "time"

// An Eviction is a live publisher or player that new rules refuse, and why.
type Eviction struct {
	Role   string // publisher or player
	App    string
	Stream string
	Peer   string // address and port
	Reason string

	kick func(Reason)
}

// WhyAppGone is what everybody in an application hears that a reload removes.
const WhyAppGone = "the application was removed from the configuration"

const whyNotLive = "live = false for this application now"

// refusedBy says why rules refuse p what it publishes; empty if they do not.
// Hooks are not asked again.
func (p *Publication) refusedBy(rules *appRules, _ string) string {
	addr := p.owner.addr
	switch {
	case !rules.cfg.Live:
		return whyNotLive
	case p.pulled:
		return ""
	case !rules.cfg.Access.Publish.Allows(addr):
		return "access denied: publishing from this address is not allowed any more"
	case !rules.keys.inForce:
		return ""
	}
	name, now, err := rules.identify(p.seen, addr, time.Now())
	switch {
	case err != nil:
		return "the stream key is not valid any more"
	case name != p.keyName: // the name may be another, if a hook said so
		return "the stream key belongs to another stream now"
	case now.key != p.owner.key:
		return "the stream key was replaced"
	}
	return ""
}

// refusedBy says why rules refuse the player the stream name; empty if they do
// not.
func (p *Playing) refusedBy(rules *appRules, name string) string {
	if why := p.noAccess(rules, name); why != "" {
		return why
	}
	return p.tokenRefusedBy(rules)
}

// noAccess is refusedBy for a stream that an operator has chosen, which takes no token.
func (p *Playing) noAccess(rules *appRules, name string) string {
	switch {
	case p.file != nil && rules.cfg.VOD == nil:
		return whyNoVOD
	case p.file == nil && !rules.cfg.For(name).Live:
		return whyNotLive
	case !rules.cfg.For(name).Access.Play.Allows(p.addr):
		return "access denied: playing from this address is not allowed any more"
	}
	return ""
}

// evictions lists the publishers and players that rules refuse; nil is the rules
// of an application that is gone.
func (a *Application) evictions(rules *appRules) []Eviction {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []Eviction
	add := func(role, name string, refusedBy func(*appRules, string) string, who interface{ Describe() Description }, kick func(Reason)) {
		reason := WhyAppGone
		if rules != nil {
			reason = refusedBy(rules, name)
		}
		if reason != "" {
			out = append(out, Eviction{role, a.name, name, who.Describe().Peer, reason, kick})
		}
	}
	for name, st := range a.streams {
		for _, p := range st.publications() {
			add("publisher", name, p.refusedBy, p.publisher, p.evict)
		}
	}
	for name, set := range a.players {
		for p := range set.members {
			add("player", name, p.refusedBy, p.player, p.player.Kick)
		}
	}
	for _, set := range a.files {
		for p := range set.members {
			add("player", p.name, p.refusedBy, p.player, p.player.Kick)
		}
	}
	return out
}

// evict kicks the publishers and players that the application's rules refuse by
// now.
func (a *Application) evict() {
	for _, e := range a.evictions(a.rules.Load()) {
		e.kick(Reason{RuleDenied, e.Reason})
	}
}
