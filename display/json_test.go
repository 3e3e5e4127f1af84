package main

import (
	"bytes"
	"flag"
	"reflect"
	"testing"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/notice"
	"github.com/pialert/pialert/pkg/eventjson"
	"github.com/pialert/pialert/pkg/schema"
)

var update = flag.Bool("update", false, "write the schemas in docs/json.md anew")

// docs/json.md shows the schema of what each command prints.
func TestJSONIsDocumented(t *testing.T) {
	err := schema.Document("../docs/json.md", map[string]reflect.Type{
		"pialert-display status --format json":       reflect.TypeFor[Status](),
		"pialert-display today --format json":        reflect.TypeFor[Today](),
		"pialert-display events --format json":       reflect.TypeFor[eventjson.Line](),
		"pialert-display top --format json users":    reflect.TypeFor[history.Tally](),
		"pialert-display notices list --format json": reflect.TypeFor[notice.Entry](),
		"pialert-display config show --format json":  reflect.TypeFor[Config](),
		"pialert-display fleet status --format json": reflect.TypeFor[FleetStatus](),
	}, *update)
	if err != nil {
		t.Error(err)
	}
}

// The configuration is printed as its schema says.
func TestConfigurationIsAsItsSchema(t *testing.T) {
	var out bytes.Buffer
	command := rootCommand()
	command.SetOut(&out)
	command.SetArgs([]string{"config", "show", "--format", "json"})
	if err := command.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := schema.Of(reflect.TypeFor[Config]()).Check(out.Bytes()); err != nil {
		t.Errorf("%v\n%s", err, out.Bytes())
	}
}
