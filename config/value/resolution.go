package value

import (
	"fmt"
	"regexp"

	"github.com/zclconf/go-cty/cty"
)

// Resolution is the size of a picture in pixels: "1280x720".
type Resolution string

var resolutionForm = regexp.MustCompile(`^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$`)

// Decode reads a string.
func (r *Resolution) Decode(v cty.Value, _ Context) error {
	s, err := stringOf(v)
	if err == nil && !resolutionForm.MatchString(s) {
		err = fmt.Errorf("%q is not a resolution: write \"1280x720\"", s)
	}
	*r = Resolution(s)
	return err
}

// Encode is the string.
func (r *Resolution) Encode() cty.Value { return encodeString(*r) }

// Kind is "resolution".
func (r *Resolution) Kind() string { return "resolution" }

// Example is the size of HD.
func (r *Resolution) Example() string { return `"1280x720"` }

// StandIn is the smallest picture.
func (r *Resolution) StandIn(int, Context) cty.Value { return cty.StringVal("1x1") }
