package main

import (
	"bytes"
	"flag"
	"reflect"
	"testing"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/display/internal/notice"
	"github.com/pialert/pialert/pkg/cli"
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

// Every command that can print JSON has its place in docs/json.md.
func TestEveryJSONHasItsPlace(t *testing.T) {
	if missing := schema.Undocumented("../docs/json.md", cli.JSONCommands(rootCommand())); missing != nil {
		t.Errorf("docs/json.md has nothing of %q", missing)
	}
}

// What the commands print is as their schemas say.
func TestJSONIsAsItsSchema(t *testing.T) {
	for _, test := range []struct {
		args []string
		of   reflect.Type
	}{
		{[]string{"config", "show"}, reflect.TypeFor[Config]()},
		{[]string{"config", "check"}, reflect.TypeFor[cli.Checked]()},
	} {
		var out bytes.Buffer
		command := rootCommand()
		command.SetOut(&out)
		command.SetArgs(append(test.args, "--format", "json"))
		if err := command.ExecuteContext(t.Context()); err != nil {
			t.Errorf("%s: %v", test.args, err)
			continue
		}
		if err := schema.Of(test.of).Check(out.Bytes()); err != nil {
			t.Errorf("%s: %v\n%s", test.args, err, out.Bytes())
		}
	}
}
