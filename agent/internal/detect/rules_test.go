package detect

import (
	"strings"
	"testing"
	"testing/fstest"
)

func builtinRules(t testing.TB) *Rules {
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
	for _, failure := range rules.Test() {
		t.Error(failure)
	}
}

// What is loaded without examples must be the same rules.
func TestLoadingWithoutExamples(t *testing.T) {
	with := builtinRules(t).List()
	rules, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	without := rules.List()
	if len(with) != len(without) {
		t.Fatalf("%d rules with their examples, %d without", len(with), len(without))
	}
	for i, rule := range with {
		if got := without[i]; got.ID != rule.ID || got.Pattern != rule.Pattern || got.Note != rule.Note || len(got.Match) != 0 || got.NoMatch != nil {
			t.Errorf("rule %q became %q, with %d examples", rule.ID, got.ID, len(got.Match))
		}
		if err := without[i].ready(); err != nil {
			t.Errorf("rule %q: %v", rule.ID, err)
		}
	}
}

func TestRulesThatMakeNoSense(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"unknown key", "rules: [{id: a, colour: red}]", "colour"},
		{"unknown kind", "rules: [{id: a, kind: telepathy, tags: [a], pattern: '^a', match: [a]}]", "telepathy"},
		{"no kind", "rules: [{id: a, tags: [a], pattern: '^a', match: [a]}]", "kind is missing"},
		{"no tags", "rules: [{id: a, kind: ssh_login, pattern: '^a', match: [a]}]", "tags are missing"},
		{"no example", "rules: [{id: a, kind: ssh_login, tags: [a], pattern: '^a'}]", "match is missing"},
		{"unknown role", "rules: [{id: a, kind: ssh_login, role: villain, tags: [a], pattern: '^a', match: [a]}]", "villain"},
		{"broken pattern", "rules: [{id: a, kind: ssh_login, tags: [a], pattern: '^(a', match: [a]}]", "missing closing )"},
		{"unknown group", "rules: [{id: a, kind: ssh_login, tags: [a], pattern: '^(?P<colour>a)', match: [a]}]", "colour"},
		{"taken id", "rules: [{id: sshd-failed-password, kind: ssh_login, tags: [a], pattern: '^a', match: [a]}]", "has the id"},
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
