package api

import (
	"net/netip"
	"slices"
)

// A Caller is who calls an api location, once it has been let in.
type Caller struct {
	Path    string   // of the request, below the location: "", "/ws", "/v1/streams"
	Name    string   // of the token or the user; empty: it was let in by its address, or the location's token
	Scopes  []string // what it may do
	Address netip.Addr
	Ending  <-chan struct{} // closed when the site ends, and its WebSockets with it
}

// May reports whether the caller has a scope.
func (c *Caller) May(scope string) bool { return slices.Contains(c.Scopes, scope) }
