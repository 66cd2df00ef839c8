package config

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// walkSchema visits every attribute and block once: what stands in a stream or
// defaults block stands in application, too.
func walkSchema(visit func(path string, parent *blockSchema, a *attrSchema, b *blockSchema)) {
	var walk func(prefix string, s *blockSchema)
	walk = func(prefix string, s *blockSchema) {
		for _, a := range s.attrs {
			visit(prefix+a.name, s, a, nil)
		}
		for _, b := range s.blocks {
			path := prefix + b.name
			visit(path, s, nil, b)
			if b.name != "stream" && b.name != "defaults" {
				walk(path+".", b)
			}
		}
	}
	walk("", newSchema())
}

func TestSchemaIsTheOneReviewed(t *testing.T) {
	var b strings.Builder
	walkSchema(func(path string, _ *blockSchema, a *attrSchema, block *blockSchema) {
		var words []string
		if block != nil {
			words = append(words, "block")
			for _, l := range block.labels {
				words = append(words, strings.TrimSpace(l.name+" "+strings.Join(l.allows.One, "|")))
			}
			if !block.single {
				words = append(words, "many")
			}
			if block.inStreams {
				words = append(words, "in stream")
			}
		} else {
			words = append(words, a.language(nil).Kind())
			if a.allows.One != nil {
				words = append(words, strings.Join(a.allows.One, "|"))
			}
			if a.def != nil {
				words = append(words, "default "+a.text(a.def))
			}
			if a.min != nil {
				words = append(words, "min "+a.text(a.min))
			}
			if a.max != nil {
				words = append(words, "max "+a.text(a.max))
			}
			if a.allows.Off {
				words = append(words, "or off")
			}
			if a.allows.Vars != "" {
				words = append(words, "$"+a.allows.Vars)
			}
			if a.need {
				words = append(words, "required")
			}
			if a.inStreams {
				words = append(words, "in stream")
			}
			words = append(words, "reload "+a.reload)
		}
		fmt.Fprintf(&b, "%s: %s\n", path, strings.Join(words, ", "))
	})
	golden := "testdata/schema.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the schema has changed; if that is meant, -update testdata/schema.txt. It is now:\n%s", b.String())
	}
}

// TestEveryAttributeHasAnEffect demands that each attribute is in effects.txt with a
// behaviour test that sets it.
func TestEveryAttributeHasAnEffect(t *testing.T) {
	effects := readEffects(t)
	packages := make(map[string]*testPackage)
	walkSchema(func(path string, parent *blockSchema, a *attrSchema, block *blockSchema) {
		name, index := "", []int(nil)
		if block != nil {
			if len(block.attrs) > 0 && !block.empty || len(block.blocks) > 0 || block.name == "defaults" || block.name == "stream" {
				return // its attributes speak for it
			}
			name, index = block.name, block.index
		} else {
			name, index = a.name, a.index
		}
		if index == nil {
			return // enabled: Dump and load tests
		}
		e, ok := effects[path]
		delete(effects, path)
		switch {
		case !ok:
			t.Errorf("%s is not in effects.txt", path)
			return
		case packages[e.dir] == nil:
			packages[e.dir] = parseTests(t, e.dir)
		}
		switch s := packages[e.dir].settings(e.test); {
		case s == nil:
			t.Errorf("%s: %s has no %s", path, e.dir, e.test)
		case !s.sets(parent, name, index, block != nil):
			t.Errorf("%s: %s in %s does not set it", path, e.test, e.dir)
		}
	})
	for _, path := range slices.Sorted(maps.Keys(effects)) {
		t.Errorf("effects.txt names %s, which the schema does not have", path)
	}
}

// TestEveryFieldIsInTheSchema: a field without a tag is forgotten by load, Dump
// and Diff, unless it is one of these.
func TestEveryFieldIsInTheSchema(t *testing.T) {
	computed := map[string]bool{
		"Config.Path": true, "Config.Reading": true, "Config.KeysFailing": true, "Application.FileKeys": true, "Tokens.KeySet": true, "StreamKey.Generated": true, "Location.Exact": true,
	}
	seen := make(map[reflect.Type]bool)
	var walk func(reflect.Type)
	walk = func(ty reflect.Type) {
		for ty.Kind() == reflect.Pointer || ty.Kind() == reflect.Slice {
			ty = ty.Elem()
		}
		if ty.Kind() != reflect.Struct || seen[ty] || ty.PkgPath() != reflect.TypeFor[Config]().PkgPath() ||
			ty == reflect.TypeFor[StreamRule]() {
			return
		}
		seen[ty] = true
		for i := range ty.NumField() {
			f := ty.Field(i)
			if _, tagged := f.Tag.Lookup("hcl"); !tagged && f.IsExported() && f.Type != rangeType && !computed[ty.Name()+"."+f.Name] {
				t.Errorf("%s.%s has no hcl tag", ty.Name(), f.Name)
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeFor[Config]())
	if len(seen) < 20 {
		t.Errorf("only %d structs", len(seen))
	}
}
