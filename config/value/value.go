// Package value holds the values that a configuration is made of: one type a
// file. Each reads itself from the HCL value, writes itself as a configuration
// would, and describes itself in an error: what it is and how it is written.
//
// Plain Go types have a language as well: see Of.
package value

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// A Value is the value of an attribute. The methods belong to the pointer of a
// type of this package.
type Value interface {
	// Decode sets the value from v, which is known, unmarked and not null. The
	// error says what to write instead.
	Decode(v cty.Value, c Context) error
	// Encode is the value as a configuration would write it: the inverse of
	// Decode. A nil list or map, an empty string and a zero time are null.
	Encode() cty.Value
	// Kind names the language: "size". The schema and the reference show it.
	Kind() string
	// Example is a value as a configuration would write it.
	Example() string
}

// A Masker is a Value whose stand-in for a secret is not any string: it must
// pass the checks that the secret has passed. No two n give the same.
type Masker interface {
	StandIn(n int, c Context) cty.Value
}

// Context holds what reading a value may depend on: its place, and what the
// attribute allows.
type Context struct {
	Dir  string   // of the file: relative paths start there
	One  []string // the words that a string, or a string of a list, may be; nil: any string
	Off  bool     // a duration or size takes "off" and 0
	Vars string   // the placeholders that the attribute expands, separated by spaces
}

const (
	// MaxString is the length of the longest string in bytes; URLs and commands are shorter.
	MaxString = 4096
	maxList   = 10000 // elements of one list or map
)

// Of returns the language of *p: that of its type, if the type is one of this
// package, else that of a plain Go type. nil: there is none.
func Of(p any, c Context) Value {
	switch p := p.(type) {
	case Value:
		return p
	case *bool:
		return (*Switch)(p)
	case *int:
		return (*Count)(p)
	case *float64:
		return (*Number)(p)
	case *time.Duration:
		return (*Duration)(p)
	case *time.Time:
		return (*Time)(p)
	case *string:
		if c.One != nil {
			return (*Word)(p)
		}
		return (*Text)(p)
	case *[]string:
		if c.One != nil {
			return (*Words)(p)
		}
		return (*List)(p)
	}
	return nil
}

// Describe returns what v takes, for an error that must not show the value.
func Describe(v Value, name string) string {
	switch v.(type) {
	case *Switch:
		return "true or false"
	case *Networks:
		return "a list of networks"
	case *Text, *Secret:
		return "a string that fits here"
	}
	return "what " + name + " takes (" + v.Kind() + ")"
}

// Show is v for a person.
func Show(v Value) string {
	if s, ok := v.(*Size); ok {
		return s.String()
	}
	return ShowCty(v.Encode())
}

// ShowCty is v as a configuration would write it, on one line.
func ShowCty(v cty.Value) string {
	switch {
	case v.IsNull():
		return "null"
	case v.Type() == cty.String:
		return strconv.Quote(v.AsString())
	case v.Type() == cty.Number:
		return v.AsBigFloat().Text('f', -1)
	case v.Type() == cty.Bool:
		return strconv.FormatBool(v.True())
	case v.Type().IsTupleType():
		var out []string
		for _, e := range v.AsValueSlice() {
			out = append(out, ShowCty(e))
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	var out []string
	for it := v.ElementIterator(); it.Next(); { // sorted by name
		k, e := it.Element()
		out = append(out, k.AsString()+" = "+ShowCty(e))
	}
	return "{ " + strings.Join(out, ", ") + " }"
}

// Strings are the strings that v holds as they were written: those that could
// be a secret. Numbers, durations and the like hold none.
func Strings(v any) []string {
	r := reflect.ValueOf(v)
	switch {
	case r.Kind() == reflect.String:
		return []string{r.String()}
	case r.Kind() == reflect.Slice && r.Type().Elem().Kind() == reflect.String:
		out := make([]string, r.Len())
		for i := range out {
			out[i] = r.Index(i).String()
		}
		return out
	}
	return nil
}

// stringOf reads one string.
func stringOf(v cty.Value) (string, error) {
	if v.Type() == cty.String {
		if len(v.AsString()) > MaxString {
			return "", fmt.Errorf("this is longer than %d bytes", MaxString)
		}
		return v.AsString(), nil
	}
	if s, err := convert.Convert(v, cty.String); err == nil && s.IsKnown() && !s.IsNull() {
		return "", fmt.Errorf("this is a string: write %q", s.AsString())
	}
	return "", errors.New("this is a string: write \"…\"")
}

// encodeString is s, or null if it is empty.
func encodeString[T ~string](s T) cty.Value {
	if s == "" {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(string(s))
}

// elements returns what a list holds. One string or number alone is a list of it
// where the attribute takes "or list" (alone).
func elements(v cty.Value, alone bool) ([]cty.Value, error) {
	t := v.Type()
	switch {
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		if v.LengthInt() > maxList {
			return nil, fmt.Errorf("this list has more than %d elements", maxList)
		}
		return v.AsValueSlice(), nil
	case alone && (t == cty.String || t == cty.Number):
		return []cty.Value{v}, nil
	case t == cty.String:
		return nil, fmt.Errorf("this is a list: write [%q]", v.AsString())
	}
	return nil, errors.New("this is a list: write [\"…\", \"…\"]")
}

func stringsOf(v cty.Value, alone bool) ([]string, error) {
	list, err := elements(v, alone)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(list))
	for _, e := range list {
		if e.IsNull() {
			continue
		}
		if e.Type() != cty.String {
			return nil, errors.New("this is a list of strings: write [\"…\", \"…\"]")
		}
		if len(e.AsString()) > MaxString {
			return nil, fmt.Errorf("this is longer than %d bytes", MaxString)
		}
		out = append(out, e.AsString())
	}
	return out, nil
}

// decodeList reads a list of strings, each of which check returns as it is kept.
func decodeList[T ~string](v cty.Value, alone bool, check func(s string) (string, error)) ([]T, error) {
	list, err := stringsOf(v, alone)
	if err != nil {
		return nil, err
	}
	out := make([]T, len(list))
	for i, s := range list {
		kept, err := check(s)
		if err != nil {
			return nil, err
		}
		out[i] = T(kept)
	}
	return out, nil
}

func encodeList[T any](v []T, text func(T) string) cty.Value {
	if v == nil {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	out := make([]cty.Value, len(v))
	for i, e := range v {
		out[i] = cty.StringVal(text(e))
	}
	return cty.TupleVal(out)
}

// text is how a list of strings writes one of them.
func text[T ~string](s T) string { return string(s) }

// absolute makes a path absolute: relative ones start at the file.
func (c Context) absolute(path string) (string, error) {
	switch {
	case path == "":
		return "", errors.New("the path is empty")
	case strings.ContainsRune(path, 0):
		return "", errors.New("the path holds a NUL byte")
	case strings.HasPrefix(path, "~"):
		return "", errors.New("~ is not expanded: write the whole path")
	case filepath.IsAbs(path):
		return filepath.Clean(path), nil
	}
	return filepath.Join(c.Dir, path), nil
}
