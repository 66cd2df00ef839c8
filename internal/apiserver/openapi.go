package apiserver

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// openAPI is the OpenAPI 3.1 document of REST. It is made of the table of routes and the
// types of the bodies, so that it can't say anything else than they do.
func openAPI(version string) map[string]any {
	schemas := make(map[string]any)
	paths := make(map[string]any)
	for _, rt := range routes() {
		item, _ := paths[rt.path].(map[string]any)
		if item == nil {
			item = make(map[string]any)
			paths[rt.path] = item
		}
		item[strings.ToLower(rt.method)] = rt.operation(schemas)
	}
	schemas["Problem"] = schemaOf(reflect.TypeFor[problem](), schemas)
	return map[string]any{
		"openapi": "3.1.0",
		"info":    map[string]any{"title": "rtmpd", "version": version, "description": "Streams, those who watch, pushes, stream keys and recordings of an rtmpd."},
		// Relative to where this document is.
		"servers":    []any{map[string]any{"url": "."}},
		"security":   []any{map[string]any{"bearer": []any{}}, map[string]any{"basic": []any{}}, map[string]any{}},
		"paths":      paths,
		"components": map[string]any{"schemas": schemas, "securitySchemes": map[string]any{"bearer": map[string]any{"type": "http", "scheme": "bearer"}, "basic": map[string]any{"type": "http", "scheme": "basic"}}},
	}
}

// operation is what the document says of a route.
func (rt *route) operation(schemas map[string]any) map[string]any {
	good := map[string]any{"description": "Done"}
	if rt.answer != nil {
		good["content"] = content(schemaRef(reflect.TypeOf(rt.answer), schemas))
	}
	responses := map[string]any{
		fmt.Sprint(rt.status): good,
		"4XX":                 map[string]any{"description": "Refused, and why", "content": content(map[string]any{"$ref": "#/components/schemas/Problem"})},
	}
	op := map[string]any{"summary": rt.summary, "operationId": rt.id(), "responses": responses}
	if rt.scope != "" {
		op["description"] = "Scope: " + rt.scope
		op["x-scope"] = rt.scope
	}
	params := []any{}
	for part := range strings.SplitSeq(rt.path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			params = append(params, map[string]any{"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
		}
	}
	for _, p := range rt.query {
		params = append(params, map[string]any{"name": p.name, "in": "query", "description": p.what, "schema": map[string]any{"type": "string"}})
	}
	if len(params) > 0 {
		op["parameters"] = params
	}
	if rt.body != nil {
		op["requestBody"] = map[string]any{"required": true, "content": content(schemaRef(reflect.TypeOf(rt.body), schemas))}
	}
	return op
}

// id is a name for the operation: getStreamsApplicationStream.
func (rt *route) id() string {
	id := strings.ToLower(rt.method)
	for _, part := range strings.FieldsFunc(rt.path, func(r rune) bool { return strings.ContainsRune("/{}.", r) }) {
		id += strings.ToUpper(part[:1]) + part[1:]
	}
	return id
}

func content(schema any) map[string]any {
	return map[string]any{"application/json": map[string]any{"schema": schema}}
}

// schemaRef is a reference to the schema of a type, which it adds to schemas.
func schemaRef(t reflect.Type, schemas map[string]any) map[string]any {
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]() {
		return schemaOf(t, schemas)
	}
	if schemas[t.Name()] == nil {
		schemas[t.Name()] = map[string]any{} // for a type within itself
		schemas[t.Name()] = schemaOf(t, schemas)
	}
	return map[string]any{"$ref": "#/components/schemas/" + t.Name()}
}

// schemaOf is the JSON Schema of a type.
func schemaOf(t reflect.Type, schemas map[string]any) map[string]any {
	switch t.Kind() {
	case reflect.Pointer:
		return schemaRef(t.Elem(), schemas)
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int:
		return map[string]any{"type": "integer"}
	case reflect.Uint64:
		return map[string]any{"type": "integer", "minimum": 0}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaRef(t.Elem(), schemas)}
	case reflect.Map:
		return map[string]any{"type": "object"}
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return map[string]any{"type": "string", "format": "date-time"}
		}
		properties, required := make(map[string]any), []any{}
		for i := range t.NumField() {
			f := t.Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" || name == "-" {
				continue
			}
			p := schemaRef(f.Type, schemas)
			if what := f.Tag.Get("what"); what != "" {
				p["description"] = what
			}
			properties[name] = p
			if options != "omitempty" {
				required = append(required, name)
			}
		}
		return map[string]any{"type": "object", "properties": properties, "required": required}
	}
	return map[string]any{"type": "string"}
}
