package value

import (
	"errors"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Text is any string without NUL bytes.
type Text string

// Decode reads a string.
func (t *Text) Decode(v cty.Value, _ Context) error {
	s, err := stringOf(v)
	if err == nil && strings.ContainsRune(s, 0) {
		err = errors.New("this holds a NUL byte")
	}
	*t = Text(s)
	return err
}

// Encode is the string.
func (t *Text) Encode() cty.Value { return encodeString(*t) }

// Kind is "string".
func (t *Text) Kind() string { return "string" }

// Example is a string.
func (t *Text) Example() string { return `"…"` }

// List is a list of strings, none of them empty.
type List []string

// Decode reads a list.
func (l *List) Decode(v cty.Value, _ Context) error {
	list, err := decodeList[string](v, false, func(s string) (string, error) {
		if s == "" {
			return s, errors.New("this list holds an empty string")
		}
		return s, nil
	})
	*l = list
	return err
}

// Encode is the list.
func (l *List) Encode() cty.Value { return encodeList(*l, text[string]) }

// Kind is "list".
func (l *List) Kind() string { return "list" }

// Example is a list.
func (l *List) Example() string { return `["…"]` }
