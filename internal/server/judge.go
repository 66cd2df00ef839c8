package server

import (
	"time"
)

// A sentence is a live session that new rules would refuse, and why.
type sentence struct {
	session *session
	stream  string
	reason  string
}

// verdict says why rules would refuse s the stream it publishes now; empty if
// they would not. Hooks are not asked again.
func (s *session) verdict(rules *appRules, stream string) string {
	s.mu.Lock()
	seen, who := s.seen, s.owner
	s.mu.Unlock()
	switch {
	case !rules.cfg.Live:
		return "live = false for this application now"
	case !rules.cfg.Access.Publish.Allows(s.addr):
		return "access denied: publishing from this address is not allowed any more"
	case !rules.keys.inForce:
		return ""
	}
	name, now, err := rules.identify(seen, s.addr, time.Now())
	switch {
	case err != nil:
		return "the stream key is not valid any more"
	case name != stream:
		return "the stream key belongs to another stream now"
	case now.key != who.key:
		return "the stream key was replaced"
	}
	return ""
}

// condemned lists the publishers that rules would refuse.
func (a *application) condemned(rules *appRules) []sentence {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []sentence
	for name, st := range a.streams {
		if st.publisher == nil {
			continue
		}
		reason := "the application was removed from the configuration"
		if rules != nil {
			reason = st.publisher.verdict(rules, name)
		}
		if reason != "" {
			out = append(out, sentence{st.publisher, name, reason})
		}
	}
	return out
}

// judge closes the sessions that the application's rules refuse by now.
func (a *application) judge() {
	for _, c := range a.condemned(a.rules.Load()) {
		c.session.kick(statusDenied, c.reason)
	}
}
