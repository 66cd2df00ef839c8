package value

import (
	"errors"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Switch is a bool: true or false.
type Switch bool

// Decode reads true or false.
func (b *Switch) Decode(v cty.Value, _ Context) error {
	if v.Type() == cty.Bool {
		*b = Switch(v.True())
		return nil
	}
	if v.Type() == cty.String {
		switch strings.ToLower(v.AsString()) {
		case "on", "yes", "true", "1":
			return errors.New("write true, without quotes")
		case "off", "no", "false", "0":
			return errors.New("write false, without quotes")
		}
	}
	return errors.New("this is a switch: write true or false")
}

// Encode is true or false.
func (b *Switch) Encode() cty.Value { return cty.BoolVal(bool(*b)) }

// Kind is "bool".
func (b *Switch) Kind() string { return "bool" }

// Example is true.
func (b *Switch) Example() string { return "true" }
