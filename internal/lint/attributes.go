package lint

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// attributes are those of one tag, by name; values without their quotes.
type attributes map[string]string

const maxAttributes = 100 // of a tag

// readAttributes reads an attribute list (RFC 8216 §4.2):
//
//	name=value[,name=value]…
//
// and holds it against spec.
func (t *text) readAttributes(line int, name, list string, spec *tagSpec) attributes {
	out := make(attributes)
	for rest := list; ; {
		var item attribute
		item, rest = nextAttribute(rest)
		if item.bad != "" {
			t.fault("attribute-syntax", line, "%s: %s", name, item.bad)
			if item.name != "" && len(out) < maxAttributes {
				out[item.name] = "" // it is there, and can't be read
			}
			if rest == "" {
				break
			}
			continue
		}
		if item.more && rest == "" {
			t.fault("attribute-syntax", line, "%s: the list ends in a comma", name)
			item.more = false
		}
		if _, twice := out[item.name]; twice {
			t.fault("attribute-twice", line, "%s has %s more than once", name, item.name)
		}
		if len(out) < maxAttributes {
			out[item.name] = item.value
		}
		if i := slices.IndexFunc(spec.attrs, func(a attrSpec) bool { return a.name == item.name }); i >= 0 {
			t.checkAttribute(line, name, item, &spec.attrs[i])
		}
		if !item.more {
			break
		}
	}
	for _, a := range spec.attrs {
		if _, ok := out[a.name]; a.required && !ok {
			t.faultIn(spec.clause, "attribute-missing", line, "%s has no %s", name, a.name)
		}
	}
	return out
}

// An attribute is one item of an attribute list.
type attribute struct {
	name, value string
	quoted      bool
	more        bool   // a comma follows
	bad         string // what is wrong with it
}

// nextAttribute takes the first item off a list.
func nextAttribute(s string) (a attribute, rest string) {
	i := strings.IndexAny(s, `=,"`)
	if i < 0 || s[i] != '=' {
		skip := len(s)
		if i = strings.IndexByte(s, ','); i >= 0 {
			skip = i + 1
		}
		return attribute{bad: "an item that is not NAME=value: " + quote(s[:skip])}, s[skip:]
	}
	a.name, s = s[:i], s[i+1:]
	if !isAttributeName(a.name) {
		a.bad = "an attribute name is of A-Z, 0-9 and -, this is " + quote(a.name)
	}
	end := strings.IndexByte(s, ',')
	if strings.HasPrefix(s, `"`) {
		a.quoted = true
		close := strings.IndexByte(s[1:], '"')
		if close < 0 {
			return attribute{name: a.name, bad: a.name + " has a quote that does not end"}, ""
		}
		a.value, s = s[1:1+close], s[close+2:]
		if end = 0; s == "" {
			end = -1
		} else if s[0] != ',' {
			skip := len(s)
			if i := strings.IndexByte(s, ','); i >= 0 {
				skip = i + 1
			}
			return attribute{name: a.name, bad: a.name + " goes on after its quotes"}, s[skip:]
		}
	}
	text := s
	if end >= 0 {
		a.more, text, rest = true, s[:end], s[end+1:]
	}
	if !a.quoted {
		a.value = text
		switch {
		case text == "":
			a.bad = a.name + " has no value"
		case strings.ContainsAny(text, "\" \t"):
			a.bad = a.name + " has a space or a quote in its value"
		}
	}
	return a, rest
}

func quote(s string) string { return strconv.Quote(clip(s)) }

func isAttributeName(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != ""
}

// checkAttribute holds a value against what the attribute should be.
func (t *text) checkAttribute(line int, tag string, a attribute, spec *attrSpec) {
	if spec.version > t.needs.version {
		t.needs = need{spec.version, line, tag + " " + spec.name}
	}
	if strings.Contains(a.value, "{$") {
		return // a variable (rfc8216bis §4.3)
	}
	ok := false
	switch spec.kind {
	case quoted:
		ok = a.quoted
	case quotedOrWord:
		ok = a.quoted || slices.Contains(spec.words, a.value)
	case word:
		ok = !a.quoted
	case integer:
		_, ok = parseInteger(a.value)
		ok = ok && !a.quoted
	case decimal:
		_, ok = parseSeconds(a.value)
		ok = ok && !a.quoted
	case signedDecimal:
		_, ok = parseSeconds(strings.TrimPrefix(a.value, "-"))
		ok = ok && !a.quoted
	case hexadecimal:
		ok = !a.quoted && isHexadecimal(a.value)
	case resolution:
		_, _, ok = parseResolution(a.value)
		ok = ok && !a.quoted
	}
	switch {
	case !ok:
		t.fault("attribute-value", line, "%s %s is %s, not %s", tag, spec.name, valueNames[spec.kind], quote(a.value))
	case spec.kind == word && spec.words != nil && !slices.Contains(spec.words, a.value):
		t.fault("attribute-value", line, "%s %s is one of %s, not %s", tag, spec.name, strings.Join(spec.words, ", "), a.value)
	}
}

// parseInteger reads a decimal-integer.
func parseInteger(s string) (uint64, bool) {
	if s == "" || len(s) > 20 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil
}

// maxSeconds is the longest time that a playlist may speak of: ten years.
const maxSeconds = 10 * 366 * 24 * 3600

// parseSeconds reads a decimal-floating-point number of seconds.
func parseSeconds(s string) (time.Duration, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	if whole+fraction == "" {
		return 0, false
	}
	n := uint64(0)
	if whole != "" {
		var ok bool
		if n, ok = parseInteger(whole); !ok || n > maxSeconds {
			return 0, false
		}
	}
	d := time.Duration(n) * time.Second
	unit := time.Second
	for i := range len(fraction) {
		if fraction[i] < '0' || fraction[i] > '9' {
			return 0, false
		}
		unit /= 10
		d += time.Duration(fraction[i]-'0') * unit
	}
	return d, true
}

func isHexadecimal(s string) bool {
	if len(s) < 3 || s[0] != '0' || s[1] != 'x' && s[1] != 'X' {
		return false
	}
	return strings.Trim(s[2:], "0123456789abcdefABCDEF") == ""
}

func parseResolution(s string) (width, height uint64, ok bool) {
	w, h, _ := strings.Cut(s, "x")
	width, okWidth := parseInteger(w)
	height, okHeight := parseInteger(h)
	return width, height, okWidth && okHeight && width > 0 && height > 0
}
