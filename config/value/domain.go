package value

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Domains are names that certificates are fetched for.
type Domains []string

// Decode reads a list.
func (d *Domains) Decode(v cty.Value, _ Context) error {
	list, err := decodeList[string](v, false, func(s string) (string, error) { return s, checkDomain(s) })
	*d = list
	return err
}

// Encode is the list.
func (d *Domains) Encode() cty.Value { return encodeList(*d, text[string]) }

// Kind is "domains".
func (d *Domains) Kind() string { return "domains" }

// Example is a list of a name.
func (d *Domains) Example() string { return `["live.example.org"]` }

// checkDomain wants a name that a certificate can be fetched for.
func checkDomain(s string) error {
	if _, rest, ok := strings.Cut(s, "://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		return fmt.Errorf("%q is a URL: write the name alone, %q", s, host)
	}
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return fmt.Errorf("%q is an address: a certificate is for a name", s)
	}
	if host, _, ok := strings.Cut(s, ":"); ok {
		return fmt.Errorf("%q has a port: write the name alone, %q", s, host)
	}
	if strings.HasPrefix(s, "*.") {
		return fmt.Errorf("%q stands for many names: their certificate needs a DNS challenge, which rtmpd does not have; write each name", s)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r > 127 }) {
		return fmt.Errorf("%q is not ASCII: write its DNS form, \"xn--…\"", s)
	}
	bad := fmt.Errorf("%q is not a domain: write a name like \"live.example.org\"", s)
	if len(s) > 253 {
		return bad
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return bad
		}
		if strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
			return bad
		}
	}
	return nil
}
