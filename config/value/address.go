package value

import (
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Address is where a listener binds.
type Address struct {
	Network string // "tcp" or "unix"
	Host    string // empty: every address of both families
	Port    uint16
	Path    string    // unix socket
	Range   hcl.Range // in the configuration
}

// String is the canonical form: ":1935", "127.0.0.1:1935", "[::1]:1935",
// "unix:/run/x.sock".
func (a Address) String() string {
	if a.Network == "unix" {
		return "unix:" + a.Path
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port)))
}

// ListenNetwork is the network to give net.Listen: "tcp" for both families,
// "tcp4" or "tcp6" for an address of one ("[::]:1935" is IPv6 alone), "unix".
func (a Address) ListenNetwork() string {
	if a.Network == "unix" || a.Host == "" {
		return a.Network
	}
	if strings.Contains(a.Host, ":") {
		return "tcp6"
	}
	return "tcp4"
}

// Overlaps reports whether a and b can't be bound at the same time: the same
// socket, or the same port and one of them takes every address of the other's
// family. Port 0 is a fresh port each time and overlaps nothing.
func (a Address) Overlaps(b Address) bool {
	switch {
	case a.Network != b.Network:
		return false
	case a.Network == "unix":
		return a.Path == b.Path
	case a.Port != b.Port || a.Port == 0:
		return false
	case a.Host == "" || b.Host == "" || a.Host == b.Host:
		return true
	case a.ListenNetwork() != b.ListenNetwork():
		return false
	}
	return wildcard(a.Host) || wildcard(b.Host)
}

func wildcard(host string) bool { return host == "0.0.0.0" || host == "::" }

// ParseAddress reads "1935", ":1935", "127.0.0.1:1935", "[::1]:1935" or
// "unix:/run/x.sock". Errors say what to write instead.
func ParseAddress(s string) (Address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if !filepath.IsAbs(path) {
			return Address{}, fmt.Errorf("%q: a unix socket needs an absolute path, like %q", s, "unix:/run/rtmpd/x.sock")
		}
		return Address{Network: "unix", Path: filepath.Clean(path)}, nil
	}
	host, port, found := "", s, false
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		host, port, found = s[:i], s[i+1:], true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		if err := noPort(s); err != nil {
			return Address{}, err
		}
		return Address{}, fmt.Errorf("%q is not an address: write 1935, \":1935\", \"127.0.0.1:1935\", \"[::1]:1935\" or \"unix:/run/x.sock\"", s)
	}
	a := Address{Network: "tcp", Port: uint16(n)}
	if !found || host == "" {
		return a, nil
	}
	if host == "*" {
		return Address{}, fmt.Errorf("write %q: without a host it is every address of both families", ":"+port)
	}
	bare := host
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		bare = host[1 : len(host)-1]
	}
	ip, err := netip.ParseAddr(bare)
	switch {
	case err != nil && noPort(s) != nil: // "::1", whose last group was taken for a port
		return Address{}, noPort(s)
	case err != nil:
		return Address{}, fmt.Errorf("%q is not an IP address: a listener takes an IP, like \"127.0.0.1:%s\", or \":%s\" for all of them", host, port, port)
	case ip.Is6() && bare == host:
		return Address{}, fmt.Errorf("an IPv6 address stands in brackets: write %q", "["+host+"]:"+port)
	}
	a.Host = ip.String()
	return a, nil
}

// noPort is the error of an IP address alone; nil if s is none.
func noPort(s string) error {
	ip, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return nil
	}
	return fmt.Errorf("%q has no port: write %q", s, net.JoinHostPort(ip.String(), "1935"))
}

// Addresses are where listeners bind; no two of them overlap.
type Addresses []Address

// Decode reads a list, or one address; a number is a port.
func (a *Addresses) Decode(v cty.Value, _ Context) error {
	write := errors.New("write an address like \":1935\", or a list of them")
	list, err := elements(v, true)
	if err != nil {
		return write
	}
	out := make(Addresses, 0, len(list))
	for _, e := range list {
		var s string
		switch {
		case e.IsNull():
			continue
		case e.Type() == cty.String:
			s = e.AsString()
		case e.Type() == cty.Number:
			n, accuracy := e.AsBigFloat().Int64()
			if accuracy != big.Exact || n < 0 || n > 65535 {
				return errors.New("a port is between 0 and 65535")
			}
			s = strconv.FormatInt(n, 10)
		default:
			return write
		}
		addr, err := ParseAddress(s)
		if err != nil {
			return err
		}
		for _, b := range out {
			if addr.Overlaps(b) {
				return fmt.Errorf("%q and %q can't both be listened on: leave one out", b, addr)
			}
		}
		out = append(out, addr)
	}
	*a = out
	return nil
}

// Encode is the list.
func (a *Addresses) Encode() cty.Value { return encodeList(*a, Address.String) }

// Kind is "addresses".
func (a *Addresses) Kind() string { return "addresses" }

// Example is an address of both families.
func (a *Addresses) Example() string { return `":1935"` }

// At returns the addresses with the place in the configuration that errors of
// binding name.
func (a Addresses) At(rng hcl.Range) Addresses {
	out := make(Addresses, len(a))
	for i, addr := range a {
		addr.Range = rng
		out[i] = addr
	}
	return out
}
