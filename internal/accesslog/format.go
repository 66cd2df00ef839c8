package accesslog

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Format appends a line about x, or a part of it, to b, without the line's end.
type Format[T any] func(b []byte, x T, now Time) []byte

// Compile makes a format of text with variables, $name or ${name}. variable returns the
// format of a name; Compile returns its error.
func Compile[T any](s string, variable func(name string) (Format[T], error)) (Format[T], error) {
	var parts []Format[T]
	for s != "" {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			i = len(s)
		}
		if i > 0 {
			text := s[:i]
			if j := strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }); j >= 0 {
				return nil, fmt.Errorf("control characters in %q", text)
			}
			parts = append(parts, func(b []byte, _ T, _ Time) []byte { return append(b, text...) })
			s = s[i:]
			continue
		}
		name, rest := cutName(s[1:])
		v, err := variable(name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, v)
		s = rest
	}
	return func(b []byte, x T, now Time) []byte {
		for _, p := range parts {
			b = p(b, x, now)
		}
		return b
	}, nil
}

// cutName returns the name that follows a $, letters, digits and _ or in braces, and the
// rest.
func cutName(s string) (name, rest string) {
	if strings.HasPrefix(s, "{") {
		if name, rest, ok := strings.Cut(s[1:], "}"); ok {
			return name, rest
		}
	}
	i := 0
	for i < len(s) && (s[i] == '_' || s[i] >= 'a' && s[i] <= 'z' || s[i] >= 'A' && s[i] <= 'Z' || s[i] >= '0' && s[i] <= '9') {
		i++
	}
	return s[:i], s[i:]
}

// AppendMillis appends milliseconds as nginx writes time: seconds, three decimals.
func AppendMillis(b []byte, ms int64) []byte {
	b = strconv.AppendInt(b, ms/1000, 10)
	b = append(b, '.')
	for _, d := range [...]int64{100, 10, 1} {
		b = append(b, byte('0'+ms/d%10))
	}
	return b
}

const hexDigits = "0123456789ABCDEF"

// maxValue is how many bytes of a value are written: clients choose most values, and an
// escaped byte takes four. clipped marks a longer value.
const (
	maxValue = 1 << 10
	clipped  = "..."
)

// AppendEscaped appends a client's value as nginx does: quotes, backslashes, control
// characters and bytes that are not ASCII become \xXX, so that the value can't end a
// line or a field.
func AppendEscaped(b []byte, s string) []byte {
	start := len(b)
	for i := 0; i < len(s); i++ {
		if len(b)-start >= maxValue {
			return append(b, clipped...)
		}
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			b = append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

// AppendJSON appends a JSON string. Bytes that are not UTF-8 become U+FFFD.
func AppendJSON(b []byte, s string) []byte {
	b = append(b, '"')
	start := len(b)
	for _, r := range s {
		if len(b)-start >= maxValue {
			b = append(b, clipped...)
			break
		}
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20 || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029':
			b = append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
