package value

import (
	"errors"
	"net/url"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Target is where a redirection leads: a URL of http or https, or a path of this
// server.
type Target string

// Decode reads a string.
func (t *Target) Decode(v cty.Value, _ Context) error {
	s, err := stringOf(v)
	if err == nil && (!strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//")) {
		err = checkURL(s, "http", "https")
	}
	*t = Target(s)
	return err
}

// Encode is the target.
func (t *Target) Encode() cty.Value { return encodeString(*t) }

// Kind is "target".
func (t *Target) Kind() string { return "target" }

// Example is a path.
func (t *Target) Example() string { return `"/watch/"` }

// StandIn is a path.
func (t *Target) StandIn(n int, c Context) cty.Value { return (*Path)(t).StandIn(n, c) }

// Base is the prefix of file names in a playlist.
type Base string

// Decode reads a string.
func (b *Base) Decode(v cty.Value, _ Context) error {
	s, err := stringOf(v)
	if err != nil {
		return err
	}
	if _, err := url.Parse(s); err != nil || strings.ContainsAny(s, " \t\r\n\"") {
		return errors.New("this stands before a file name in playlists: write \"https://HOST/…/\" or \"/…/\"")
	}
	*b = Base(s)
	return nil
}

// Encode is the base.
func (b *Base) Encode() cty.Value { return encodeString(*b) }

// Kind is "base".
func (b *Base) Kind() string { return "base" }

// Example is the URL of a directory.
func (b *Base) Example() string { return `"https://cdn.example.org/live/"` }
