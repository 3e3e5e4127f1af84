// Package schema describes what a Go type becomes as JSON, as JSON Schema (draft 2020-12).
//
// It promises to follow encoding/json's rules for the types that the programs print: tags,
// omitempty and omitzero, embedded structs, and types that are texts; where a field has no tag for JSON,
// that for YAML, since configurations and rules are written as both. It refuses nothing: what it
// does not know is described as anything. Only tests use it, to hold docs/json.md to the truth.
package schema

import (
	"encoding"
	"reflect"
	"strings"
	"time"
)

// Schema is a JSON Schema.
type Schema map[string]any

// Of returns the schema of a type. A property is required unless its tag lets it be left out.
func Of(t reflect.Type) Schema {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return Schema{"type": "string", "format": "date-time"}
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()), t.Implements(reflect.TypeFor[textInYAML]()):
		return Schema{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return Of(t.Elem())
	case reflect.Bool:
		return Schema{"type": "boolean"}
	case reflect.String:
		return Schema{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return Schema{"type": "number"}
	case reflect.Slice, reflect.Array:
		return Schema{"type": "array", "items": Of(t.Elem())}
	case reflect.Map:
		return Schema{"type": "object", "additionalProperties": Of(t.Elem())}
	case reflect.Struct:
		properties, required := Schema{}, []string{}
		collect(t, properties, &required)
		s := Schema{"type": "object", "properties": properties}
		if len(required) > 0 {
			s["required"] = required
		}
		return s
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return Schema{"type": "integer", "minimum": 0}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return Schema{"type": "integer"}
	}
	return Schema{}
}

// textInYAML is a value of a configuration that is written as text, such as a duration.
type textInYAML interface{ MarshalYAML() ([]byte, error) }

// collect adds the fields of a struct, those of embedded ones as its own.
func collect(t reflect.Type, properties Schema, required *[]string) {
	for i := range t.NumField() {
		field := t.Field(i)
		tag := field.Tag.Get("json")
		if tag == "" {
			tag = field.Tag.Get("yaml")
		}
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case field.Anonymous && name == "":
			collect(field.Type, properties, required)
			continue
		case !field.IsExported() || name == "-":
			continue
		case name == "":
			name = field.Name
		}
		properties[name] = Of(field.Type)
		if !strings.Contains(options, "omit") {
			*required = append(*required, name)
			if field.Type.Kind() == reflect.Pointer {
				properties[name] = Schema{"anyOf": []Schema{Of(field.Type), {"type": "null"}}}
			}
		}
	}
}
