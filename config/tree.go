package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/rtmpd/rtmpd/config/value"
)

// node is a block as it was read: evaluated and converted, not yet merged.
type node struct {
	schema *blockSchema
	file   string
	labels []string
	rng    hcl.Range // its header
	attrs  map[string]*attr
	blocks []*node
}

// attr is an attribute that is set (null does not set it).
type attr struct {
	schema  *attrSchema
	value   any // nil: wrong (reported) or known only to the service
	rng     hcl.Range
	nameRng hcl.Range
}

// at returns the range of an attribute, or of the block if it is not set.
// composed are labels in NFC, as expressions are already.
func composed(labels []string) []string {
	out := make([]string, len(labels))
	for i, l := range labels {
		out[i] = value.NormalName(l)
	}
	return out
}

func (n *node) at(name string) hcl.Range {
	if a := n.attrs[name]; a != nil {
		return a.rng
	}
	return n.rng
}

// said reports whether the attribute is set, even to an invalid value.
func (n *node) said(name string) bool { return n.attrs[name] != nil }

// bad reports whether the attribute is set but has no valid value.
func (n *node) bad(name string) bool { return n.attrs[name] != nil && n.attrs[name].value == nil }

// disabled reports enabled = false.
func (n *node) disabled() bool {
	a := n.attrs["enabled"]
	return a != nil && a.value == false
}

// all returns the child blocks of a type.
func (n *node) all(typ string) []*node {
	var out []*node
	for _, b := range n.blocks {
		if b.schema.name == typ {
			out = append(out, b)
		}
	}
	return out
}

// one returns the child block of a type, or nil.
func (n *node) one(typ string) *node {
	if all := n.all(typ); len(all) > 0 {
		return all[0]
	}
	return nil
}

// title is how a person calls the block: application "show".
func (n *node) title() string {
	if len(n.labels) == 0 {
		return n.schema.name
	}
	return n.schema.name + ` "` + strings.Join(n.labels, `" "`) + `"`
}

// read fills n from a body.
func (l *loader) read(body hcl.Body, n *node) {
	content, diags := body.Content(n.schema.hcl())
	l.diags = append(l.diags, l.explainNames(n.schema, diags)...)
	for _, a := range byPosition(content.Attributes) {
		l.readAttr(a, n)
	}
	for _, b := range content.Blocks {
		s := n.schema.block(b.Type)
		c := &node{schema: s, file: n.file, labels: composed(b.Labels), rng: b.DefRange, attrs: make(map[string]*attr)}
		l.checkLabels(c, b)
		l.read(b.Body, c)
		n.blocks = append(n.blocks, c)
	}
}

func (l *loader) readAttr(a *hcl.Attribute, n *node) {
	s := n.schema.attr(a.Name)
	ok := !l.badLines[lineOf(a.NameRange)] // a syntax error: its value is a piece of what was meant
	var v cty.Value
	if ok {
		v, ok = l.evaluate(a.Expr, n.file)
	}
	out := &attr{schema: s, rng: a.Expr.Range(), nameRng: a.NameRange}
	if !ok {
		n.attrs[a.Name] = out
		return
	}
	marked := v
	v, marks := v.UnmarkDeep()
	if v.IsKnown() && v.IsNull() {
		return
	}
	n.attrs[a.Name] = out
	if !v.IsWhollyKnown() {
		return // reported where it became unknown
	}
	read, err := s.read(v, value.Context{Dir: l.dirOf(n.file)})
	if err != nil && len(marks) > 0 { // no error may show it
		err = fmt.Errorf("the value that env(), file() or credential() gave is not %s", s.describe())
	}
	if err == nil {
		err = s.bounds(read)
	}
	if err != nil {
		l.errorAt(out.rng, fmt.Sprintf("%s: %v", a.Name, err), "")
		return
	}
	out.value = read
	if len(marks) > 0 {
		l.hide(s, read, marked)
	}
}

// hide remembers the strings that came out of env, file or credential. Words and
// numbers of a fixed language are no secrets.
func (l *loader) hide(s *attrSchema, read any, marked cty.Value) {
	if s.allows.One != nil {
		return
	}
	for _, e := range value.Strings(read) {
		l.hidden[e] = true
	}
	headers, _ := read.(value.Headers)
	for k, e := range headers {
		if marked.IsMarked() || !marked.Type().IsObjectType() || marked.GetAttr(k).IsMarked() {
			l.hidden[e] = true
		}
	}
}

