package config

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

const hiddenText = "(hidden)"

// Secret is a value that may appear in no output. Its String, GoString,
// MarshalText, MarshalJSON and Format hide it; Reveal gives it.
type Secret string

// Reveal returns the value itself. Whoever calls it answers for where it goes.
func (s Secret) Reveal() string { return string(s) }

// String says only whether there is a value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hiddenText
}

// GoString is what %#v prints.
func (s Secret) GoString() string { return fmt.Sprintf("config.Secret(%q)", s.String()) }

// Format hides the value from every verb, %x and %d included.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	_, _ = io.WriteString(f, text)
}

// MarshalText hides the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON hides the value.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

const (
	maxStreamName = 128 // bytes
	minSecret     = 12  // bytes
	maxSecret     = 256 // bytes; a publish command is small
)

// ValidSecret says what is wrong with a stream key's secret: it must survive
// OBS, URLs and shells, and be hard to guess. The error does not hold it.
func ValidSecret(s string) error {
	if strings.Contains(strings.ToLower(s), "change-me") {
		return errors.New("change-me is not a secret: make one with rtmpd key new")
	}
	if len(s) < minSecret {
		return fmt.Errorf("a secret has at least %d characters: make one with rtmpd key new", minSecret)
	}
	if len(s) > maxSecret {
		return fmt.Errorf("a secret has at most %d characters", maxSecret)
	}
	for i := range len(s) {
		if c := s[i]; !alphanumeric(c) && !strings.ContainsRune("._~-", rune(c)) {
			return errors.New("a secret consists of A-Z a-z 0-9 . _ ~ - (nothing else survives OBS): make one with rtmpd key new")
		}
	}
	return nil
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// ValidStreamName is the door every stream and application name passes: 1 to
// 128 bytes of letters (UTF-8), digits and ._+~@=-, not starting with . or -,
// no "..". Nothing behind the door checks again. The error does not hold the
// name, which may be a mistyped key.
func ValidStreamName(name string) error {
	switch {
	case name == "":
		return errors.New("the stream name is empty")
	case len(name) > maxStreamName:
		return fmt.Errorf("the stream name is longer than %d bytes", maxStreamName)
	case !utf8.ValidString(name):
		return errors.New("the stream name is not UTF-8")
	case name[0] == '.' || name[0] == '-':
		return errors.New("the stream name starts with . or -")
	case strings.Contains(name, ".."):
		return errors.New("the stream name holds two dots in a row")
	}
	for _, r := range name {
		if !unicode.IsLetter(r) && (r < '0' || r > '9') && !strings.ContainsRune("._+~@=-", r) {
			return errors.New("the stream name holds a character that is neither letter, digit nor one of ._+~@=-")
		}
	}
	return nil
}
