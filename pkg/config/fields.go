package config

import (
	"reflect"
	"strings"
)

// table is the fields of a struct by their keys.
type table struct {
	names  []string // in their order
	values map[string]reflect.Value
}

func fields(v reflect.Value) table {
	t := table{values: map[string]reflect.Value{}}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		key, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if key == "-" {
			continue
		}
		if strings.Contains(options, "inline") {
			inner := fields(v.Field(i))
			for _, name := range inner.names {
				t.names, t.values[name] = append(t.names, name), inner.values[name]
			}
			continue
		}
		if key == "" {
			key = strings.ToLower(field.Name)
		}
		t.names, t.values[key] = append(t.names, key), v.Field(i)
	}
	return t
}
