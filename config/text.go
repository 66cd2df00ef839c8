package config

import (
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net/netip"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// value is the cty form of a Go value as a config would write it; the inverse
// of convert. A nil list or map, an empty string and a zero time are null.
func (a *attrSchema) value(v any) cty.Value {
	switch v := v.(type) {
	case bool:
		return cty.BoolVal(v)
	case time.Duration:
		return cty.StringVal(durationText(v))
	case int:
		return cty.NumberIntVal(int64(v))
	case int64:
		return cty.NumberIntVal(v)
	case float64:
		return cty.NumberFloatVal(v)
	case uint16:
		if v == tls.VersionTLS13 {
			return cty.StringVal("1.3")
		}
		return cty.StringVal("1.2")
	case time.Time:
		if v.IsZero() {
			return cty.NullVal(cty.String)
		}
		return cty.StringVal(v.UTC().Format(time.RFC3339Nano))
	case []byte:
		if v == nil {
			return cty.NullVal(cty.String)
		}
		return cty.StringVal(hex.EncodeToString(v))
	case []Address:
		return list(v, Address.String)
	case []netip.Prefix:
		return list(v, prefixString)
	case Rules:
		return list(v, Rule.String)
	case Patterns:
		return list(v, func(s string) string { return s })
	case []string:
		return list(v, func(s string) string { return s })
	case []Template:
		return list(v, func(t Template) string { return string(t) })
	}
	r := reflect.ValueOf(v)
	if r.Kind() == reflect.Map {
		if r.IsNil() {
			return cty.NullVal(cty.DynamicPseudoType)
		}
		m := make(map[string]cty.Value)
		for it := r.MapRange(); it.Next(); {
			m[it.Key().String()] = cty.StringVal(it.Value().String())
		}
		return cty.ObjectVal(m)
	}
	if r.Kind() != reflect.String {
		panic(fmt.Sprintf("config: no text for a %T", v))
	}
	if r.Len() == 0 {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(r.String())
}

func list[T any](v []T, text func(T) string) cty.Value {
	if v == nil {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	out := make([]cty.Value, len(v))
	for i, e := range v {
		out[i] = cty.StringVal(text(e))
	}
	return cty.TupleVal(out)
}

// text is a value for a person: in errors and in the schema's dump.
func (a *attrSchema) text(v any) string {
	if a.kind == "size" {
		return sizeText(reflect.ValueOf(v).Int())
	}
	return ctyText(a.value(v))
}

func ctyText(v cty.Value) string {
	switch {
	case v.IsNull():
		return "null"
	case v.Type() == cty.String:
		return strconv.Quote(v.AsString())
	case v.Type() == cty.Number:
		return v.AsBigFloat().Text('f', -1)
	case v.Type() == cty.Bool:
		return strconv.FormatBool(v.True())
	case v.Type().IsTupleType():
		var out []string
		for _, e := range v.AsValueSlice() {
			out = append(out, ctyText(e))
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	var out []string
	for k, e := range v.AsValueMap() {
		out = append(out, k+" = "+ctyText(e))
	}
	sort.Strings(out)
	return "{ " + strings.Join(out, ", ") + " }"
}

func sizeText(n int64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%dG", n>>30)
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%dM", n>>20)
	}
	return strconv.FormatInt(n, 10)
}

// durationText is the shortest of our forms that says exactly d (to the
// millisecond; nothing finer can be configured usefully): "1m30s", "300ms".
func durationText(d time.Duration) string {
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
