package value

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Size is bytes: a number, or a string with k, M, G or T (of 1024), case-blind.
type Size int64

// Decode reads a number of bytes or a string.
func (s *Size) Decode(v cty.Value, c Context) error {
	n, err := multiple(v, c, 1024, "a size is bytes, or a string like \"128k\", \"1M\", \"2G\"")
	*s = Size(n)
	return err
}

// Encode is the number of bytes.
func (s *Size) Encode() cty.Value { return cty.NumberIntVal(int64(*s)) }

// Kind is "size".
func (s *Size) Kind() string { return "size" }

// Example is a size.
func (s *Size) Example() string { return `"10M"` }

// String returns the size with the largest unit that gives it exactly.
func (s Size) String() string {
	switch {
	case s >= 1<<30 && s%(1<<30) == 0:
		return fmt.Sprintf("%dG", int64(s>>30))
	case s >= 1<<20 && s%(1<<20) == 0:
		return fmt.Sprintf("%dM", int64(s>>20))
	}
	return strconv.FormatInt(int64(s), 10)
}

// multiple reads a number, or a string with k, M, G or T of base.
func multiple(v cty.Value, c Context, base float64, help string) (int64, error) {
	var f *big.Float
	switch v.Type() {
	case cty.Number:
		f = v.AsBigFloat()
	case cty.String:
		s := v.AsString()
		if c.Off && s == "off" {
			return 0, nil
		}
		var ok bool
		if f, ok = parseMultiple(s, base); !ok {
			return 0, fmt.Errorf("%q: %s", s, help)
		}
	default:
		return 0, errors.New(help)
	}
	n, accuracy := f.Int64()
	if accuracy != big.Exact || n < 0 {
		return 0, errors.New(help)
	}
	return n, nil
}

func parseMultiple(s string, base float64) (*big.Float, bool) {
	digits := strings.TrimRight(s, "kmgtKMGT")
	if len(s)-len(digits) > 1 || strings.Trim(digits, "0123456789.") != "" || len(s) > 20 {
		return nil, false
	}
	f, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return nil, false
	}
	if len(s) > len(digits) {
		f *= math.Pow(base, float64(strings.IndexByte("kmgt", s[len(s)-1]|0x20)+1))
	}
	return big.NewFloat(math.Round(f)), true
}
