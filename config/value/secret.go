package value

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Hidden replaces a secret in output.
const Hidden = "(hidden)"

// Secret is a value that may appear in no output. Its String, GoString,
// MarshalText, MarshalJSON and Format hide it; Reveal gives it.
type Secret string

// Decode reads a string. The error for another type does not show it.
func (s *Secret) Decode(v cty.Value, c Context) error {
	if v.Type() != cty.String {
		return errors.New("this is a string: put it in quotes")
	}
	return (*Text)(s).Decode(v, c)
}

// Encode is the value itself.
func (s *Secret) Encode() cty.Value { return encodeString(*s) }

// Kind is "secret".
func (s *Secret) Kind() string { return "secret" }

// Example reads the secret from the environment.
func (s *Secret) Example() string { return `env("SECRET")` }

// Reveal returns the value itself. The caller must keep it out of logs and answers.
func (s Secret) Reveal() string { return string(s) }

// String shows only that there is a value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return Hidden
}

// GoString implements fmt.GoStringer for %#v.
func (s Secret) GoString() string { return fmt.Sprintf("value.Secret(%q)", s.String()) }

// Format hides the value from every verb, %x and %d included.
func (s Secret) Format(f fmt.State, verb rune) {
	formatHidden(s, f, verb)
}

// formatHidden prints what hides its value.
func formatHidden(s interface {
	fmt.Stringer
	fmt.GoStringer
}, f fmt.State, verb rune,
) {
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
	// MinSecret is the length of the shortest secret in bytes.
	MinSecret = 12
	maxSecret = 256 // bytes; a publish command is small
)

// ValidSecret returns an error for an invalid secret of a stream key: it must survive
// OBS, URLs and shells, and be hard to guess. The error does not hold it.
func ValidSecret(s string) error {
	if strings.Contains(strings.ToLower(s), "change-me") {
		return errors.New("change-me is not a secret: make one with rtmpd key new")
	}
	if len(s) < MinSecret {
		return fmt.Errorf("a secret has at least %d characters: make one with rtmpd key new", MinSecret)
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
