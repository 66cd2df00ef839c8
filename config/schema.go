package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/rtmpd/rtmpd/config/value"
)

// blockSchema is the schema from the tags of one struct: the attributes and blocks
// that may stand in a block, and where their values go.
type blockSchema struct {
	name   string // the block's type
	typ    reflect.Type
	labels []*attrSchema
	attrs  []*attrSchema
	blocks []*blockSchema

	// How the block stands in its parent.
	index     []int        // of the parent's field; nil for defaults
	single    bool         // at most one
	output    bool         // takes enabled = false
	repeats   bool         // several may have the same label
	empty     bool         // nothing may stand in it: the field is a bool
	inStreams bool         // may stand in a stream block
	whole     *blockSchema // of a stream block, or a block in it: what it is a part of
	reload    string
}

// attrSchema is one attribute, or a label.
type attrSchema struct {
	name      string
	index     []int // of the field; nil for enabled
	typ       reflect.Type
	allows    value.Context // what its value may be; Dir is of the file that is read
	min, max  any           // of the field's type; nil: none
	def       any           // documented default, of the field's type; nil: none
	defText   string
	need      bool
	sample    string // an example as the config would say it; empty: one that the type gives
	computed  bool   // the default depends on other attributes
	inStreams bool
	reload    string
}

// newSchema reads the schema off the structs. A wrong tag panics: tests load it.
func newSchema() *blockSchema {
	return buildSchema(reflect.TypeFor[Config](), "", "")
}

func buildSchema(t reflect.Type, name, reload string) *blockSchema {
	s := &blockSchema{name: name, typ: t, reload: reload}
	s.addFields(t, nil, reload)
	return s
}

func (s *blockSchema) addFields(t reflect.Type, at []int, reload string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, ok := f.Tag.Lookup("hcl")
		if !ok {
			continue
		}
		index := append(slices.Clone(at), i)
		when := f.Tag.Get("reload")
		if when == "" {
			when = reload
		}
		name, what, _ := strings.Cut(tag, ",")
		switch what {
		case "inline":
			s.addFields(f.Type, index, when)
		case "block":
			s.addBlock(name, f, index, when)
		case "label":
			s.labels = append(s.labels, newAttr(name, f, index, when))
		default:
			s.attrs = append(s.attrs, newAttr(name, f, index, when))
		}
	}
}

func (s *blockSchema) addBlock(name string, f reflect.StructField, index []int, when string) {
	t := f.Type
	single := true
	switch t.Kind() {
	case reflect.Slice:
		single = false
		t = t.Elem()
	case reflect.Pointer:
		t = t.Elem()
	case reflect.Bool:
		t = reflect.TypeFor[struct{}]()
	}
	var b *blockSchema
	if t == reflect.TypeFor[StreamRule]() {
		b = s.streamSchema(when)
	} else {
		b = buildSchema(t, name, when)
	}
	b.index, b.single = index, single
	b.empty = f.Type.Kind() == reflect.Bool
	b.inStreams = f.Tag.Get("stream") != ""
	b.repeats = t == reflect.TypeFor[Trigger]()
	if b.output = f.Tag.Get("output") != ""; b.output {
		b.attrs = append(b.attrs, &attrSchema{
			name: "enabled", typ: reflect.TypeFor[bool](), def: true, defText: "true", reload: when, inStreams: true,
		})
	}
	s.blocks = append(s.blocks, b)
	if name == "application" { // defaults takes whatever an application takes
		d := *b
		d.name, d.labels, d.index, d.single = "defaults", nil, nil, true
		s.blocks = append(s.blocks, &d)
	}
}

// streamSchema is the part of an application that a stream block may hold: the
// fields with the tag stream; of the blocks among them, the same part if they
// have such fields themselves, else all.
func (s *blockSchema) streamSchema(when string) *blockSchema {
	b := &blockSchema{name: "stream", typ: s.typ, whole: s, reload: when}
	b.labels = []*attrSchema{{name: "PATTERN", typ: reflect.TypeFor[string]()}}
	narrow(s, b)
	return b
}

func narrow(from, to *blockSchema) {
	for _, a := range from.attrs {
		if a.inStreams {
			to.attrs = append(to.attrs, a)
		}
	}
	for _, c := range from.blocks {
		if !c.inStreams {
			continue
		}
		if slices.ContainsFunc(c.attrs, func(a *attrSchema) bool { return a.inStreams && a.name != "enabled" }) {
			part := *c
			part.attrs, part.blocks, part.whole = nil, nil, c
			narrow(c, &part)
			c = &part
		}
		to.blocks = append(to.blocks, c)
	}
}

