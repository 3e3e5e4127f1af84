package detect

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pialert/pialert/agent/internal/rule"
)

func builtinRules(t testing.TB) *rule.Set {
	t.Helper()
	rules, err := LoadWithExamples()
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// The built-in rules' examples are their tests.
func TestExamplesOfTheBuiltInRules(t *testing.T) {
	rules := builtinRules(t)
	if len(rules.List()) == 0 {
		t.Fatal("there are no built-in rules")
	}
	for _, failure := range Test(rules, rules.List()) {
		t.Error(failure)
	}
}

func TestRulesWithWrongExamples(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"failing example", "rules: [{id: a, kind: ssh_login, tags: [a], pattern: '^b', match: [a]}]", "no rule matches"},
		{"wrong field", "rules: [{id: a, kind: ssh_login, tags: [a], pattern: '^a (?P<user>.*)', match: [{line: a b, user: c}]}]", "user is b, want c"},
		{"matching what it must not", "rules: [{id: a, kind: ssh_login, tags: [a], pattern: '^a', match: [a], no_match: [ab]}]", "must not match"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Load(fstest.MapFS{"mine.yaml": {Data: []byte(test.file)}})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "mine.yaml") {
				t.Errorf("error %v, want one about %q in mine.yaml", err, test.want)
			}
		})
	}
}
