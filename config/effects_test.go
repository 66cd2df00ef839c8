package config

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// An effect is a row of testdata/effects.txt: the behaviour test that shows
// what an attribute does.
type effect struct {
	dir  string // the package's directory, from the top of the repository
	test string
}

// readEffects reads the table. An attribute has one row.
func readEffects(t *testing.T) map[string]effect {
	t.Helper()
	data, err := os.ReadFile("testdata/effects.txt")
	if err != nil {
		t.Fatal(err)
	}
	effects := make(map[string]effect)
	for n, line := range strings.Split(string(data), "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
		case len(words) != 3:
			t.Errorf("effects.txt:%d: %q: write the attribute, the package and the name of the test that shows its effect", n+1, line)
		case effects[words[0]] != effect{}:
			t.Errorf("effects.txt:%d: a second row for %s", n+1, words[0])
		default:
			effects[words[0]] = effect{words[1], words[2]}
		}
	}
	return effects
}

// testDecls holds the functions, methods, constants and variables of a _test.go
// file, or of all of a package, by name.
type testDecls map[string]ast.Node

func (decls testDecls) addFile(f *ast.File) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			decls[d.Name.Name] = d
		case *ast.GenDecl:
			for _, s := range d.Specs {
				if v, ok := s.(*ast.ValueSpec); ok {
					for _, name := range v.Names {
						decls[name.Name] = v
					}
				}
			}
		}
	}
}

// testPackage is what the tests of one package declare.
type testPackage struct {
	files []testDecls
	all   testDecls
}

func parseTests(t *testing.T, dir string) *testPackage {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	p := &testPackage{all: make(testDecls)}
	for _, path := range paths {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		p.add(f)
	}
	return p
}

func (p *testPackage) add(f *ast.File) {
	decls := make(testDecls)
	decls.addFile(f)
	p.all.addFile(f)
	p.files = append(p.files, decls)
}

// settings is what a test sets: configuration text and fields of structs.
type settings struct {
	text   strings.Builder // its string literals, one per line
	fields map[string]bool // keys of its composite literals and fields it assigns to
	names  map[string]bool // all identifiers, those of helpers in other files, too
}

// settings collects what the test sets: by itself, by the functions of its file
// that it uses, and by the package's constants and variables. A function of
// another file adds its identifiers alone: what every test of the package calls
// is not there to show this attribute. Without such a test it returns nil.
func (p *testPackage) settings(test string) *settings {
	for _, file := range p.files {
		if _, ok := file[test].(*ast.FuncDecl); ok {
			s := &settings{fields: make(map[string]bool), names: make(map[string]bool)}
			s.add(test, file, p.all, false)
			return s
		}
	}
	return nil
}

func (s *settings) add(name string, file, all testDecls, namesOnly bool) {
	if s.names[name] {
		return
	}
	s.names[name] = true
	decl, ok := file[name]
	if !ok {
		decl, ok = all[name]
		if !ok {
			return
		}
		_, function := decl.(*ast.FuncDecl)
		namesOnly = namesOnly || function
	}
	ast.Inspect(decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING && !namesOnly {
				s.text.WriteString(text + "\n")
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && !namesOnly {
				s.fields[key.Name] = true
			}
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				if sel, ok := left.(*ast.SelectorExpr); ok && !namesOnly {
					s.fields[sel.Sel.Name] = true
				}
			}
		case *ast.Ident:
			s.add(n.Name, file, all, namesOnly)
		}
		return true
	})
}

// sets reports whether the attribute, or the block that has no attributes, is
// among the settings: as HCL text in its block, or as the field of its struct.
func (s *settings) sets(parent *blockSchema, name string, index []int, block bool) bool {
	owner := parent.typ
	for _, i := range index[:len(index)-1] { // an embedded struct has its own name
		owner = owner.Field(i).Type
	}
	field := parent.typ.FieldByIndex(index).Name
	byField := s.fields[field] && (s.names[owner.Name()] || len(schemaStructs(field)) == 1)
	switch {
	case block:
		return s.opens(name) || byField
	case !regexp.MustCompile(`(^|[\s{])` + name + `\s*=[^=]`).MatchString(s.text.String()):
		return byField
	}
	switch parent.name {
	case "", "rtmp", "application": // a helper may write these around the text
		return true
	}
	return s.opens(parent.name) || byField
}

// opens reports whether a block of the name begins in the text.
func (s *settings) opens(name string) bool {
	return regexp.MustCompile(`(^|[\s{])` + name + `\b[^={}\n]*\{`).MatchString(s.text.String())
}

// schemaStructs returns the structs of the schema that have a field of the name.
func schemaStructs(field string) map[reflect.Type]bool {
	structs := make(map[reflect.Type]bool)
	walkSchema(func(_ string, parent *blockSchema, _ *attrSchema, _ *blockSchema) {
		if f, ok := parent.typ.FieldByName(field); ok {
			owner := parent.typ
			for _, i := range f.Index[:len(f.Index)-1] {
				owner = owner.Field(i).Type
			}
			structs[owner] = true
		}
	})
	return structs
}

// TestSettingsOf checks what counts as setting an attribute.
func TestSettingsOf(t *testing.T) {
	p := &testPackage{all: make(testDecls)}
	for _, source := range []string{
		`package p
func TestText(t *testing.T)      { run("rtmp {\n" + "  max_publishers = 2\n}") }
func TestConstant(t *testing.T)  { run(limited) }
func TestStruct(t *testing.T)    { run(config.Application{MaxPublishers: 2}) }
func TestAssigned(t *testing.T)  { cfg := application(); cfg.MaxPublishers = 2 }
func TestMention(t *testing.T)   { t.Log("max_publishers"); if cfg.MaxPublishers == 2 {} }
func TestLonger(t *testing.T)    { run("max_publishers_per_ip = 2") }
func TestElsewhere(t *testing.T) { helper() }
func TestNear(t *testing.T)      { near() }
func near() { run("max_publishers = 2") }
`, `package p
const limited = "max_publishers = 2"
func helper() { run("max_publishers = 2") }
`,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "p_test.go", source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		p.add(f)
	}
	for test, want := range map[string]bool{
		"TestText": true, "TestConstant": true, "TestStruct": true, "TestAssigned": true, "TestNear": true,
		"TestMention": false, "TestLonger": false, "TestElsewhere": false,
	} {
		walkSchema(func(path string, parent *blockSchema, a *attrSchema, _ *blockSchema) {
			if path != "rtmp.application.max_publishers" {
				return
			}
			if got := p.settings(test).sets(parent, a.name, a.index, false); got != want {
				t.Errorf("%s sets max_publishers: %t, want %t", test, got, want)
			}
		})
	}
	if p.settings("TestNone") != nil {
		t.Error("settings of a test that does not exist")
	}
}
