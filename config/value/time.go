package value

import (
	"fmt"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// Time is a time.Time as RFC 3339 writes it.
type Time time.Time

// Decode reads a string.
func (t *Time) Decode(v cty.Value, _ Context) error {
	s, err := stringOf(v)
	if err != nil {
		return err
	}
	out, err := ParseTime(s)
	*t = Time(out)
	return err
}

// Encode is the time in UTC.
func (t *Time) Encode() cty.Value {
	if time.Time(*t).IsZero() {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(time.Time(*t).UTC().Format(time.RFC3339Nano))
}

// Kind is "time".
func (t *Time) Kind() string { return "time" }

// Example is a time in UTC.
func (t *Time) Example() string { return `"2031-12-24T18:00:00Z"` }

// ParseTime reads a time of RFC 3339. Errors say what to write instead.
func ParseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		if _, err := time.Parse(time.DateOnly, s); err == nil {
			return t, fmt.Errorf("%q is a date without a time: write \"%sT00:00:00Z\"", s, s)
		}
		return t, fmt.Errorf("%q is not a time of RFC 3339: write \"2031-12-24T18:00:00Z\"", s)
	}
	return t.UTC(), nil
}