func newAttr(name string, f reflect.StructField, index []int, when string) *attrSchema {
	tag := f.Tag
	a := &attrSchema{
		name: name, index: index, typ: f.Type,
		allows:  value.Context{Off: tag.Get("off") != "", Vars: tag.Get("vars")},
		defText: tag.Get("default"), need: tag.Get("need") != "", computed: tag.Get("computed") != "", sample: tag.Get("example"), inStreams: tag.Get("stream") != "", reload: when,
	}
	if words := strings.Fields(tag.Get("one")); len(words) > 0 {
		a.allows.One = words
	}
	if a.language(nil) == nil {
		panic(fmt.Sprintf("schema of %s: a %s has no language: give the field a type of config/value", name, f.Type))
	}
	must := func(text string) any {
		v, err := a.read(a.literal(text), value.Context{})
		if err != nil {
			panic(fmt.Sprintf("schema of %s: %q: %v", name, text, err))
		}
		return v
	}
	if a.defText != "" {
		a.def = must(a.defText)
	}
	if text := tag.Get("min"); text != "" {
		a.min = must(text)
	}
	if text := tag.Get("max"); text != "" {
		a.max = must(text)
	}
	return a
}

// literal is a tag's text as the config would say it: a list is separated by
// spaces.
func (a *attrSchema) literal(text string) cty.Value {
	switch a.typ.Kind() {
	case reflect.Slice:
		var list []cty.Value
		for s := range strings.FieldsSeq(text) {
			list = append(list, cty.StringVal(s))
		}
		return cty.TupleVal(list)
	case reflect.Bool:
		return cty.BoolVal(text == "true")
	case reflect.Int:
		return cty.MustParseNumberVal(text)
	}
	return cty.StringVal(text)
}

// language is the language of the attribute, set to v; nil is the zero value.
func (a *attrSchema) language(v any) value.Value {
	p := reflect.New(a.typ)
	if v != nil {
		p.Elem().Set(reflect.ValueOf(v))
	}
	return value.Of(p.Interface(), a.allows)
}

// read makes the Go value of the field out of v, which is known, unmarked and not
// null. The error says what to write instead.
func (a *attrSchema) read(v cty.Value, at value.Context) (any, error) {
	p := reflect.New(a.typ)
	c := a.allows
	c.Dir = at.Dir
	if err := value.Of(p.Interface(), c).Decode(v, c); err != nil {
		return nil, err
	}
	return p.Elem().Interface(), nil
}

// describe returns what the attribute takes, for an error that must not show the value.
func (a *attrSchema) describe() string {
	if a.allows.One != nil {
		return "one of " + strings.Join(a.allows.One, ", ")
	}
	return value.Describe(a.language(nil), a.name)
}

// bounds holds a value that was read against the tag's min and max.
func (a *attrSchema) bounds(v any) error {
	switch {
	case a.min != nil && reflect.ValueOf(v).Int() < reflect.ValueOf(a.min).Int():
		return fmt.Errorf("this is at least %s", a.text(a.min))
	case a.max != nil && reflect.ValueOf(v).Int() > reflect.ValueOf(a.max).Int():
		return fmt.Errorf("this is at most %s", a.text(a.max))
	}
	return nil
}

// text is a value of the attribute for a person.
func (a *attrSchema) text(v any) string { return value.Show(a.language(v)) }

// hcl is the schema as the HCL parser wants it.
func (s *blockSchema) hcl() *hcl.BodySchema {
	out := &hcl.BodySchema{}
	for _, a := range s.attrs {
		out.Attributes = append(out.Attributes, hcl.AttributeSchema{Name: a.name})
	}
	for _, b := range s.blocks {
		h := hcl.BlockHeaderSchema{Type: b.name}
		for _, l := range b.labels {
			h.LabelNames = append(h.LabelNames, l.name)
		}
		out.Blocks = append(out.Blocks, h)
	}
	return out
}

func (s *blockSchema) attr(name string) *attrSchema {
	for _, a := range s.attrs {
		if a.name == name {
			return a
		}
	}
	return nil
}

func (s *blockSchema) block(name string) *blockSchema {
	for _, b := range s.blocks {
		if b.name == name {
			return b
		}
	}
	return nil
}
