package config

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// convContext is what a conversion may depend on.
type convContext struct {
	dir    string // of the file: what relative paths are relative to
	hidden bool   // the value came from env, file or credential: no error may show it
}

// convert makes the Go value of a field out of v, which is known, unmarked and
// not null. The error says what to write instead.
func (a *attrSchema) convert(v cty.Value, c convContext) (any, error) {
	if t := v.Type(); a.typ == reflect.TypeFor[Secret]() && t != cty.String {
		return nil, errors.New("this is a string: put it in quotes")
	}
	out, err := a.convertKind(v, c)
	if err != nil {
		if c.hidden {
			return nil, fmt.Errorf("the value that env(), file() or credential() gave is not %s", a.describe())
		}
		return nil, err
	}
	if err := a.bounds(out); err != nil {
		return nil, err
	}
	return out, nil
}

func (a *attrSchema) convertKind(v cty.Value, c convContext) (any, error) {
	switch a.kind {
	case "bool", "redirect":
		return toBool(v)
	case "duration":
		return a.toDuration(v)
	case "size", "bitrate", "count", "integer":
		return a.toInteger(v)
	case "number":
		f, err := toNumber(v)
		if err != nil || f < 0 {
			return nil, errors.New("write a number, like 29.97")
		}
		return f, nil
	case "addresses":
		return toAddresses(v)
	case "cidrs":
		return toCIDRs(v)
	case "rules":
		return toRules(v)
	case "patterns", "filters":
		return toPatterns(v, a.kind == "filters")
	case "list", "words", "urls", "sources", "origins", "domains":
		return a.toList(v, c)
	case "command", "handler":
		return a.toCommand(v)
	case "map", "headers", "bcrypt":
		return a.toMap(v)
	}
	s, err := toString(v)
	if err != nil {
		return nil, err
	}
	return a.fromString(s, c)
}

// describe names a kind in an error that may not show the value.
func (a *attrSchema) describe() string {
	switch {
	case a.one != nil:
		return "one of " + strings.Join(a.one, ", ")
	case a.kind == "bool":
		return "true or false"
	case a.kind == "cidrs":
		return "a list of networks"
	case a.kind == "string" || a.kind == "secret":
		return "a string that fits here"
	}
	return "what " + a.name + " takes (" + strings.ReplaceAll(a.kind, "_", " ") + ")"
}

func toString(v cty.Value) (string, error) {
	if v.Type() == cty.String {
		return v.AsString(), nil
	}
	if s, err := convert.Convert(v, cty.String); err == nil && s.IsKnown() && !s.IsNull() {
		return "", fmt.Errorf("this is a string: write %q", s.AsString())
	}
	return "", errors.New("this is a string: write \"…\"")
}

func toBool(v cty.Value) (bool, error) {
	if v.Type() == cty.Bool {
		return v.True(), nil
	}
	if v.Type() == cty.String {
		switch strings.ToLower(v.AsString()) {
		case "on", "yes", "true", "1":
			return false, errors.New("write true, without quotes")
		case "off", "no", "false", "0":
			return false, errors.New("write false, without quotes")
		}
	}
	return false, errors.New("this is a switch: write true or false")
}

func toNumber(v cty.Value) (float64, error) {
	if v.Type() != cty.Number {
		return 0, errors.New("this is a number")
	}
	f, _ := v.AsBigFloat().Float64()
	return f, nil
}

const durationHelp = "write \"300ms\", \"5s\", \"1m30s\", \"2h\", \"1d\" or \"1w\"; a bare number is seconds"

func (a *attrSchema) toDuration(v cty.Value) (time.Duration, error) {
	var d time.Duration
	switch v.Type() {
	case cty.Number:
		f, _ := v.AsBigFloat().Float64()
		if f < 0 || f > math.MaxInt64/float64(time.Second)/2 {
			return 0, errors.New("a duration is not negative and shorter than 146 years")
		}
		d = time.Duration(math.Round(f * float64(time.Second)))
	case cty.String:
		s := v.AsString()
		if a.off && s == "off" {
			return 0, nil
		}
		if s == "off" {
			return 0, errors.New("this can't be off: " + durationHelp)
		}
		var err error
		if d, err = ParseDuration(s); err != nil {
			return 0, err
		}
	default:
		return 0, errors.New("this is a duration: " + durationHelp)
	}
	if d == 0 && !a.off {
		return 0, errors.New("this can't be 0: " + durationHelp)
	}
	return d, nil
}

