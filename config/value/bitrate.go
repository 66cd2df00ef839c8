package value

import (
	"fmt"
	"strconv"

	"github.com/zclconf/go-cty/cty"
)

// Bitrate is bits per second: a number, or a string with k, M or G (of 1000).
type Bitrate int64

// Decode reads a number of bits per second or a string.
func (b *Bitrate) Decode(v cty.Value, c Context) error {
	n, err := multiple(v, c, 1000, "a bit rate is bits per second, or a string like \"2500k\", \"2.5M\"")
	*b = Bitrate(n)
	return err
}

// Encode is the number of bits per second.
func (b *Bitrate) Encode() cty.Value { return cty.NumberIntVal(int64(*b)) }

// Kind is "bitrate".
func (b *Bitrate) Kind() string { return "bitrate" }

// Example is a bit rate.
func (b *Bitrate) Example() string { return `"2500k"` }

// String writes bits per second as a configuration does: "2500k", "2.5M".
func (b Bitrate) String() string {
	switch {
	case b >= 1e6 && b%1e5 == 0:
		return fmt.Sprintf("%gM", float64(b)/1e6)
	case b%1000 == 0:
		return fmt.Sprintf("%dk", int64(b/1000))
	}
	return strconv.FormatInt(int64(b), 10)
}
