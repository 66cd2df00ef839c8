package web

import (
	"net/netip"
	"slices"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/quota"
	"github.com/rtmpd/rtmpd/internal/segstore"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// An Accountant is an Audience that has limits on what is sent. Its methods cost a load
// where there are none.
type Accountant interface {
	// Whole is where all that is sent to an address counts; nil: nowhere.
	Whole(addr netip.Addr) *quota.Scope
	// Scope is where what is sent of v.File counts as well; nil: nowhere.
	Scope(v viewers.Visit) *quota.Scope
}

// siteLimits is the limits block of a Site.
type siteLimits struct {
	scope *quota.Scope
	local []netip.Prefix
}

// newSiteLimits takes over the Scope of the Site before, if there was one: its viewers are
// still there.
func newSiteLimits(l *config.Limits, t *Traffic) *siteLimits {
	if l == nil {
		return nil
	}
	return &siteLimits{scope: &t.scope, local: l.Local}
}

func (l *siteLimits) callsLocal(addr netip.Addr) bool {
	return slices.ContainsFunc(l.local, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// An account is where what an exchange sends counts.
type account struct {
	scopes [3]*quota.Scope // of the http block, the server, the application; nil: not there
	from   netip.Prefix
	open   bool // a scope is not nil
}

func (a *account) add(n int64) {
	if !a.open {
		return
	}
	for _, s := range a.scopes {
		s.Add(a.from, n)
	}
}

func (a *account) set(i int, s *quota.Scope) {
	if s != nil {
		a.scopes[i], a.open = s, true
	}
}

// openAccount finds where all that is sent to the client counts.
func (x *exchange) openAccount() {
	if l := x.site.limits; l != nil && !l.callsLocal(x.client) {
		x.account.set(0, l.scope)
	}
	if a, ok := x.site.deps.Audience.(Accountant); ok {
		x.account.set(1, a.Whole(x.client))
	}
	if x.account.open {
		x.account.from = listen.SourceOf(x.client)
	}
}

// countFor adds the application of a live file to the account.
func (x *exchange) countFor(f *segstore.File) {
	a, ok := x.site.deps.Audience.(Accountant)
	if !ok {
		return
	}
	v := viewers.Visit{File: *f, Addr: x.client}
	_, v.Local = x.door()
	if s := a.Scope(v); s != nil {
		x.account.set(2, s)
		x.account.from = listen.SourceOf(x.client)
	}
}

// door is the Scope of the http block, in which a viewer takes a place, and whether the
// block calls the client local.
func (x *exchange) door() (s *quota.Scope, local bool) {
	l := x.site.limits
	switch {
	case l == nil:
		return nil, false
	case l.callsLocal(x.client):
		return nil, true
	}
	return l.scope, false
}
