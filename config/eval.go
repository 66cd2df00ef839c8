package config

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/rtmpd/rtmpd/config/value"
)

// local is one attribute of a locals block.
type local struct {
	attr  *hcl.Attribute
	file  string
	value cty.Value
	state int // 0 not looked at, 1 being evaluated, 2 done
}

func (l *loader) collectLocals(file string, body fileBody) {
	for _, block := range body.Locals {
		attrs, diags := block.Body.JustAttributes()
		l.diags = append(l.diags, diags...)
		for _, a := range byPosition(attrs) {
			if first := l.locals[a.Name]; first != nil {
				l.errorAt(a.NameRange, fmt.Sprintf("local.%s is said twice", a.Name), "the first is at "+place(first.attr.NameRange))
				continue
			}
			l.locals[a.Name] = &local{attr: a, file: file}
		}
	}
}

func byPosition(attrs hcl.Attributes) []*hcl.Attribute {
	out := make([]*hcl.Attribute, 0, len(attrs))
	for _, a := range attrs {
		out = append(out, a)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i].NameRange, out[j].NameRange
		return a.Filename < b.Filename || a.Filename == b.Filename && a.Start.Byte < b.Start.Byte
	})
	return out
}

func (l *loader) evaluateLocals() {
	names := make([]string, 0, len(l.locals))
	for name := range l.locals {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		l.evaluateLocal(name, nil)
	}
}

// evaluateLocal evaluates a local after those it needs. A ring of locals is
// reported once, where it closes.
func (l *loader) evaluateLocal(name string, above []string) {
	x := l.locals[name]
	switch {
	case x == nil || x.state == 2:
		return
	case x.state == 1 || len(above) > 200:
		ring := above
		if i := slices.Index(above, name); i >= 0 {
			ring = above[i:]
		}
		if len(ring) > 10 {
			ring = append(ring[:10:10], "…")
		}
		l.errorAt(x.attr.NameRange, "these locals need each other", "local."+strings.Join(append(slices.Clone(ring), name), " needs local."))
		x.value, x.state = cty.DynamicVal, 2
		return
	}
	x.state = 1
	for _, t := range x.attr.Expr.Variables() {
		if need, ok := localName(t); ok {
			l.evaluateLocal(need, append(slices.Clone(above), name))
		}
	}
	if x.state == 2 {
		return // part of a ring
	}
	v, ok := l.evaluate(x.attr.Expr, x.file)
	if !ok {
		v = cty.DynamicVal
	}
	x.value, x.state = v, 2
	l.contexts = make(map[string]*hcl.EvalContext) // they hold the locals so far
}

// localName returns x of the traversal local.x.
func localName(t hcl.Traversal) (string, bool) {
	if t.RootName() != "local" || len(t) < 2 {
		return "", false
	}
	a, ok := t[1].(hcl.TraverseAttr)
	return a.Name, ok
}

// evaluate gives the value of an expression, marks and all. ok is false if it
// has none; that has been reported.
func (l *loader) evaluate(expr hcl.Expression, file string) (v cty.Value, ok bool) {
	if !l.checkVariables(expr) {
		return v, false
	}
	l.notes = nil
	v, diags := expr.Value(l.context(file))
	for _, d := range diags {
		// HCL's own writer would print the values they hold.
		d.Expression, d.EvalContext, d.Extra = nil, nil, nil
	}
	l.diags = append(l.diags, explainValues(diags)...)
	for _, note := range l.notes {
		l.warnAt(expr.Range(), note, "known only to the service; -strict makes it an error")
	}
	return v, !diags.HasErrors()
}

// checkVariables reports names that stand where a value should: only local.x
// is a variable.
func (l *loader) checkVariables(expr hcl.Expression) bool {
	good := true
	for _, t := range expr.Variables() {
		if t.RootName() != "local" {
			l.errorAt(t.SourceRange(), "a name without quotes is not a value", l.bareWord(t))
			return false
		}
		name, ok := localName(t)
		if !ok || l.locals[name] != nil {
			continue
		}
		names := make([]string, 0, len(l.locals))
		for n := range l.locals {
			names = append(names, n)
		}
		slices.Sort(names)
		advice := "locals { " + name + " = … } would make it"
		if near := value.Nearest(name, names); near != "" {
			advice = "did you mean local." + near + "?"
		}
		l.errorAt(t.SourceRange(), "there is no local."+name, advice)
		good = false
	}
	return good
}

// context is what an expression of a file may use: local.x and the functions.
func (l *loader) context(file string) *hcl.EvalContext {
	if c := l.contexts[file]; c != nil {
		return c
	}
	vals := make(map[string]cty.Value)
	for name, x := range l.locals {
		if x.state == 2 {
			vals[name] = x.value
		}
	}
	c := &hcl.EvalContext{
		Variables: map[string]cty.Value{"local": cty.ObjectVal(vals)},
		Functions: l.functions(l.dirOf(file)),
	}
	l.contexts[file] = c
	return c
}

func (l *loader) errorAt(at hcl.Range, summary, detail string) {
	l.diags = append(l.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: at.Ptr()})
}

func (l *loader) warnAt(at hcl.Range, summary, detail string) {
	l.diags = append(l.diags, &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: summary, Detail: detail, Subject: at.Ptr()})
}

// place is "file:line" of a range.
func place(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }
