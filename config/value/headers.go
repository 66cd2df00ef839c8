package value

import (
	"errors"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// HeaderValue is the value of an HTTP header.
type HeaderValue string

// Decode reads a string.
func (h *HeaderValue) Decode(v cty.Value, _ Context) error {
	s, err := stringOf(v)
	if err == nil {
		err = CheckHeaderValue(s)
	}
	*h = HeaderValue(s)
	return err
}

// Encode is the value.
func (h *HeaderValue) Encode() cty.Value { return encodeString(*h) }

// Kind is "header".
func (h *HeaderValue) Kind() string { return "header" }

// Example is a value of Cache-Control.
func (h *HeaderValue) Example() string { return `"max-age=60"` }

// Headers are HTTP headers that are sent: name to value.
type Headers map[string]string

// Decode reads a map.
func (h *Headers) Decode(v cty.Value, _ Context) error {
	m, err := decodeMap[string](v, CheckHeader)
	*h = m
	return err
}

// Encode is the map.
func (h *Headers) Encode() cty.Value { return encodeMap(*h) }

// Kind is "headers".
func (h *Headers) Kind() string { return "headers" }

// Example is a map of a header.
func (h *Headers) Example() string { return `{ "X-Robots-Tag" = "noindex" }` }

// SecretHeaders are HTTP headers whose values appear in no output.
type SecretHeaders map[string]Secret

// Decode reads a map.
func (h *SecretHeaders) Decode(v cty.Value, _ Context) error {
	m, err := decodeMap[Secret](v, CheckHeader)
	*h = m
	return err
}

// Encode is the map, the values themselves.
func (h *SecretHeaders) Encode() cty.Value { return encodeMap(*h) }

// Kind is "headers".
func (h *SecretHeaders) Kind() string { return "headers" }

// Example is a map of a header.
func (h *SecretHeaders) Example() string { return `{ "Authorization" = "Bearer …" }` }

// CheckHeaderValue returns an error unless s is a field-value of RFC 9110 §5.5: it
// holds no control bytes.
func CheckHeaderValue(s string) error {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return errors.New("this holds a character that can't stand in an HTTP header")
		}
	}
	return nil
}

// IsToken reports whether s is a token (RFC 9110 §5.6.2), as the names of headers
// and methods are.
func IsToken(s string) bool {
	for i := range len(s) {
		if !alphanumeric(s[i]) && strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

// CheckHeader returns an error unless name and s can be sent as a header.
func CheckHeader(name, s string) error {
	if !IsToken(name) {
		return fmt.Errorf("%q is not the name of an HTTP header", name)
	}
	return CheckHeaderValue(s)
}
