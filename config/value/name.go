package value

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"golang.org/x/text/unicode/norm"
)

// StreamName is the public name of a stream.
type StreamName string

// Decode reads a string that ValidStreamName accepts.
func (n *StreamName) Decode(v cty.Value, _ Context) error {
	s, err := stringOf(v)
	s = NormalName(s)
	if err == nil {
		err = ValidStreamName(s)
	}
	*n = StreamName(s)
	return err
}

// Encode is the name.
func (n *StreamName) Encode() cty.Value { return encodeString(*n) }

// Kind is "name".
func (n *StreamName) Kind() string { return "name" }

// Example is a name.
func (n *StreamName) Example() string { return `"show"` }

const maxStreamName = 128 // bytes

// NormalName is name in Unicode's composed form (NFC), which is how names are
// compared and how files are called: an "é" is one, whether it was typed as one
// character or as two. Whatever takes a name from outside begins with it.
func NormalName(name string) string { return norm.NFC.String(name) }

// ValidStreamName is the door every stream and application name passes: 1 to
// 128 bytes of letters (UTF-8) with their combining marks, digits and ._+~@=-,
// not starting with . or -, no "..", in NFC (see NormalName). Nothing behind
// the door checks again. The error does not hold the name, which may be a
// mistyped key.
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
	case strings.Contains(name, "+.") || strings.Contains(name, "+-"):
		return errors.New("a part of the stream name starts with . or -")
	case strings.Contains(name, ".."):
		return errors.New("the stream name holds two dots in a row")
	}
	letter := false // a letter, or a mark of one, is before r
	for _, r := range name {
		switch {
		case unicode.IsLetter(r):
			letter = true
		case letter && unicode.In(r, unicode.Mn, unicode.Mc): // vowels of Hindi or Thai, accents that have no composed form
		case r >= '0' && r <= '9' || strings.ContainsRune("._+~@=-", r):
			letter = false
		default:
			return errors.New("the stream name holds a character that is neither letter, digit nor one of ._+~@=-")
		}
	}
	if !norm.NFC.IsNormalString(name) {
		return errors.New("the stream name is not in Unicode's composed form (NFC)")
	}
	return nil
}

// PlusWildcard is the part of a stream's name from its + on; empty: it has none.
func PlusWildcard(name string) string {
	if i := strings.IndexByte(name, '+'); i >= 0 {
		return name[i:]
	}
	return ""
}

// WildcardName is the name that a client means which has written that of a wildcard
// stream in another way: "base%2Bx", "base x" (a + that a proxy has decoded) and "base/x"
// are "base+x". Any other name, and one that is valid, is returned as it is. What is
// returned is to be checked like every name.
func WildcardName(written string) string {
	if ValidStreamName(written) == nil {
		return written
	}
	name := written
	if plain, err := url.PathUnescape(name); err == nil && strings.IndexByte(name, '%') >= 0 {
		name = plain
	}
	i := strings.IndexAny(name, " +/")
	if i <= 0 {
		return written
	}
	name = NormalName(name[:i] + "+" + name[i+1:])
	if ValidStreamName(name) != nil {
		return written
	}
	return name
}
