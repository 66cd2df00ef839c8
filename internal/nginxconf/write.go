package nginxconf

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// item is an attribute or a block of the configuration that is written.
type item struct {
	head     string // the name, or the header of a block
	value    string // of an attribute, as HCL; it may have several lines
	isBlock  bool
	items    []*item
	comments []string
	tail     []string // comments behind the last of items
	from     *directive
	labels   map[string]int // of the blocks in it, and how often each was asked for
	off      bool           // written as a comment
	gone     bool           // only its comments are written
}

// block is a new block in i.
func (i *item) block(from *directive, typ string, labels ...string) *item {
	b := newBlock(from, typ, labels...)
	i.items = append(i.items, b)
	return b
}

func newBlock(from *directive, typ string, labels ...string) *item {
	for _, l := range labels {
		typ += " " + quote(l)
	}
	b := &item{head: typ, isBlock: true, from: from}
	b.take(from)
	return b
}

// set is a new attribute in i.
func (i *item) set(from *directive, name, value string) {
	a := &item{head: name, value: value, from: from}
	a.take(from)
	i.items = append(i.items, a)
}

// take takes the comments of a directive, once.
func (i *item) take(from *directive) {
	if from != nil {
		from.done, from.written = true, true
		i.comments = append(i.comments, from.comments...)
		from.comments = nil
	}
}

// has says whether the attribute was set.
func (i *item) has(name string) bool {
	return slices.ContainsFunc(i.items, func(x *item) bool { return !x.isBlock && x.head == name })
}

// output is text line by line, and which item each line is of.
type output struct {
	lines []string
	items []*item
}

func (o *output) add(i *item, line string) {
	o.lines, o.items = append(o.lines, line), append(o.items, i)
}

// write puts the attributes of i first, then its blocks.
func (o *output) write(i *item) {
	before := ""
	for _, blocks := range []bool{false, true} {
		for _, x := range i.items {
			if x.isBlock != blocks || x.gone && len(x.comments) == 0 {
				continue
			}
			if before != "" && (x.isBlock || len(x.comments) > 0 && before == "block") {
				o.add(i, "")
			}
			o.one(x)
			before = "line"
			if x.isBlock {
				before = "block"
			}
		}
	}
	if len(i.tail) > 0 && before == "block" {
		o.add(i, "")
	}
	for _, c := range i.tail {
		o.add(i, "#"+comment(c))
	}
}

func (o *output) one(x *item) {
	for _, c := range x.comments {
		o.add(x, "#"+comment(c))
	}
	start := len(o.lines)
	switch {
	case x.gone:
	case !x.isBlock:
		for n, line := range strings.Split(x.value, "\n") {
			if n == 0 {
				line = x.head + " = " + line
			}
			o.add(x, line)
		}
	case len(x.items)+len(x.tail) == 0:
		o.add(x, x.head+" {}")
	default:
		o.add(x, x.head+" {")
		o.write(x)
		o.add(x, "}")
	}
	if x.off {
		for n := start; n < len(o.lines); n++ {
			o.lines[n] = "# " + o.lines[n]
		}
	}
}

// comment is the text of a comment as HCL takes it.
func comment(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return ' '
		}
		return r
	}, clean(s))
	if s != "" && s[0] != ' ' && s[0] != '#' {
		s = " " + s
	}
	return strings.TrimRight(s, " \t")
}

// fromEnvironment finds what envsubst and the entry points of Docker images replace:
// ${NAME} and $NAME in capitals. nginx-rtmp has no such variables.
var fromEnvironment = regexp.MustCompile(`\$\{([A-Z][A-Z0-9_]{2,})\}|\$([A-Z][A-Z0-9_]{2,})`)

// quote is s as an HCL string.
func quote(s string) string {
	return string(hclwrite.TokensForValue(cty.StringVal(clean(s))).Bytes())
}

// expression is s as an HCL string in which variables of the environment are read by
// env(). text is what becomes of the rest.
func expression(s string, text func(string) string) string {
	found := fromEnvironment.FindAllStringSubmatchIndex(s, -1)
	if found == nil {
		return quote(text(s))
	}
	var b strings.Builder
	at := 0
	inner := func(s string) string {
		q := quote(text(s))
		q = q[1 : len(q)-1]
		if rest, ok := strings.CutSuffix(q, "$"); ok {
			q = rest + `${"$"}` // beside ${ it would escape it
		}
		return q
	}
	for _, m := range found {
		b.WriteString(inner(s[at:m[0]]))
		name := ""
		if m[2] >= 0 {
			name = s[m[2]:m[3]]
		} else {
			name = s[m[4]:m[5]]
		}
		if m[0] == 0 && m[1] == len(s) {
			return fmt.Sprintf("env(%q)", name)
		}
		fmt.Fprintf(&b, "${env(%q)}", name)
		at = m[1]
	}
	b.WriteString(inner(s[at:]))
	return `"` + b.String() + `"`
}

func same(s string) string { return s }

// list is an HCL list of strings on one line.
func list(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
