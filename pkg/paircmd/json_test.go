package paircmd

import (
	"flag"
	"reflect"
	"testing"

	"github.com/pialert/pialert/pkg/schema"
)

var update = flag.Bool("update", false, "write the schema in docs/json.md anew")

// docs/json.md shows the schema of what peers prints.
func TestJSONIsDocumented(t *testing.T) {
	err := schema.Document("../../docs/json.md", map[string]reflect.Type{"pialert-agent peers --format json": reflect.TypeFor[report]()}, *update)
	if err != nil {
		t.Error(err)
	}
}
