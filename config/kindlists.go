package config

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

const maxList = 10000 // elements of one list or map

// elements returns what a list holds. One string alone is a list of it where
// the config documents "or list" (alone).
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
		if len(e.AsString()) > maxString {
			return nil, fmt.Errorf("this is longer than %d bytes", maxString)
		}
		out = append(out, e.AsString())
	}
	return out, nil
}

func toAddresses(v cty.Value) (any, error) {
	list, err := elements(v, true)
	if err != nil {
		return nil, errors.New("write an address like \":1935\", or a list of them")
	}
	out := make([]Address, 0, len(list))
	for _, e := range list {
		var s string
		switch {
		case e.IsNull():
			continue
		case e.Type() == cty.String:
			s = e.AsString()
		case e.Type() == cty.Number:
			n, accuracy := e.AsBigFloat().Int64()
			if accuracy != big.Exact || n < 0 || n > 65535 {
				return nil, errors.New("a port is between 0 and 65535")
			}
			s = strconv.FormatInt(n, 10)
		default:
			return nil, errors.New("write an address like \":1935\", or a list of them")
		}
		a, err := ParseAddress(s)
		if err != nil {
			return nil, err
		}
		for _, b := range out {
			if a.Overlaps(b) {
				return nil, fmt.Errorf("%q and %q can't both be listened on: leave one out", b, a)
			}
		}
		out = append(out, a)
	}
	return out, nil
}

func toCIDRs(v cty.Value) (any, error) {
	list, err := stringsOf(v, false)
	if err != nil {
		return nil, err
	}
	out := []netip.Prefix{}
	for _, s := range list {
		p, err := parsePrefixes(s)
		if err != nil {
			return nil, err
		}
		out = append(out, p...)
	}
	return out, nil
}

func toRules(v cty.Value) (any, error) {
	list, err := stringsOf(v, false)
	if err != nil {
		return nil, fmt.Errorf("access rules are a list: write [\"allow 10.0.0.0/8\", \"deny all\"]")
	}
	out := Rules{}
	for i, s := range list {
		r, err := parseRule(s)
		if err != nil {
			return nil, err
		}
		if r[0].All && i < len(list)-1 {
			return nil, fmt.Errorf("%q decides for everyone: nothing after it is ever asked", s)
		}
		out = append(out, r...)
	}
	if len(out) == 0 || !out[len(out)-1].All {
		return nil, errors.New("this list lets in everyone it does not name; end it with \"deny all\"")
	}
	return out, nil
}

// toPatterns reads stream patterns; filters are "app/name" patterns.
func toPatterns(v cty.Value, filters bool) (any, error) {
	list, err := stringsOf(v, false)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		if err := checkPattern(strings.TrimPrefix(s, "!"), filters); err != nil {
			return nil, err
		}
	}
	return Patterns(list), nil
}

func checkPattern(s string, filter bool) error {
	if filter {
		s = strings.Replace(s, "/", "", 1)
	}
	plain := strings.NewReplacer("*", "x", "?", "x").Replace(s)
	if err := ValidStreamName(plain); err != nil {
		return fmt.Errorf("%q is not a pattern: stream names with * and ?, a leading ! excludes", s)
	}
	return nil
}

