package value

import (
	"errors"
	"math"
	"math/big"

	"github.com/zclconf/go-cty/cty"
)

// Count is an int that is not negative.
type Count int

// Decode reads a whole number.
func (n *Count) Decode(v cty.Value, _ Context) error {
	i, err := wholeNumber(v)
	if err != nil || i < 0 {
		return errors.New("write a whole number, not negative")
	}
	*n = Count(i)
	return tooLarge(i)
}

// Encode is the number.
func (n *Count) Encode() cty.Value { return cty.NumberIntVal(int64(*n)) }

// Kind is "count".
func (n *Count) Kind() string { return "count" }

// Example is a small number.
func (n *Count) Example() string { return "10" }

// Integer is a whole number of either sign.
type Integer int

// Decode reads a whole number.
func (n *Integer) Decode(v cty.Value, _ Context) error {
	i, err := wholeNumber(v)
	if err != nil {
		return errors.New("write a whole number")
	}
	*n = Integer(i)
	return tooLarge(i)
}

// Encode is the number.
func (n *Integer) Encode() cty.Value { return cty.NumberIntVal(int64(*n)) }

// Kind is "integer".
func (n *Integer) Kind() string { return "integer" }

// Example is a small number.
func (n *Integer) Example() string { return "10" }

// Number is a float64 that is not negative.
type Number float64

// Decode reads a number.
func (n *Number) Decode(v cty.Value, _ Context) error {
	if v.Type() == cty.Number {
		if f, _ := v.AsBigFloat().Float64(); f >= 0 {
			*n = Number(f)
			return nil
		}
	}
	return errors.New("write a number, like 29.97")
}

// Encode is the number.
func (n *Number) Encode() cty.Value { return cty.NumberFloatVal(float64(*n)) }

// Kind is "number".
func (n *Number) Kind() string { return "number" }

// Example is a frame rate.
func (n *Number) Example() string { return "29.97" }

var errNotWhole = errors.New("not a whole number")

func wholeNumber(v cty.Value) (int64, error) {
	if v.Type() != cty.Number {
		return 0, errNotWhole
	}
	n, accuracy := v.AsBigFloat().Int64()
	if accuracy != big.Exact {
		return 0, errNotWhole
	}
	return n, nil
}

func tooLarge(n int64) error {
	if n > math.MaxInt32 || n < math.MinInt32 {
		return errors.New("this number is too large")
	}
	return nil
}
