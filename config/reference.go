package config

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

//go:generate go run gendocs.go
//go:generate go test -run TestReferenceIsTheOneInDocs -update .

// Reference is every block and attribute in Markdown: what it is for, its type,
// its default, the directive of nginx-rtmp that it stands for, when a reload
// applies it, and an example.
func Reference() []byte {
	r := new(reference)
	r.WriteString(referenceHead)
	r.block(newSchema(), nil, "", "Top level", "")
	return r.Bytes()
}

const referenceHead = `# Reference

Every block and attribute of a configuration. This page is made from the schema in ` + "`config/`" + ` by ` + "`go generate ./config`" + `.

Each line says: an example, the type, the default if there is one, the directive of nginx-rtmp (or nginx) that it stands for, when a reload
applies a change, and "also in stream" if a ` + "`stream`" + ` block may say it. How values are written:

| type | how it is written |
|---|---|
| duration | ` + "`\"300ms\"`, `\"5s\"`, `\"1m30s\"`, `\"2h\"`, `\"1d\"`, `\"1w\"`" + `; a bare number is seconds |
| size | bytes, or ` + "`\"128k\"`, `\"1M\"`, `\"2G\"`" + ` (of 1024) |
| bitrate | bits per second, or ` + "`\"2500k\"`, `\"2.5M\"`" + ` (of 1000) |
| path | relative ones start at the file of the configuration |
| addresses | ` + "`1935`, `\":1935\"` (both families), `\"127.0.0.1:1935\"`, `\"[::1]:1935\"`, `\"unix:/run/x.sock\"`" + `, or a list |
| cidrs | a list of networks; ` + "`\"loopback\"` and `\"private\"`" + ` are known |
| rules | a list; the first match decides; it ends in ` + "`\"allow all\"` or `\"deny all\"`" + ` |
| patterns | a list of stream names with ` + "`*` and `?`; a leading `!`" + ` excludes |
`

type reference struct {
	bytes.Buffer
}

// block writes a block and those in it. typ is the struct whose field it is.
func (r *reference) block(s *blockSchema, above []string, doc, title, how string) {
	fmt.Fprintf(r, "\n## %s\n", title)
	if doc != "" {
		fmt.Fprintf(r, "\n%s\n", doc)
	}
	if how != "" {
		fmt.Fprintf(r, "\n%s\n", how)
	}
	if len(s.attrs) > 0 {
		r.WriteString("\n")
	}
	for _, a := range s.attrs {
		if a.index != nil {
			r.attr(s, a)
		}
	}
	for _, b := range s.blocks {
		path := append(slices.Clone(above), b.title())
		title := "`" + strings.Join(path, " { ") + " { … }" + strings.Repeat(" }", len(path)-1) + "`"
		switch b.name {
		case "defaults":
			fmt.Fprintf(r, "\n## %s\n\nWhat every application of the block has unless it says something else: any attribute or block of `application`.\n", title)
			continue
		case "stream":
			fmt.Fprintf(r, "\n## %s\n\n%s It may say the attributes and blocks that are marked \"also in stream\".\n", title, docs[fieldOf(s.typ, b.index)])
			continue
		}
		r.block(b, path, docs[fieldOf(s.typ, b.index)], title, r.howBlock(s, b))
	}
}

func (b *blockSchema) title() string {
	out := b.name
	for _, l := range b.labels {
		out += fmt.Sprintf(" %q", l.name)
	}
	return out
}

// howBlock returns the properties of a block as a whole.
func (r *reference) howBlock(parent, b *blockSchema) string {
	var words []string
	if d := directive(parent.typ, b.index); d != "" {
		words = append(words, "nginx: `"+d+"`")
	}
	if !b.single {
		words = append(words, "there may be several")
	}
	if b.output {
		words = append(words, "`enabled = false` switches it off")
	}
	if b.inStreams {
		words = append(words, "also in stream")
	}
	for _, l := range b.labels {
		if l.allows.One != nil {
			words = append(words, l.name+" is one of "+strings.Join(l.allows.One, ", "))
		}
	}
	if len(words) == 0 {
		return ""
	}
	return "(" + strings.Join(words, "; ") + ")"
}

func (r *reference) attr(s *blockSchema, a *attrSchema) {
	words := []string{a.language(nil).Kind()}
	if a.allows.One != nil {
		words[0] = "one of " + strings.Join(a.allows.One, ", ")
		if a.typ.Kind() == reflect.Slice {
			words[0] = "list of " + strings.Join(a.allows.One, ", ")
		}
	}
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	switch {
	case a.need:
		add("required")
	case a.def != nil:
		add("default `%s`", a.text(a.def))
	case a.typ.Kind() == reflect.Bool && !a.computed:
		add("default `false`")
	}
	if a.allows.Off {
		add("or `\"off\"`")
	}
	if a.min != nil {
		add("at least `%s`", a.text(a.min))
	}
	if a.max != nil {
		add("at most `%s`", a.text(a.max))
	}
	if a.allows.Vars != "" {
		add("placeholders $%s", strings.Join(strings.Fields(a.allows.Vars), " $"))
	}
	if d := directive(s.typ, a.index); d != "" {
		add("nginx: `%s`", d)
	}
	add("%s", reloadText[a.reload])
	if a.inStreams {
		add("also in stream")
	}
	fmt.Fprintf(r, "- `%s = %s` (%s)  \n  %s\n", a.name, a.example(), strings.Join(words, "; "), docs[fieldOf(s.typ, a.index)])
}

// reloadText describes when a reload applies a change.
var reloadText = map[string]string{
	"now":        "at once",
	"check":      "at once, live sessions are checked again",
	"request":    "next request",
	"cut":        "next keyframe",
	"connection": "next connection",
	"publish":    "next publish",
	"start":      "next start",
}

// example is a value of the attribute as a configuration would write it: not its
// default, where that is easy to say.
func (a *attrSchema) example() string {
	switch {
	case a.sample != "":
		return a.sample
	case a.typ.Kind() == reflect.Bool:
		return fmt.Sprint(a.def != true)
	case a.allows.One != nil:
		words := slices.DeleteFunc(slices.Clone(a.allows.One), func(w string) bool { return w == a.def })
		if len(words) == 0 {
			words = a.allows.One
		}
		if a.typ.Kind() == reflect.Slice {
			return fmt.Sprintf("[%q]", words[0])
		}
		return fmt.Sprintf("%q", words[0])
	case a.def != nil && !reflect.ValueOf(a.def).IsZero():
		if s := a.text(a.def); strings.HasSuffix(s, "M") {
			return strconv.Quote(s)
		}
		return a.text(a.def)
	}
	return a.language(nil).Example()
}

// fieldOf names a field of the schema as docs does: the struct that declares it,
// which an inline field may have brought in.
func fieldOf(t reflect.Type, index []int) string {
	f := t.Field(index[0])
	if len(index) > 1 {
		return fieldOf(f.Type, index[1:])
	}
	return t.Name() + "." + f.Name
}

// directive is the directive of nginx-rtmp or nginx that a field stands for.
func directive(t reflect.Type, index []int) string {
	return t.FieldByIndex(index).Tag.Get("nginx")
}
