package value

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Word is one of the strings that the attribute names.
type Word string

// Decode reads one of c.One.
func (w *Word) Decode(v cty.Value, c Context) error {
	s, err := stringOf(v)
	if err == nil {
		err = CheckWord(s, c.One)
	}
	*w = Word(s)
	return err
}

// Encode is the word.
func (w *Word) Encode() cty.Value { return encodeString(*w) }

// Kind is "word".
func (w *Word) Kind() string { return "word" }

// Example is not needed: the words are the examples.
func (w *Word) Example() string { return `"…"` }

// CheckWord wants s to be one of the words.
func CheckWord(s string, words []string) error {
	if slices.Contains(words, s) {
		return nil
	}
	hint := Nearest(s, words)
	if hint != "" {
		hint = fmt.Sprintf(" (did you mean %q?)", hint)
	}
	return fmt.Errorf("%q is none of \"%s\"%s", s, strings.Join(words, "\", \""), hint)
}

// Words is a list of some of the strings that the attribute names, none twice.
type Words []string

// Decode reads a list of c.One.
func (w *Words) Decode(v cty.Value, c Context) error {
	var out []string
	_, err := decodeList[string](v, false, func(s string) (string, error) {
		if err := CheckWord(s, c.One); err != nil {
			return s, err
		}
		if slices.Contains(out, s) {
			return s, fmt.Errorf("%q stands here twice", s)
		}
		out = append(out, s)
		return s, nil
	})
	if out == nil {
		out = []string{}
	}
	*w = out
	return err
}

// Encode is the list.
func (w *Words) Encode() cty.Value { return encodeList(*w, text[string]) }

// Kind is "words".
func (w *Words) Kind() string { return "words" }

// Example is not needed: the words are the examples.
func (w *Words) Example() string { return `["…"]` }
