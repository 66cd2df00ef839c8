package value

import (
	"errors"
	"fmt"

	"github.com/zclconf/go-cty/cty"
)

// decodeMap reads a map of strings, each pair of which check accepts.
func decodeMap[T ~string](v cty.Value, check func(name, s string) error) (map[string]T, error) {
	if t := v.Type(); !t.IsObjectType() && !t.IsMapType() {
		return nil, errors.New("this is a map: write { \"name\" = \"value\" }")
	}
	if v.LengthInt() > maxList {
		return nil, fmt.Errorf("this map has more than %d elements", maxList)
	}
	out := make(map[string]T)
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		name := k.AsString()
		if e.IsNull() {
			continue
		}
		if e.Type() != cty.String {
			return nil, fmt.Errorf("the value of %q is not a string", name)
		}
		if err := check(name, e.AsString()); err != nil {
			return nil, err
		}
		out[name] = T(e.AsString())
	}
	return out, nil
}

func encodeMap[T ~string](m map[string]T) cty.Value {
	if m == nil {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	out := make(map[string]cty.Value)
	for name, s := range m {
		out[name] = cty.StringVal(string(s))
	}
	return cty.ObjectVal(out)
}
