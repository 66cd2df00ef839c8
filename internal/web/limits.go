package web

import (
	_ "embed"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

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
func (x *exchange) countFor(f segstore.File) {
	a, ok := x.site.deps.Audience.(Accountant)
	if !ok {
		return
	}
	v := viewers.Visit{File: f, Addr: x.client}
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

// The page of who waits for a place. Its style and script have the address of the playlist
// that was asked for, whatever that is to the outside, with a query of their own.
var (
	//go:embed wait.html
	waitPage string
	//go:embed wait.css
	waitStyle string
	//go:embed wait.js
	waitScript string
)

const (
	waitStyleQuery  = "rtmpd-wait.css"
	waitScriptQuery = "rtmpd-wait.js"
	waitPolicy      = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"
)

// serveWaitFile answers a request for a file of the page; false: it is none.
func (x *exchange) serveWaitFile() bool {
	var body, kind string
	switch x.r.URL.RawQuery {
	case waitStyleQuery:
		body, kind = waitStyle, "text/css; charset=utf-8"
	case waitScriptQuery:
		body, kind = waitScript, "text/javascript; charset=utf-8"
	default:
		return false
	}
	h := x.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "max-age=3600")
	h.Set("X-Content-Type-Options", "nosniff")
	x.WriteHeader(http.StatusOK)
	if x.r.Method != http.MethodHead {
		_, _ = x.Write([]byte(body))
	}
	return true
}

// serveWait answers a browser that opened the address of a playlist, for whom there is no
// room, with a page that tries again. It reports whether it was such a browser.
func (x *exchange) serveWait(d *viewers.Denial) bool {
	if x.r.Method != http.MethodGet || !wantsHTML(x.r.Header.Get("Accept")) {
		return false
	}
	h := x.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h["Cache-Control"] = cachePersonal
	h.Set("Content-Security-Policy", waitPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	x.WriteHeader(d.Status)
	_, _ = fmt.Fprintf(x, waitPage, waitStyleQuery, waitScriptQuery, max(d.RetryAfter, 1))
	return true
}

// wantsHTML reports whether a header Accept names HTML, as that of a browser does that
// opens an address.
func wantsHTML(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		kind, _, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(kind), "text/html") {
			return true
		}
	}
	return false
}
