package value

import (
	"fmt"
	"net/url"

	"github.com/zclconf/go-cty/cty"
)

// Origins are serialized origins (RFC 6454 §6.2), "null", or "*".
type Origins []string

// Decode reads a list.
func (o *Origins) Decode(v cty.Value, _ Context) error {
	list, err := decodeList[string](v, false, func(s string) (string, error) { return s, checkOrigin(s) })
	*o = list
	return err
}

// Encode is the list.
func (o *Origins) Encode() cty.Value { return encodeList(*o, text[string]) }

// Kind is "origins".
func (o *Origins) Kind() string { return "origins" }

// Example is a list of an origin.
func (o *Origins) Example() string { return `["https://forum.example.org"]` }

// StandIn is an origin.
func (o *Origins) StandIn(n int, _ Context) cty.Value { return hiddenURL("http", n, "") }

func checkOrigin(s string) error {
	if s == "*" || s == "null" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || s != u.Scheme+"://"+u.Host {
		return fmt.Errorf("%q is not an origin: write \"https://HOST\" (no path), or \"*\"", s)
	}
	return nil
}
