package value

import (
	"errors"
	"fmt"
	"net/mail"

	"github.com/zclconf/go-cty/cty"
)

// Email is an e-mail address without a name in front of it.
type Email string

// Decode reads a string.
func (e *Email) Decode(v cty.Value, _ Context) error {
	s, err := stringOf(v)
	if err != nil {
		return err
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s {
		return errors.New("this is an e-mail address: write \"you@example.org\"")
	}
	*e = Email(s)
	return nil
}

// Encode is the address.
func (e *Email) Encode() cty.Value { return encodeString(*e) }

// Kind is "email".
func (e *Email) Kind() string { return "email" }

// Example is an address.
func (e *Email) Example() string { return `"you@example.org"` }

// StandIn is an address that belongs to no one.
func (e *Email) StandIn(n int, _ Context) cty.Value {
	return cty.StringVal(fmt.Sprintf("hidden-%d@hidden.example", n))
}
