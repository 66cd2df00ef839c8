package config

import (
	"fmt"
	"reflect"
	"regexp"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/rtmpd/rtmpd/config/value"
)

// Dump writes the effective configuration with all defaults as HCL. Loading it
// again gives an equal one but for secrets, and for strings that came out of
// env, file or credential: stand-ins take their place.
func Dump(c *Config) []byte {
	d := &dumper{hidden: c.hidden}
	f := hclwrite.NewEmptyFile()
	d.block(f.Body(), newSchema(), reflect.ValueOf(*c), reflect.Value{})
	return hclwrite.Format(f.Bytes())
}

type dumper struct {
	hidden map[string]bool
	n      int // of the last stand-in: no two secrets of an application are the same
}

// block writes what is in a struct. above is the application that a stream block
// inherits from: what it has and the block has not is switched off.
func (d *dumper) block(body *hclwrite.Body, s *blockSchema, v, above reflect.Value) {
	for _, a := range s.attrs {
		if a.index != nil {
			d.attr(body, s, a, v.FieldByIndex(a.index))
		}
	}
	for _, b := range s.blocks {
		if b.index == nil {
			continue
		}
		f := v.FieldByIndex(b.index)
		if b.name == "stream" {
			for _, r := range f.Interface().([]StreamRule) {
				d.block(d.open(body, b.name, []string{r.Pattern}), b, reflect.ValueOf(*r.Application), v)
			}
			continue
		}
		set := members(b, v)
		for _, key := range set.keys {
			e := set.values[key]
			var labels []string
			for _, l := range b.labels {
				labels = append(labels, labelOf(e, l))
			}
			inner := d.open(body, b.name, labels)
			if e.Kind() == reflect.Struct {
				d.block(inner, b, e, reflect.Value{})
			}
		}
		if !above.IsValid() {
			continue
		}
		inherited := members(b, above)
		for _, key := range inherited.keys {
			if _, kept := set.values[key]; !kept {
				var labels []string
				for _, l := range b.labels {
					labels = append(labels, labelOf(inherited.values[key], l))
				}
				d.open(body, b.name, labels).SetAttributeValue("enabled", cty.False)
			}
		}
	}
}

func (d *dumper) open(body *hclwrite.Body, name string, labels []string) *hclwrite.Body {
	body.AppendNewline()
	return body.AppendNewBlock(name, labels).Body()
}

func (d *dumper) attr(body *hclwrite.Body, s *blockSchema, a *attrSchema, f reflect.Value) {
	v := a.language(f.Interface()).Encode()
	switch {
	case v.IsNull(), a.def == nil && f.IsZero() && f.Kind() != reflect.Slice && !a.computed:
		return // not set; where something else is the default, it is computed again
	}
	body.SetAttributeValue(a.name, d.mask(a, v))
}

// mask puts stand-ins in the place of secrets. They pass the checks that the
// secrets have passed.
func (d *dumper) mask(a *attrSchema, v cty.Value) cty.Value {
	secret, url := false, false
	switch a.language(nil).(type) {
	case *value.Secret, *value.SHA256, *value.Environment, *value.SecretHeaders, *value.Passwords:
		secret = true
	case *value.URL, *value.RTMPURL, *value.DirectoryURL, *value.Handler:
		url = true
	}
	switch {
	case v.Type().IsTupleType():
		list := v.AsValueSlice()
		for i, e := range list {
			switch _, handler := a.language(nil).(*value.Handler); {
			case !d.hidden[e.AsString()]:
			case handler: // a URL stands for one alone
				d.n++
				list[i] = cty.StringVal(fmt.Sprintf("hidden-%07d", d.n))
			default:
				list[i] = d.standIn(a)
			}
		}
		return cty.TupleVal(list)
	case v.Type().IsObjectType():
		m := v.AsValueMap()
		for k, e := range m {
			if secret || d.hidden[e.AsString()] {
				m[k] = d.standIn(a)
			}
		}
		return cty.ObjectVal(m)
	case v.Type() != cty.String:
		return v
	case url && !d.hidden[v.AsString()]:
		return cty.StringVal(maskURL(v.AsString()))
	case secret || d.hidden[v.AsString()]:
		return d.standIn(a)
	}
	return v
}

// maskURL hides user and query of a URL.
func maskURL(s string) string {
	for _, re := range []*regexp.Regexp{urlUser, urlQuery} {
		if i := re.FindStringSubmatchIndex(s); i != nil {
			s = s[:i[2]] + "hidden" + s[i[3]:]
		}
	}
	return s
}

func (d *dumper) standIn(a *attrSchema) cty.Value {
	d.n++
	if m, ok := a.language(nil).(value.Masker); ok {
		return m.StandIn(d.n, a.allows)
	}
	return cty.StringVal(fmt.Sprintf("hidden-%07d", d.n))
}
