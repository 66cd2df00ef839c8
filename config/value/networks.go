package value

import (
	"fmt"
	"net/netip"

	"github.com/zclconf/go-cty/cty"
)

// Networks are IP networks. A configuration may also say an address, "loopback"
// or "private".
type Networks []netip.Prefix

// Decode reads a list.
func (n *Networks) Decode(v cty.Value, _ Context) error {
	list, err := stringsOf(v, false)
	if err != nil {
		return err
	}
	out := Networks{}
	for _, s := range list {
		p, err := parsePrefixes(s)
		if err != nil {
			return err
		}
		out = append(out, p...)
	}
	*n = out
	return nil
}

// Encode is the list.
func (n *Networks) Encode() cty.Value { return encodeList(*n, prefixString) }

// Kind is "cidrs".
func (n *Networks) Kind() string { return "cidrs" }

// Example is a list of a group and a network.
func (n *Networks) Example() string { return `["loopback", "10.0.0.0/8"]` }

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
