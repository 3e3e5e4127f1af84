package main

import (
	"flag"
	"reflect"
	"testing"

	"github.com/pialert/pialert/agent/internal/scan"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/schema"
)

var update = flag.Bool("update", false, "write the schemas in docs/json.md anew")

// docs/json.md shows the schema of what each command prints.
func TestJSONIsDocumented(t *testing.T) {
	err := schema.Document("../docs/json.md", map[string]reflect.Type{
		"pialert-agent status --format json":              reflect.TypeFor[Status](),
		"pialert-agent scan --format json --summary FILE": reflect.TypeFor[scan.Report](),
		"pialert-agent rules list --format json":          reflect.TypeFor[[]Listed](),
		"pialert-agent explain --format json LINE":        reflect.TypeFor[Explained](),
		"pialert-agent config check --format json":        reflect.TypeFor[cli.Checked](),
		"pialert-agent version --format json":             reflect.TypeFor[cli.Built](),
	}, *update)
	if err != nil {
		t.Error(err)
	}
}
