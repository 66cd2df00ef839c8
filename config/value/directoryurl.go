package value

import (
	"errors"
	"net/netip"
	"net/url"

	"github.com/zclconf/go-cty/cty"
)

// DirectoryURL is the URL of an ACME directory.
type DirectoryURL string

// Decode reads a string.
func (u *DirectoryURL) Decode(v cty.Value, _ Context) error {
	s, err := stringOf(v)
	if err == nil {
		err = checkDirectory(s)
	}
	*u = DirectoryURL(s)
	return err
}

// Encode is the URL.
func (u *DirectoryURL) Encode() cty.Value { return encodeString(*u) }

// Kind is "directory url".
func (u *DirectoryURL) Kind() string { return "directory url" }

// Example is the directory of Let's Encrypt.
func (u *DirectoryURL) Example() string { return `"https://acme-v02.api.letsencrypt.org/directory"` }

// StandIn is a URL.
func (u *DirectoryURL) StandIn(n int, _ Context) cty.Value { return hiddenURL("https", n, "") }

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
