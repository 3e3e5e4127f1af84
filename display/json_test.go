package main

import (
	"flag"
	"reflect"
	"testing"

	"github.com/pialert/pialert/pkg/schema"
)

var update = flag.Bool("update", false, "write the schemas in docs/json.md anew")

// docs/json.md shows the schema of what each command prints.
func TestJSONIsDocumented(t *testing.T) {
	err := schema.Document("../docs/json.md", map[string]reflect.Type{
		"pialert-display status --format json": reflect.TypeFor[Status](),
		"pialert-display today --format json":  reflect.TypeFor[Today](),
	}, *update)
	if err != nil {
		t.Error(err)
	}
}
