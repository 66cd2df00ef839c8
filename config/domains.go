package config

import (
	"slices"

	"github.com/rtmpd/rtmpd/config/value"
)

// asked notes whether an http block listens where an authority asks whether a
// domain is ours: HTTP-01 at port 80, TLS-ALPN-01 at port 443.
func (c *checker) asked(h *HTTP) {
	at := func(list value.Addresses, port uint16) bool {
		return slices.ContainsFunc(list, func(a value.Address) bool { return a.Network != "unix" && a.Port == port })
	}
	c.answers = c.answers || at(h.Listen, 80) || h.TLS != nil && at(h.TLS.Listen, 443)
}

// fetched checks what tls.domains need of the rest of the configuration.
func (c *checker) fetched(root *node) {
	for _, at := range c.acme {
		if !c.answers && !c.broken {
			c.errorAt(at, "domains need an http listener on port 80 or 443", "the authority asks there whether the domain is yours: write listen = \":80\" in an http block, or listen = \":443\" in its tls block")
		}
	}
	if n := root.one("acme"); n != nil && len(n.attrs) > 0 && len(c.acme) == 0 && !c.broken && !c.diags.HasErrors() {
		c.warnAt(n.rng, "acme is used by no tls block", "write domains = [\"…\"] in a tls block")
	}
}
