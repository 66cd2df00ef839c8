package value

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Environment holds the variables that a command gets in addition; the values
// appear in no output.
type Environment map[string]Secret

// Decode reads a map.
func (e *Environment) Decode(v cty.Value, _ Context) error {
	m, err := decodeMap[Secret](v, func(name, s string) error {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(s, 0) {
			return fmt.Errorf("%q can't be the name of an environment variable", name)
		}
		return nil
	})
	*e = m
	return err
}

// Encode is the map, the values themselves.
func (e *Environment) Encode() cty.Value { return encodeMap(*e) }

// Kind is "map".
func (e *Environment) Kind() string { return "map" }

// Example is a map of a variable.
func (e *Environment) Example() string { return `{ "NAME" = "value" }` }
