package value

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// Duration is a time.Duration: "300ms", "5s", "1m30s", "2h", "1d", "1w"; a bare
// number is seconds. One that may be off takes "off" and 0.
type Duration time.Duration

const durationHelp = "write \"300ms\", \"5s\", \"1m30s\", \"2h\", \"1d\" or \"1w\"; a bare number is seconds"

// Decode reads a string or a number of seconds.
func (d *Duration) Decode(v cty.Value, c Context) error {
	var out time.Duration
	switch v.Type() {
	case cty.Number:
		f, _ := v.AsBigFloat().Float64()
		if f < 0 || f > math.MaxInt64/float64(time.Second)/2 {
			return errors.New("a duration is not negative and shorter than 146 years")
		}
		out = time.Duration(math.Round(f * float64(time.Second)))
	case cty.String:
		s := v.AsString()
		if c.Off && s == "off" {
			*d = 0
			return nil
		}
		if s == "off" {
			return errors.New("this can't be off: " + durationHelp)
		}
		var err error
		if out, err = ParseDuration(s); err != nil {
			return err
		}
	default:
		return errors.New("this is a duration: " + durationHelp)
	}
	if out == 0 && !c.Off {
		return errors.New("this can't be 0: " + durationHelp)
	}
	*d = Duration(out)
	return nil
}

// Encode returns the shortest string that says exactly the duration.
func (d *Duration) Encode() cty.Value { return cty.StringVal(FormatDuration(time.Duration(*d))) }

// Kind is "duration".
func (d *Duration) Kind() string { return "duration" }

// Example is a duration.
func (d *Duration) Example() string { return `"5s"` }

// ParseDuration reads "300ms", "5s", "1m30s", "2h", "1d", "1w"; a bare number
// is seconds. Errors say what to write instead.
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
		number, err := strconv.ParseFloat(rest[:n], 64)
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
		sum += number * float64(unit)
	}
	if sum > math.MaxInt64/2 {
		return 0, fmt.Errorf("%q is longer than 146 years", s)
	}
	return time.Duration(math.Round(sum)), nil
}

// FormatDuration returns the shortest of our forms that says exactly d (to the
// millisecond; nothing finer can be configured usefully): "1m30s", "300ms".
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var b strings.Builder
	for _, u := range []struct {
		name string
		d    time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if n := d / u.d; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.d
		}
	}
	if d > 0 {
		b.WriteString(strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', -1, 64) + "ms")
	}
	return b.String()
}
