package value

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Passwords maps the users of basic_auth to bcrypt hashes.
type Passwords map[string]Secret

var bcryptForm = regexp.MustCompile(`^\$2[abxy]\$(0[4-9]|1[0-9])\$[./A-Za-z0-9]{53}$`)

// Decode reads a map.
func (p *Passwords) Decode(v cty.Value, _ Context) error {
	m, err := decodeMap[Secret](v, func(name, s string) error {
		switch {
		case name == "" || strings.ContainsRune(name, ':'):
			return fmt.Errorf("%q is not a user: it is not empty and holds no colon", name)
		case !bcryptForm.MatchString(s):
			return errors.New("a password stands here as its bcrypt hash: htpasswd -nbB USER PASSWORD prints it")
		}
		return nil
	})
	*p = m
	return err
}

// Encode is the map, the hashes themselves.
func (p *Passwords) Encode() cty.Value { return encodeMap(*p) }

// Kind is "bcrypt".
func (p *Passwords) Kind() string { return "bcrypt" }

// Example is a map of a user.
func (p *Passwords) Example() string {
	return `{ "admin" = "$2y$10$XpRriRD3NALvlJeWDdrlR.JdZdkbB67OWfFqrZfUC8xI/iWndibki" }`
}

// StandIn is a hash of the right form.
func (p *Passwords) StandIn(n int, _ Context) cty.Value {
	return cty.StringVal("$2y$10$" + strings.Repeat(".", 46) + fmt.Sprintf("%07d", n))
}