// toList makes a []string of the list kinds.
func (a *attrSchema) toList(v cty.Value, c convContext) (any, error) {
	list, err := stringsOf(v, a.kind == "urls" || a.kind == "sources")
	if err != nil {
		return nil, err
	}
	for i, s := range list {
		switch a.kind {
		case "words":
			err = a.word(s)
			if err == nil && slices.Contains(list[:i], s) {
				err = fmt.Errorf("%q stands here twice", s)
			}
		case "urls":
			err = checkURL(s, "http", "https")
			if err == nil && strings.ContainsAny(s, "?#@") {
				err = errors.New("a public URL has neither user, query nor fragment")
			}
			list[i] = strings.TrimSuffix(s, "/")
		case "sources":
			if strings.Contains(s, "://") {
				err = checkURL(s, "http", "https")
			} else {
				list[i], err = c.absolute(s)
			}
		case "origins":
			err = checkOrigin(s)
		case "domains":
			err = checkDomain(s)
		case "list":
			if s == "" {
				err = errors.New("this list holds an empty string")
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// checkOrigin wants a serialized origin (RFC 6454 §6.2) or "*".
func checkOrigin(s string) error {
	if s == "*" || s == "null" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || s != u.Scheme+"://"+u.Host {
		return fmt.Errorf("%q is not an origin: write \"https://HOST\" (no path), or \"*\"", s)
	}
	return nil
}

// toCommand makes a command: a list of arguments, or a string that is split at
// spaces outside quotes; no shell is ever involved. A handler may be one URL.
func (a *attrSchema) toCommand(v cty.Value) (any, error) {
	var args []string
	if v.Type() == cty.String {
		s := v.AsString()
		if a.kind == "handler" && strings.Contains(s, "://") {
			if err := checkURL(s, "http", "https"); err != nil {
				return nil, err
			}
			return []Template{Template(strings.ReplaceAll(s, "$", "$$"))}, nil
		}
		var err error
		if args, err = splitCommand(s); err != nil {
			return nil, err
		}
	} else {
		var err error
		if args, err = stringsOf(v, false); err != nil {
			return nil, errors.New("a command is a list: write [\"ffmpeg\", \"-i\", \"…\"]")
		}
	}
	if len(args) == 0 || args[0] == "" {
		return nil, errors.New("the command is empty")
	}
	out := make([]Template, len(args))
	for i, s := range args {
		if err := Template(s).check(placeholders); err != nil {
			return nil, err
		}
		if strings.ContainsRune(s, 0) {
			return nil, errors.New("the command holds a NUL byte")
		}
		out[i] = Template(s)
	}
	if i := scriptArgument(args); i > 0 && hasPlaceholder(out[i]) {
		return nil, errors.New("a placeholder inside a shell script lets a stream's name run commands: use the environment there ($$RTMPD_NAME, $$RTMPD_ADDR …)")
	}
	return out, nil
}

func hasPlaceholder(t Template) bool {
	return t.scan(func(_, name string) error {
		if name != "" {
			return errors.New("found")
		}
		return nil
	}) != nil
}

// scriptArgument finds the argument that sh, bash or dash -c runs; 0: none.
func scriptArgument(args []string) int {
	shell := regexp.MustCompile(`(^|/)(sh|bash|dash)$`)
	flag := regexp.MustCompile(`^-[a-z]*c[a-z]*$`)
	for i, s := range args {
		if !shell.MatchString(s) {
			continue
		}
		for j := i + 1; j+1 < len(args) && strings.HasPrefix(args[j], "-"); j++ {
			if flag.MatchString(args[j]) {
				return j + 1
			}
		}
	}
	return 0
}

func splitCommand(s string) ([]string, error) {
	var args []string
	var word strings.Builder
	var quote rune
	open := false
	for _, r := range s {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, open = r, true
		case quote == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if open {
				args = append(args, word.String())
				word.Reset()
				open = false
			}
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a %c is not closed in this command; a list needs no quotes inside: [\"ffmpeg\", \"-i\", \"…\"]", quote)
	}
	if open {
		args = append(args, word.String())
	}
	return args, nil
}

func (a *attrSchema) toMap(v cty.Value) (any, error) {
	t := v.Type()
	if !t.IsObjectType() && !t.IsMapType() {
		return nil, errors.New("this is a map: write { \"name\" = \"value\" }")
	}
	if v.LengthInt() > maxList {
		return nil, fmt.Errorf("this map has more than %d elements", maxList)
	}
	out := reflect.MakeMap(a.typ)
	for name, e := range v.AsValueMap() {
		if e.IsNull() {
			continue
		}
		if e.Type() != cty.String {
			return nil, fmt.Errorf("the value of %q is not a string", name)
		}
		s := e.AsString()
		var err error
		switch {
		case a.kind == "headers" && !headerName(name):
			err = fmt.Errorf("%q is not the name of an HTTP header", name)
		case a.kind == "headers":
			err = headerValue(s)
		case a.kind == "bcrypt" && (name == "" || strings.ContainsRune(name, ':')):
			err = fmt.Errorf("%q is not a user: it is not empty and holds no colon", name)
		case a.kind == "bcrypt":
			err = bcryptForm(s)
		case a.kind == "map" && (name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(s, 0)):
			err = fmt.Errorf("%q can't be the name of an environment variable", name)
		}
		if err != nil {
			return nil, err
		}
		out.SetMapIndex(reflect.ValueOf(name), reflect.ValueOf(s).Convert(a.typ.Elem()))
	}
	return out.Interface(), nil
}
