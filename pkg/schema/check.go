package schema

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Check says where JSON differs from a schema: a property that the schema has not, or requires, or that is
// of another type.
func (s Schema) Check(text []byte) error {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	return s.check("", value)
}

func (s Schema) check(path string, value any) error {
	if either, ok := s["anyOf"].([]Schema); ok { // nothing, or what is pointed to
		if value == nil {
			return nil
		}
		s = either[0]
	}
	kind, _ := s["type"].(string)
	wrong := fmt.Errorf("%s is %T, want %s", path+"/", value, kind)
	switch v := value.(type) {
	case nil:
		if kind != "" {
			return wrong
		}
	case bool:
		if kind != "boolean" && kind != "" {
			return wrong
		}
	case string:
		if kind != "string" && kind != "" {
			return wrong
		}
	case float64:
		if kind != "number" && (kind != "integer" || v != float64(int64(v))) && kind != "" {
			return wrong
		}
	case []any:
		items, ok := s["items"].(Schema)
		if !ok && kind != "" {
			return wrong
		}
		var problems []error
		for i, item := range v {
			problems = append(problems, items.check(fmt.Sprintf("%s/%d", path, i), item))
		}
		return errors.Join(problems...)
	case map[string]any:
		return s.checkObject(path, v, kind)
	}
	return nil
}

func (s Schema) checkObject(path string, object map[string]any, kind string) error {
	properties, _ := s["properties"].(Schema)
	others, open := s["additionalProperties"].(Schema)
	required, _ := s["required"].([]string)
	if kind != "object" {
		if kind == "" {
			return nil
		}
		return fmt.Errorf("%s is an object, want %s", path+"/", kind)
	}
	var problems []error
	for name, value := range object {
		of, known := properties[name].(Schema)
		switch {
		case known:
		case open:
			of = others
		case properties == nil:
			continue
		default:
			problems = append(problems, fmt.Errorf("%s/%s is not in the schema", path, name))
			continue
		}
		problems = append(problems, of.check(path+"/"+name, value))
	}
	for _, name := range required {
		if _, ok := object[name]; !ok {
			problems = append(problems, fmt.Errorf("%s/%s is required", path, name))
		}
	}
	return errors.Join(problems...)
}