func (l *loader) checkLabels(n *node, b *hcl.Block) {
	for i, s := range n.schema.labels {
		if i >= len(b.LabelRanges) {
			break
		}
		if s.allows.One != nil {
			if err := value.CheckWord(n.labels[i], s.allows.One); err != nil {
				l.errorAt(b.LabelRanges[i], err.Error(), "")
			}
		}
		if n.labels[i] == "" || len(n.labels[i]) > value.MaxString || strings.ContainsAny(n.labels[i], "\x00\n") {
			l.errorAt(b.LabelRanges[i], fmt.Sprintf("%s needs a name here", n.schema.name), "")
		}
	}
}

// unite merges another file's part of the same block.
func (l *loader) unite(into, from *node) {
	for _, name := range slices.Sorted(maps.Keys(from.attrs)) {
		a := from.attrs[name]
		if first := into.attrs[name]; first != nil {
			if name == "listen" && listenKey(into) == listenKey(from) {
				continue // that is how the two know each other
			}
			l.errorAt(a.nameRng, fmt.Sprintf("%s is said twice", name), "the first is at "+place(first.nameRng))
			continue
		}
		into.attrs[name] = a
	}
	into.blocks = append(into.blocks, from.blocks...)
}

// uniteBlocks makes one block of those with the same type and labels, if they
// come from different files of a directory; in one file that is an error.
func (l *loader) uniteBlocks(n *node) {
	first := make(map[string]*node)
	var out []*node
	listeners := map[string]*listenSet{"rtmp": newListenSet(n.all("rtmp")), "http": newListenSet(n.all("http"))}
	for _, b := range n.blocks {
		key := l.identity(b, listeners[b.schema.name])
		f := first[key]
		switch {
		case f == nil:
			first[key] = b
			out = append(out, b)
		case f.file == b.file:
			l.errorAt(b.rng, b.title()+" stands here twice", "the first is at "+place(f.rng))
		default:
			l.unite(f, b)
		}
	}
	n.blocks = out
	for _, b := range n.blocks {
		l.uniteBlocks(b)
	}
}

// listenSet holds the listeners of the rtmp or the http blocks of a configuration.
type listenSet struct {
	keys    map[string]bool // of those that say it
	oneFile bool            // all stand in one file
}

func newListenSet(nodes []*node) *listenSet {
	s := &listenSet{keys: make(map[string]bool), oneFile: true}
	for _, n := range nodes {
		s.oneFile = s.oneFile && n.file == nodes[0].file
		if n.said("listen") && !n.bad("listen") {
			s.keys[listenKey(n)] = true
		}
	}
	return s
}

// identity returns a key that is equal for two parts of the same block. rtmp and http
// blocks are distinguished by where they listen; in a directory, one that does not
// say is the only one there.
func (l *loader) identity(b *node, all *listenSet) string {
	key := b.schema.name
	if b.schema.repeats {
		return fmt.Sprintf("%s\x00%p", key, b)
	}
	if all == nil || b.schema.single || len(b.schema.labels) > 0 {
		return key + "\x00" + strings.Join(b.labels, "\x00")
	}
	if b.bad("listen") {
		return fmt.Sprintf("%s\x00%p", key, b) // unknown: a block of its own
	}
	listen := listenKey(b)
	if !b.said("listen") && !all.oneFile {
		switch {
		case len(all.keys) == 1:
			for listen = range all.keys {
			}
		case len(all.keys) > 1:
			l.errorAt(b.rng, "which "+key+" block is this?", "there are several: repeat the listen of the one it belongs to")
		}
	}
	return key + "\x00" + listen
}

// listenKey returns what a block listens on: its listen, or if that is empty that of
// its tls block.
func listenKey(n *node) string {
	a := n.attrs["listen"]
	if a == nil || a.value == nil {
		return ""
	}
	list := a.value.(value.Addresses)
	if len(list) == 0 && n.one("tls") != nil {
		return "tls " + listenKey(n.one("tls"))
	}
	return "on " + listenText(list, nil)
}

// inherit lays child over parent: attribute by attribute, also inside single
// blocks; a labelled block of the parent stays unless the child has the same.
// The child's blocks come first: the first matching stream wins.
func inherit(schema *blockSchema, parent, child *node) *node {
	out := &node{schema: schema, file: child.file, labels: child.labels, rng: child.rng, attrs: maps.Clone(parent.attrs)}
	maps.Copy(out.attrs, child.attrs)
	for _, b := range child.blocks {
		s := schema.block(b.schema.name)
		if p := parent.one(b.schema.name); s.single && p != nil {
			b = inherit(s, p, b)
		}
		out.blocks = append(out.blocks, b)
	}
	own := make(map[string]bool)
	for _, b := range child.blocks {
		own[b.title()] = true
	}
	for _, p := range parent.blocks {
		if !own[p.title()] {
			out.blocks = append(out.blocks, p)
		}
	}
	return out
}
