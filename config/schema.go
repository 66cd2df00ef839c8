package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// blockSchema is what the tags of one struct say: the attributes and blocks
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
	kind      string   // the name of its value's language: see kinds
	one       []string // what it may be
	min, max  any      // of the field's type; nil: none
	off       bool     // a timer: takes 0 and "off"
	vars      string   // placeholders it takes
	def       any      // documented default, of the field's type; nil: none
	defText   string
	need      bool
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
	if b.output = f.Tag.Get("output") != ""; b.output {
		b.attrs = append(b.attrs, &attrSchema{
			name: "enabled", typ: reflect.TypeFor[bool](), kind: "bool", def: true, defText: "true", reload: when, inStreams: true,
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
	b.labels = []*attrSchema{{name: "PATTERN", typ: reflect.TypeFor[string](), kind: "string"}}
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
		name: name, index: index, typ: f.Type, kind: tag.Get("kind"),
		one: strings.Fields(tag.Get("one")), off: tag.Get("off") != "", vars: tag.Get("vars"),
		defText: tag.Get("default"), need: tag.Get("need") != "", inStreams: tag.Get("stream") != "", reload: when,
	}
	if len(a.one) == 0 {
		a.one = nil
	}
	if a.kind == "" {
		a.kind = kindOf(a)
	}
	must := func(text string) any {
		v, err := a.convert(defaultValue(a, text), convContext{})
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

// defaultValue is a tag's text as the config would say it: a list is separated
// by spaces.
func defaultValue(a *attrSchema, text string) cty.Value {
	if a.typ.Kind() != reflect.Slice {
		if a.typ.Kind() == reflect.Bool {
			return cty.BoolVal(text == "true")
		}
		if a.kind == "count" || a.kind == "integer" {
			return cty.MustParseNumberVal(text)
		}
		return cty.StringVal(text)
	}
	var list []cty.Value
	for _, s := range strings.Fields(text) {
		list = append(list, cty.StringVal(s))
	}
	return cty.TupleVal(list)
}

// kindOf is the language of a field's type, unless its tag names another.
func kindOf(a *attrSchema) string {
	switch a.typ {
	case reflect.TypeFor[time.Duration]():
		return "duration"
	case reflect.TypeFor[Template]():
		return "template"
	case reflect.TypeFor[Secret]():
		return "secret"
	case reflect.TypeFor[Rules]():
		return "rules"
	case reflect.TypeFor[Patterns]():
		return "patterns"
	case reflect.TypeFor[[]Address]():
		return "addresses"
	case reflect.TypeFor[[]Template]():
		return "command"
	case reflect.TypeFor[time.Time]():
		return "time"
	case reflect.TypeFor[[]byte]():
		return "sha256"
	}
	switch a.typ.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int64:
		return "count"
	case reflect.Float64:
		return "number"
	case reflect.Uint16:
		return "tls_version"
	case reflect.Map:
		return "map"
	case reflect.Slice:
		if a.typ.Elem().Kind() == reflect.Struct {
			return "cidrs"
		}
		if a.one != nil {
			return "words"
		}
		return "list"
	}
	if a.one != nil {
		return "word"
	}
	return "string"
}

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
