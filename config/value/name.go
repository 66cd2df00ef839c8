package value

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
)

// StreamName is the public name of a stream.
type StreamName string

// Decode reads a string that ValidStreamName accepts.
func (n *StreamName) Decode(v cty.Value, _ Context) error {
	s, err := stringOf(v)
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