// ParseDuration reads "300ms", "5s", "1m30s", "2h", "1d", "1w"; a bare number
// is seconds.
func ParseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration: %s", s, durationHelp)
	units := map[string]time.Duration{
		"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
		"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "": time.Second,
	}
	var sum float64
	rest := s
	for first := true; first || rest != ""; first = false {
		n := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if n < 0 {
			n = len(rest)
		}
		value, err := strconv.ParseFloat(rest[:n], 64)
		if err != nil {
			return 0, bad
		}
		rest = rest[n:]
		n = strings.IndexFunc(rest, func(r rune) bool { return r < 'a' || r > 'z' })
		if n < 0 {
			n = len(rest)
		}
		unit, ok := units[rest[:n]]
		if !ok || rest[:n] == "" && !first {
			return 0, bad
		}
		rest = rest[n:]
		sum += value * float64(unit)
	}
	if sum > math.MaxInt64/2 {
		return 0, fmt.Errorf("%q is longer than 146 years", s)
	}
	return time.Duration(math.Round(sum)), nil
}

// toInteger reads counts, sizes (1024) and bit rates (1000).
func (a *attrSchema) toInteger(v cty.Value) (any, error) {
	help := map[string]string{
		"size":    "a size is bytes, or a string like \"128k\", \"1M\", \"2G\"",
		"bitrate": "a bit rate is bits per second, or a string like \"2500k\", \"2.5M\"",
		"count":   "write a whole number, not negative",
		"integer": "write a whole number",
	}[a.kind]
	var f *big.Float
	switch {
	case v.Type() == cty.Number:
		f = v.AsBigFloat()
	case v.Type() == cty.String && (a.kind == "size" || a.kind == "bitrate"):
		s := v.AsString()
		if a.off && s == "off" {
			s = "0"
		}
		base := 1024.0
		if a.kind == "bitrate" {
			base = 1000
		}
		n, ok := parseMultiple(s, base)
		if !ok {
			return nil, fmt.Errorf("%q: %s", s, help)
		}
		f = n
	default:
		return nil, errors.New(help)
	}
	n, accuracy := f.Int64()
	if accuracy != big.Exact || n < 0 && a.kind != "integer" {
		return nil, errors.New(help)
	}
	if a.typ.Kind() == reflect.Int {
		if n > math.MaxInt32 || n < math.MinInt32 {
			return nil, errors.New("this number is too large")
		}
		return int(n), nil
	}
	return n, nil
}

// parseMultiple reads a number with k, M, G or T, case-blind.
func parseMultiple(s string, base float64) (*big.Float, bool) {
	digits := strings.TrimRight(s, "kmgtKMGT")
	if len(s)-len(digits) > 1 || strings.Trim(digits, "0123456789.") != "" || len(s) > 20 {
		return nil, false
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return nil, false
	}
	if len(s) > len(digits) {
		f *= math.Pow(base, float64(strings.IndexByte("kmgt", s[len(s)-1]|0x20)+1))
	}
	return big.NewFloat(math.Round(f)), true
}

// bounds holds a converted value against the tag's min and max.
func (a *attrSchema) bounds(v any) error {
	outside := func(limit any, sign int) bool {
		if limit == nil {
			return false
		}
		return reflect.ValueOf(v).Int() != reflect.ValueOf(limit).Int() &&
			(reflect.ValueOf(v).Int() > reflect.ValueOf(limit).Int()) == (sign > 0)
	}
	switch {
	case outside(a.min, -1):
		return fmt.Errorf("this is at least %s", a.text(a.min))
	case outside(a.max, 1):
		return fmt.Errorf("this is at most %s", a.text(a.max))
	}
	return nil
}

// words checks membership in the tag one.
func (a *attrSchema) word(s string) error {
	if slices.Contains(a.one, s) {
		return nil
	}
	hint := didYouMean(s, a.one)
	if hint != "" {
		hint = fmt.Sprintf(" (did you mean %q?)", hint)
	}
	return fmt.Errorf("%q is none of \"%s\"%s", s, strings.Join(a.one, "\", \""), hint)
}

// absolute makes a path of the config absolute: relative ones start at its file.
func (c convContext) absolute(path string) (string, error) {
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
	return filepath.Join(c.dir, path), nil
}
