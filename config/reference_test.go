package config

import (
	"os"
	"os/exec"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/rtmpd/rtmpd/config/value"
)

func TestReferenceIsTheOneInDocs(t *testing.T) {
	const path = "../docs/reference.md"
	if *update {
		if err := os.WriteFile(path, Reference(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(path); err != nil || string(want) != string(Reference()) {
		t.Errorf("docs/reference.md is stale (%v): go generate ./config", err)
	}
}

// TestDocsAreThoseOfTheSource runs the generator in a copy, so that a comment that
// was changed without go generate is found.
func TestDocsAreThoseOfTheSource(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	gen := exec.Command("go", "run", "gendocs.go")
	gen.Dir = dir
	if out, err := gen.CombinedOutput(); err != nil {
		t.Fatalf("gendocs: %v\n%s", err, out)
	}
	want, err := os.ReadFile(dir + "/docs.go")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("docs.go"); err != nil || string(got) != string(want) {
		t.Errorf("docs.go is stale (%v): go generate ./config", err)
	}
}

func TestEveryAttributeHasADocAndAnExampleThatHolds(t *testing.T) {
	functions := map[string]function.Function{"env": function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl:   func([]cty.Value, cty.Type) (cty.Value, error) { return cty.StringVal("a-very-good-secret"), nil },
	}), "join": stdlib.JoinFunc}
	walkSchema(func(path string, parent *blockSchema, a *attrSchema, b *blockSchema) {
		switch {
		case b != nil && b.index != nil && docs[fieldOf(parent.typ, b.index)] == "":
			t.Errorf("the block %s has no comment above its field", path)
		case a == nil || a.index == nil:
			return
		case docs[fieldOf(parent.typ, a.index)] == "":
			t.Errorf("%s has no comment above its field", path)
		}
		if a == nil {
			return
		}
		if reloadText[a.reload] == "" {
			t.Errorf("%s: nobody knows when %q is", path, a.reload)
		}
		text := a.example()
		expr, diags := hclsyntax.ParseExpression([]byte(text), "example", hcl.InitialPos)
		if diags.HasErrors() {
			t.Errorf("%s = %s: %v", path, text, diags)
			return
		}
		v, diags := expr.Value(&hcl.EvalContext{Functions: functions})
		if diags.HasErrors() {
			t.Errorf("%s = %s: %v", path, text, diags)
			return
		}
		read, err := a.read(v, value.Context{Dir: "/etc/rtmpd"})
		if err == nil {
			err = a.bounds(read)
		}
		if err != nil {
			t.Errorf("%s = %s: %v", path, text, err)
		}
	})
}
