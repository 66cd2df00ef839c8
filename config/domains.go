package config

import (
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

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

// checkEmail wants an address without a name in front of it.
func checkEmail(s string) error {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s {
		return errors.New("this is an e-mail address: write \"you@example.org\"")
	}
	return nil
}

// checkDirectory wants the URL of an ACME directory. RFC 8555 §6.1: https. One on
// this machine or network, under test, may do without.
func checkDirectory(s string) error {
	if err := checkURL(s, "https", "http"); err != nil {
		return err
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "https" || u.Hostname() == "localhost" {
		return err
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && (a.IsLoopback() || a.IsPrivate()) {
		return nil
	}
	return errors.New("accounts and orders go there: write \"https://…\"")
}

// asked notes whether an http block listens where an authority asks whether a
// domain is ours: HTTP-01 at port 80, TLS-ALPN-01 at port 443.
func (c *checker) asked(h *HTTP) {
	at := func(list []Address, port uint16) bool {
		return slices.ContainsFunc(list, func(a Address) bool { return a.Network != "unix" && a.Port == port })
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
