package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/pialert/pialert/agent/internal/policy/replay"
	"github.com/pialert/pialert/agent/internal/responder"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/rule/messages"
	"github.com/pialert/pialert/agent/internal/scan"
	"github.com/pialert/pialert/pkg/cli"
	"github.com/pialert/pialert/pkg/eventjson"
	"github.com/pialert/pialert/pkg/schema"
)

var update = flag.Bool("update", false, "write the schemas in docs/json.md anew")

// docs/json.md shows the schema of what each command prints.
func TestJSONIsDocumented(t *testing.T) {
	err := schema.Document("../docs/json.md", map[string]reflect.Type{
		"pialert-agent status --format json":              reflect.TypeFor[Status](),
		"pialert-agent scan --format json --summary FILE": reflect.TypeFor[scan.Report](),
		"pialert-agent rules list --format json":          reflect.TypeFor[[]Listed](),
		"pialert-agent rules show --format json ID":       reflect.TypeFor[rule.Rule](),
		"pialert-agent rules test --format json":          reflect.TypeFor[RulesTested](),
		"pialert-agent rules coverage --format json":      reflect.TypeFor[[]messages.Coverage](),
		"pialert-agent config show --format json":         reflect.TypeFor[Config](),
		"pialert-agent scan --format json FILE":           reflect.TypeFor[eventjson.Line](),
		"pialert-agent bans --format json":                reflect.TypeFor[responder.Listed](),
		"pialert-agent explain --format json LINE":        reflect.TypeFor[Explained](),
		"pialert-agent config check --format json":        reflect.TypeFor[cli.Checked](),
		"pialert-agent version --format json":             reflect.TypeFor[cli.Built](),
		"pialert-agent responses check --format json":     reflect.TypeFor[replay.Banned](),
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
	quiet := filepath.Join(t.TempDir(), "auth.log")
	if err := os.WriteFile(quiet, []byte("Feb 10 09:00:00 web1 sshd[1]: Server listening on 0.0.0.0 port 22.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		of   reflect.Type
	}{
		{[]string{"config", "show"}, reflect.TypeFor[Config]()},
		{[]string{"config", "check"}, reflect.TypeFor[cli.Checked]()},
		{[]string{"rules", "list"}, reflect.TypeFor[[]Listed]()},
		{[]string{"rules", "show", "sshd-failed-password"}, reflect.TypeFor[rule.Rule]()},
		{[]string{"rules", "test"}, reflect.TypeFor[RulesTested]()},
		{[]string{"rules", "coverage", "sshd"}, reflect.TypeFor[[]messages.Coverage]()},
		{[]string{"scan", "--summary", quiet}, reflect.TypeFor[scan.Report]()},
		{[]string{"explain", "sshd[1]: Failed password for root from 192.0.2.7 port 22 ssh2"}, reflect.TypeFor[Explained]()},
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
			t.Errorf("%s: %v\n%.300s", test.args, err, out.Bytes())
		}
	}
}
