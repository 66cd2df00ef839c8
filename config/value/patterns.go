package value

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Patterns selects stream names: * and ?, a leading ! excludes.
type Patterns []string

// Match reports whether the patterns select name: some pattern without ! does (or
// there is none), and no pattern with ! does. Order does not matter. A pattern
// that matches the part before the first + matches the wildcard stream too.
func (p Patterns) Match(name string) bool {
	wanted, found := false, false
	for _, pattern := range p {
		if not, ok := strings.CutPrefix(pattern, "!"); ok {
			if Matches(not, name) {
				return false
			}
			continue
		}
		wanted = true
		found = found || Matches(pattern, name)
	}
	return found || !wanted
}

// Glob reports whether a pattern of * and ? selects a name.
func Glob(pattern, name string) bool { return glob(pattern, name) }

// IsPattern reports whether a word has * or ?.
func IsPattern(word string) bool { return strings.ContainsAny(word, "*?") }

// Matches reports whether one pattern selects name, or its base ("foo" of "foo+bar").
func Matches(pattern, name string) bool {
	if glob(pattern, name) {
		return true
	}
	base, _, wild := strings.Cut(name, "+")
	return wild && glob(pattern, base)
}

// glob matches * (any bytes) and ? (one byte of a name) in time bounded by
// len(pattern) × len(name): it goes back to the last star only.
func glob(pattern, name string) bool {
	p, n, star, mark := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// Decode reads a list.
func (p *Patterns) Decode(v cty.Value, _ Context) error {
	list, err := decodeList[string](v, false, func(s string) (string, error) {
		s = NormalName(s)
		return s, CheckPattern(strings.TrimPrefix(s, "!"))
	})
	*p = list
	return err
}

// Encode is the list.
func (p *Patterns) Encode() cty.Value { return encodeList(*p, text[string]) }

// Kind is "patterns".
func (p *Patterns) Kind() string { return "patterns" }

// Example is a list with an exception.
func (p *Patterns) Example() string { return `["show*", "!showtest"]` }

// CheckPattern wants a stream name with * and ?.
func CheckPattern(s string) error {
	plain := strings.NewReplacer("*", "x", "?", "x").Replace(s)
	if err := ValidStreamName(plain); err != nil {
		return fmt.Errorf("%q is not a pattern: stream names with * and ?, a leading ! excludes", s)
	}
	return nil
}

// Filters select streams as Patterns do, or "application/stream".
type Filters []string

// Match reports whether the filters select the stream of an application, by the rules
// of Patterns.
func (f Filters) Match(app, stream string) bool {
	return f.match(func(filter string) bool {
		of, pattern, both := strings.Cut(filter, "/")
		if !both {
			return Matches(filter, stream)
		}
		return glob(of, app) && Matches(pattern, stream)
	})
}

// MatchApp reports whether the filters select an application, whatever its stream is
// called. Those that name only a stream select every application.
func (f Filters) MatchApp(app string) bool {
	return f.match(func(filter string) bool {
		of, _, both := strings.Cut(filter, "/")
		return both && glob(of, app)
	})
}

func (f Filters) match(selects func(filter string) bool) bool {
	wanted, found := false, false
	for _, filter := range f {
		if not, ok := strings.CutPrefix(filter, "!"); ok {
			if selects(not) {
				return false
			}
			continue
		}
		wanted = true
		found = found || selects(filter)
	}
	return found || !wanted
}

// Decode reads a list.
func (f *Filters) Decode(v cty.Value, _ Context) error {
	list, err := decodeList[string](v, false, func(s string) (string, error) {
		s = NormalName(s)
		return s, CheckPattern(strings.Replace(strings.TrimPrefix(s, "!"), "/", "", 1))
	})
	*f = list
	return err
}

// Encode is the list.
func (f *Filters) Encode() cty.Value { return encodeList(*f, text[string]) }

// Kind is "filters".
func (f *Filters) Kind() string { return "filters" }

// Example is a list of an application's streams.
func (f *Filters) Example() string { return `["live/show*"]` }
