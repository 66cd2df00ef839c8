package value

import (
	"crypto/tls"
	"fmt"

	"github.com/zclconf/go-cty/cty"
)

// TLSVersion is a version as crypto/tls numbers it: 1.2 or 1.3.
type TLSVersion uint16

// Decode reads "1.2" or "1.3".
func (t *TLSVersion) Decode(v cty.Value, _ Context) error {
	s, err := stringOf(v)
	if err != nil {
		return err
	}
	switch s {
	case "1.2":
		*t = tls.VersionTLS12
	case "1.3":
		*t = tls.VersionTLS13
	default:
		return fmt.Errorf("%q is none of \"1.2\", \"1.3\"", s)
	}
	return nil
}

// Encode is the version as a string.
func (t *TLSVersion) Encode() cty.Value {
	if *t == tls.VersionTLS13 {
		return cty.StringVal("1.3")
	}
	return cty.StringVal("1.2")
}

// Kind is "tls version".
func (t *TLSVersion) Kind() string { return "tls version" }

// Example is the newest version.
func (t *TLSVersion) Example() string { return `"1.3"` }
