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

// unbuiltAt reports whether the table has the attribute or block, or one above it.
func unbuiltAt(path string, parent *blockSchema, name string) bool {
	table := unbuilt()
	if table[parent.name+"."+name] || table[name] && strings.HasPrefix(name, "notify_") {
		return true
	}
	above := strings.Split(path, ".")
	for i := len(above) - 1; i > 0; i-- { // a block above it
		outer := ""
		if i > 1 {
			outer = above[i-2]
		}
		if table[outer+"."+above[i-1]] {
			return true
		}
	}
	return false
}

func TestSchemaIsTheOneReviewed(t *testing.T) {
	var b strings.Builder
	walkSchema(func(path string, parent *blockSchema, a *attrSchema, block *blockSchema) {
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
			if unbuiltAt(path, parent, block.name) {
				words = append(words, "unbuilt")
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
			if unbuiltAt(path, parent, a.name) {
				words = append(words, "unbuilt")
			}
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

// TestEveryAttributeIsBuiltOrSaysSo demands that each attribute is in the table
// of what is not built, or in effects.txt with a behaviour test that sets it.
func TestEveryAttributeIsBuiltOrSaysSo(t *testing.T) {
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
		case unbuiltAt(path, parent, name):
			if ok {
				t.Errorf("%s is in the table of what is not built and in effects.txt", path)
			}
			return
		case !ok:
			t.Errorf("%s is neither in the table of what is not built nor in effects.txt", path)
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

// TestUnbuiltRowsExist: a row that names nothing would silently do nothing.
func TestUnbuiltRowsExist(t *testing.T) {
	known := make(map[string]bool)
	walkSchema(func(_ string, parent *blockSchema, a *attrSchema, b *blockSchema) {
		if b != nil {
			known[parent.name+"."+b.name] = true
			known[b.name] = true
			for i := 0; b.repeats && i < len(TriggerKinds); i++ {
				known[b.name+"="+TriggerKinds[i].Name] = true
			}
			return
		}
		known[a.name] = true
		known[parent.name+"."+a.name] = true
		for _, v := range a.allows.One {
			known[parent.name+"."+a.name+"="+v] = true
		}
	})
	for _, row := range strings.Fields(unbuiltTable) {
		if !known[row] {
			t.Errorf("the table of what is not built names %s, which does not exist", row)
		}
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
