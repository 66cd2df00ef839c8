package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// unbuiltTable names what this version knows and checks but does not do yet: a
// block's type and the attribute or block in it, one value of an attribute, or one
// label of a block.
// An attribute may be set to its documented default; a block may stand there
// with enabled = false. When one of them is built, its row is removed and
// testdata/effects.txt gets the name of its behaviour test.
const unbuiltTable = `
`

// unbuilt is the table as a set. stream and defaults blocks hold an
// application's attributes; a name without a dot counts everywhere.
func unbuilt() map[string]bool {
	out := make(map[string]bool)
	for _, row := range strings.Fields(unbuiltTable) {
		out[row] = true
		if rest, ok := strings.CutPrefix(row, "application."); ok {
			out["stream."+rest] = true
			out["defaults."+rest] = true
		}
	}
	return out
}

// checkBuilt reports an attribute that has a value which does nothing yet.
func (l *loader) checkBuilt(n *node, a *attr) {
	key := n.schema.name + "." + a.schema.name
	if l.unbuilt[key] || l.unbuilt[a.schema.name] {
		if !isDefault(a) {
			advice := "leave it out"
			if a.schema.def != nil {
				advice += " or write its default, " + a.schema.text(a.schema.def)
			}
			l.unbuiltError(a.nameRng, a.schema.name, advice)
		}
		return
	}
	if s, ok := a.value.(string); ok && l.unbuilt[key+"="+s] {
		l.unbuiltError(a.rng, fmt.Sprintf("%s = %q", a.schema.name, s), "write another value")
	}
}

func isDefault(a *attr) bool {
	if a.schema.def != nil {
		return reflect.DeepEqual(a.value, a.schema.def)
	}
	return reflect.ValueOf(a.value).IsZero()
}

func (l *loader) unbuiltError(at hcl.Range, what, advice string) {
	l.diags = append(l.diags, unbuiltDiag(at, what, advice))
}

func unbuiltDiag(at hcl.Range, what, advice string) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: what + " is not built yet", Subject: at.Ptr(),
		Detail: "this version of rtmpd knows and checks it but does nothing with it: " + advice,
	}
}

// Built reports whether this version implements an attribute or a block, named by its
// block's type and its own name: "application.push", "record.exec", "hls.part".
func Built(name string) bool {
	_, bare, _ := strings.Cut(name, ".")
	rows := unbuilt()
	return !rows[name] && !rows[bare]
}
