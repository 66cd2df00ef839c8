package server

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A sentence is a live session that new rules would refuse, and why.
type sentence struct {
	session *session
	role    string // publisher or player
	stream  string
	reason  string
}

// code is what the session is told beside the reason.
func (c *sentence) code() string {
	if c.role == "player" {
		return rtmp.StatusPlayFailed
	}
	return statusDenied
}

const (
	whyAppGone = "the application was removed from the configuration"
	whyNotLive = "live = false for this application now"
)

// verdict says why rules would refuse s what it publishes now; empty if
// they would not. Hooks are not asked again.
func (s *session) verdict(rules *appRules, _ string) string {
	s.mu.Lock()
	seen, who, keyName := s.seen, s.owner, s.keyName
	s.mu.Unlock()
	switch {
	case !rules.cfg.Live:
		return whyNotLive
	case !rules.cfg.Access.Publish.Allows(s.addr):
		return "access denied: publishing from this address is not allowed any more"
	case !rules.keys.inForce:
		return ""
	}
	name, now, err := rules.identify(seen, s.addr, time.Now())
	switch {
	case err != nil:
		return "the stream key is not valid any more"
	case name != keyName: // the name may be another, if a hook said so
		return "the stream key belongs to another stream now"
	case now.key != who.key:
		return "the stream key was replaced"
	}
	return ""
}

// playVerdict is verdict for a player of stream.
func (s *session) playVerdict(rules *appRules, stream string) string {
	switch {
	case !rules.cfg.For(stream).Live:
		return whyNotLive
	case !rules.cfg.For(stream).Access.Play.Allows(s.addr):
		return "access denied: playing from this address is not allowed any more"
	}
	return ""
}

// condemned lists the publishers and players that rules would refuse; nil is
// the rules of an application that is gone.
func (a *application) condemned(rules *appRules) []sentence {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []sentence
	judge := func(s *session, role, name string, verdict func(*appRules, string) string) {
		reason := whyAppGone
		if rules != nil {
			reason = verdict(rules, name)
		}
		if reason != "" {
			out = append(out, sentence{s, role, name, reason})
		}
	}
	for name, st := range a.streams {
		if p := st.publisher; p != nil {
			judge(p, "publisher", name, p.verdict)
		}
	}
	for name, h := range a.houses {
		for pl := range h.players {
			judge(pl.session, "player", name, pl.session.playVerdict)
		}
	}
	return out
}

// judge closes the sessions that the application's rules refuse by now.
func (a *application) judge() {
	for _, c := range a.condemned(a.rules.Load()) {
		c.session.condemned.Store(true)
		c.session.kick(c.code(), c.reason)
	}
}
