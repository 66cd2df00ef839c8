package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// Rule is one line of an access list.
type Rule struct {
	Allow  bool
	All    bool
	Prefix netip.Prefix
}

// String is the rule as the config writes it.
func (r Rule) String() string {
	verb, what := "deny ", "all"
	if r.Allow {
		verb = "allow "
	}
	if !r.All {
		what = prefixString(r.Prefix)
	}
	return verb + what
}

// Rules is an ordered access list; the first match wins.
type Rules []Rule

// Allows judges an address; no list lets everyone in. An invalid address (a
// unix socket's) matches only "all". An IPv4-mapped IPv6 address is IPv4.
func (r Rules) Allows(addr netip.Addr) bool {
	if r == nil {
		return true
	}
	addr = addr.Unmap().WithZone("")
	for _, rule := range r {
		if rule.All || addr.IsValid() && rule.Prefix.Contains(addr) {
			return rule.Allow
		}
	}
	return false // a list ends in "all": not reached by a loaded one
}

// parseRule reads "allow 10.0.0.0/8", "deny all", "allow loopback". A group
// makes several rules.
func parseRule(s string) (Rules, error) {
	verb, what, ok := strings.Cut(strings.TrimSpace(s), " ")
	what = strings.TrimSpace(what)
	if !ok || verb != "allow" && verb != "deny" {
		return nil, fmt.Errorf("%q is not a rule: write \"allow 10.0.0.0/8\", \"deny 192.0.2.7\" or \"deny all\"", s)
	}
	if what == "all" {
		return Rules{{Allow: verb == "allow", All: true}}, nil
	}
	prefixes, err := parsePrefixes(what)
	if err != nil {
		return nil, err
	}
	var out Rules
	for _, p := range prefixes {
		out = append(out, Rule{Allow: verb == "allow", Prefix: p})
	}
	return out, nil
}

// parsePrefixes reads a CIDR, an address, "loopback" or "private".
func parsePrefixes(s string) ([]netip.Prefix, error) {
	group := func(cidrs ...string) ([]netip.Prefix, error) {
		var out []netip.Prefix
		for _, c := range cidrs {
			out = append(out, netip.MustParsePrefix(c))
		}
		return out, nil
	}
	switch s {
	case "loopback":
		return group("127.0.0.0/8", "::1/128")
	case "private": // RFC 1918, RFC 6598, RFC 4193, link-local
		return group("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10")
	}
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return []netip.Prefix{netip.PrefixFrom(addr, addr.BitLen())}, nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is not a network: write \"10.0.0.0/8\", \"192.0.2.7\", \"loopback\" or \"private\"", s)
	case p.Addr().Is4In6():
		return nil, fmt.Errorf("%q: write the IPv4 network itself", s)
	case p != p.Masked():
		return nil, fmt.Errorf("%q has bits set outside its mask: write %q", s, p.Masked())
	}
	return []netip.Prefix{p}, nil
}

func prefixString(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// Patterns selects stream names: * and ?, a leading ! excludes.
type Patterns []string

// Match says whether the patterns select name: some pattern without ! does (or
// there is none), and no pattern with ! does. Order does not matter. A pattern
// that matches what stands before the first + matches the wildcard stream too.
func (p Patterns) Match(name string) bool {
	wanted, found := false, false
	for _, pattern := range p {
		if not, ok := strings.CutPrefix(pattern, "!"); ok {
			if matches(not, name) {
				return false
			}
			continue
		}
		wanted = true
		found = found || matches(pattern, name)
	}
	return found || !wanted
}

// matches says whether one pattern selects name, or its base ("foo" of "foo+bar").
func matches(pattern, name string) bool {
	if glob(pattern, name) {
		return true
	}
	base, _, wild := strings.Cut(name, "+")
	return wild && glob(pattern, base)
}

// glob matches * (any bytes) and ? (one byte of a name) in time bounded by
// len(pattern) × len(name): it goes back to the last star only.
func glob(pattern, name string) bool {
	p, n, star, mark := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
