package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"time"
)

// blockSet is the blocks of one type in a struct, by their titles.
type blockSet struct {
	keys   []string
	values map[string]reflect.Value
}

func members(s *blockSchema, parent reflect.Value) blockSet {
	set := blockSet{values: make(map[string]reflect.Value)}
	add := func(key string, v reflect.Value) {
		set.keys = append(set.keys, key)
		set.values[key] = v
	}
	f := parent.FieldByIndex(s.index)
	switch f.Kind() {
	case reflect.Struct:
		add(s.name, f)
	case reflect.Pointer:
		if !f.IsNil() {
			add(s.name, f.Elem())
		}
	case reflect.Bool:
		if f.Bool() {
			add(s.name, f)
		}
	default:
		for i := range f.Len() {
			e := f.Index(i)
			key := s.name
			for _, l := range s.labels {
				key += fmt.Sprintf(" %q", labelOf(e, l))
			}
			if len(s.labels) == 0 {
				key = fmt.Sprint(key, i)
			}
			for n := 2; s.repeats && set.values[key].IsValid(); n++ {
				key = fmt.Sprintf("%s %q, number %d", s.name, labelOf(e, s.labels[0]), n)
			}
			add(key, e)
		}
	}
	return set
}

// labelOf is a label as the config writes it: a location's may be "= /x".
func labelOf(block reflect.Value, l *attrSchema) string {
	if loc, ok := block.Interface().(Location); ok && loc.Exact {
		return "= " + loc.Path
	}
	return block.FieldByIndex(l.index).String()
}

// Equal reports whether two parts of configurations mean the same: everything but
// where they stand in a file.
func Equal[T any](a, b T) bool {
	return equal(reflect.ValueOf(&a).Elem(), reflect.ValueOf(&b).Elem())
}

func equal(a, b reflect.Value) bool {
	if a.Type() == rangeType {
		return true
	}
	if t, ok := a.Interface().(time.Time); ok {
		return t.Equal(b.Interface().(time.Time))
	}
	switch a.Kind() {
	case reflect.Struct:
		if a.Type() == reflect.TypeFor[netip.Prefix]() {
			return a.Interface() == b.Interface()
		}
		for i := range a.NumField() {
			if a.Type().Field(i).IsExported() && !equal(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return equal(a.Elem(), b.Elem())
	case reflect.Slice:
		if a.IsNil() != b.IsNil() || a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !equal(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}
