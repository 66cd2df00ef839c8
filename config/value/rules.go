package value

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/zclconf/go-cty/cty"
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

// Decode reads a list that decides about everyone.
func (r *Rules) Decode(v cty.Value, _ Context) error {
	list, err := stringsOf(v, false)
	if err != nil {
		return errors.New("access rules are a list: write [\"allow 10.0.0.0/8\", \"deny all\"]")
	}
	out := Rules{}
	for i, s := range list {
		rules, err := parseRule(s)
		if err != nil {
			return err
		}
		if rules[0].All && i < len(list)-1 {
			return fmt.Errorf("%q decides for everyone: nothing after it is ever asked", s)
		}
		out = append(out, rules...)
	}
	if len(out) == 0 || !out[len(out)-1].All {
		return errors.New("this list lets in everyone it does not name; end it with \"deny all\"")
	}
	*r = out
	return nil
}

// Encode is the list.
func (r *Rules) Encode() cty.Value { return encodeList(*r, Rule.String) }

// Kind is "rules".
func (r *Rules) Kind() string { return "rules" }

// Example is a list that lets one network in.
func (r *Rules) Example() string { return `["allow 10.0.0.0/8", "deny all"]` }
