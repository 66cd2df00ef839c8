package value

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// SHA256 is the hash of a secret: 32 bytes; nil: none.
type SHA256 []byte

// Decode reads 64 hex digits, with or without "sha256:" before them.
func (h *SHA256) Decode(v cty.Value, _ Context) error {
	s, err := stringOf(v)
	if err != nil {
		return err
	}
	b, err := ParseSHA256(s)
	*h = b
	return err
}

// Encode is the hash in hex digits.
func (h *SHA256) Encode() cty.Value {
	if *h == nil {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(hex.EncodeToString(*h))
}

// Kind is "sha256".
func (h *SHA256) Kind() string { return "sha256" }

// Example is a hash.
func (h *SHA256) Example() string {
	return `"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
}

// StandIn is a hash of nothing.
func (h *SHA256) StandIn(n int, _ Context) cty.Value { return cty.StringVal(fmt.Sprintf("%064x", n)) }

// ParseSHA256 reads a hash. The error does not show it.
func ParseSHA256(s string) (SHA256, error) {
	b, err := hex.DecodeString(strings.TrimPrefix(s, "sha256:"))
	if err != nil || len(b) != sha256.Size {
		return nil, errors.New("this is the SHA-256 of a secret, 64 hex digits: rtmpd key hash prints it")
	}
	return b, nil
}
