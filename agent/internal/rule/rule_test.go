package rule

import (
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pialert/pialert/pkg/attack"
)

func builtinRules(t testing.TB) *Set {
	t.Helper()
	rules, err := LoadWithExamples()
	if err != nil {
		t.Fatal(err)
	}
	return rules
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
		got, want := reflect.ValueOf(without[i]).Elem(), reflect.ValueOf(rule).Elem()
		for _, field := range reflect.VisibleFields(want.Type()) {
			switch {
			case !field.IsExported():
			case field.Name == "Match" || field.Name == "NoMatch":
				if !got.FieldByIndex(field.Index).IsNil() {
					t.Errorf("rule %q has %s", rule.ID, field.Name)
				}
			default:
				got, want := got.FieldByIndex(field.Index).Interface(), want.FieldByIndex(field.Index).Interface()
				if !reflect.DeepEqual(got, want) {
					t.Errorf("rule %q: %s is %v, want %v", rule.ID, field.Name, got, want)
				}
			}
		}
		if err := without[i].Ready(); err != nil {
			t.Errorf("rule %q: %v", rule.ID, err)
		}
		if got, want := made(without[i]), made(rule); got != want {
			t.Errorf("rule %q: %v, want %v", rule.ID, got, want)
		}
	}
}

// made is what is made of a rule's fields when it is read.
func made(r *Rule) [4]int {
	return [...]int{r.Number(), int(r.ReporterNumber()), int(r.family), int(r.asked)}
}

// Rules are tried from the highest number to 0, those of the user first.
func TestNumbers(t *testing.T) {
	t.Parallel()
	one := func(id string) fstest.MapFS {
		return fstest.MapFS{"mine.yaml": {Data: []byte("rules: [{id: " + id + ", kind: ssh_login, tags: [a], pattern: '^a$', match: [a]}]")}}
	}
	for name, load := range map[string]func(...fs.FS) (*Set, error){"without examples": Load, "with examples": LoadWithExamples} {
		rules, err := load(one("first"), one("second"))
		if err != nil {
			t.Fatal(err)
		}
		all := rules.List()
		for i, r := range all {
			if r.Number() != len(all)-1-i {
				t.Errorf("%s: rule %d of %d, %s, has the number %d", name, i, len(all), r.ID, r.Number())
			}
		}
	}
}

// Ids stand in commands, file names and metrics, so they are plain.
func TestIDs(t *testing.T) {
	t.Parallel()
	for id, valid := range map[string]bool{
		"a": true, "sshd-failed": true, "my.own_rule-2": true, "7zip": true, strings.Repeat("x", attack.MaxRuleID): true,
		"''": false, ".a": false, "_a": false, "'-a'": false, "Sshd": false, "a b": false, "a/b": false, strings.Repeat("x", attack.MaxRuleID+1): false,
	} {
		_, err := Load(fstest.MapFS{"mine.yaml": {Data: []byte("rules: [{id: " + id + ", kind: ssh_login, tags: [a], pattern: '^a$', match: [a]}]")}})
		if (err == nil) != valid {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestRulesThatMakeNoSense(t *testing.T) {
	tests := []struct{ name, file, want string }{
		{"unknown key", "rules: [{id: a, colour: red}]", "colour"},
		{"unknown kind", "rules: [{id: a, kind: telepathy, tags: [a], pattern: '^a', match: [a]}]", "telepathy"},
		{"no kind", "rules: [{id: a, tags: [a], pattern: '^a', match: [a]}]", "kind is missing"},
		{"no network", "rules: [{id: a, kind: http_probe, type: access, from: [example.org], pattern: '^/a', match: [GET /a 200]}]", `from: "example.org" is no network`},
		{"networks of an error log", "rules: [{id: a, kind: http_probe, type: error, from: [192.0.2.0/24], pattern: '^a', match: [a]}]", "methods and from are"},
		{"no tags", "rules: [{id: a, kind: ssh_login, pattern: '^a', match: [a]}]", "tags are missing"},
		{"no pattern", "rules: [{id: a, kind: ssh_login, tags: [a], match: [a]}]", "pattern is missing"},
		{"no example", "rules: [{id: a, kind: ssh_login, tags: [a], pattern: '^a'}]", "match is missing"},
		{"unknown role", "rules: [{id: a, kind: ssh_login, role: villain, tags: [a], pattern: '^a', match: [a]}]", "villain"},
		{"broken pattern", "rules: [{id: a, kind: ssh_login, tags: [a], pattern: '^(a', match: [a]}]", "missing closing )"},
		{"unknown group", "rules: [{id: a, kind: ssh_login, tags: [a], pattern: '^(?P<colour>a)', match: [a]}]", "colour"},
		{"taken id", "rules: [{id: sshd-failed-password, kind: ssh_login, tags: [a], pattern: '^a', match: [a]}]", "has the id"},
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

// Rules without a literal that can be searched for would be tried on every request.
func TestBuiltInRulesForRequestsCanBeSearchedFor(t *testing.T) {
	t.Parallel()
	web := builtinRules(t).requests()
	for _, p := range []part{target, referer, agent} {
		for _, r := range web.searchers[p].others {
			t.Errorf("%s has no literals: %q", r.ID, r.expr.Literals())
		}
	}
}

// Every mistake in the user's rules is said at once, each at its place, also in files that end in yml.
func TestMistakesOfTheUsersRules(t *testing.T) {
	t.Parallel()
	_, err := Load(fstest.MapFS{
		"a.yaml": {Data: []byte("rules:\n  - id: A\n    kind: ssh_logn\n    patern: x\n  - id: b\n    kind: ssh_login\n    tags: [x]\n    match: [x]\n    pattern: '('\n")},
		"b.yml":  {Data: []byte("rules: 7\n")},
		"c.yaml": {Data: []byte("rules:\n  - {kind: ssh_logn, pattern: '(', severity: lots}\n")},
		"d.yaml": {Mode: fs.ModeDir},
		"e.yaml": {Data: []byte("rules:\n  - {id: e, kind: ssh_login, tags: [x], pattern: '^x$', match: [x]}\n  -\n")},
	})
	if err == nil {
		t.Fatal("they were accepted")
	}
	for _, want := range []string{
		"a.yaml:3:11: rule \"A\": ", "there is no kind", "a.yaml:4:5: there is no rules[0].patern; did you mean pattern?",
		"a.yaml:9:14: rule \"b\": pattern", "b.yml:1:8: rules: \"7\" is no list",
		"c.yaml:2:5: rule \"\": id is missing", "c.yaml:2:12: rule \"\": kind: there is no kind \"ssh_logn\"; did you mean ssh_login?", "c.yaml:2:31: rule \"\": pattern", "c.yaml:2:46: rule \"\": severity",
		"c.yaml:2:5: rule \"\": tags are missing", "c.yaml:2:5: rule \"\": match is missing", "d.yaml: ", "e.yaml: rule 2 is empty",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in\n%v", want, err)
		}
	}
}

// No built-in rule leaves an end of a line to its client.
func TestBuiltInPatternsAreAnchored(t *testing.T) {
	t.Parallel()
	for _, r := range builtinRules(t).List() {
		if warning := r.Warning(); warning != "" {
			t.Errorf("%s, %s: %s", r.Origin, r.ID, warning)
		}
	}
}

// A mistake names the file as its owner would open it.
func TestMistakesNameTheFolder(t *testing.T) {
	t.Parallel()
	_, err := Load(Folder{fstest.MapFS{"a.yaml": {Data: []byte("rule: []\n")}, "b.yaml": {Mode: fs.ModeDir}}, "/etc/rules.d"})
	for _, want := range []string{"/etc/rules.d/a.yaml:1:1: there is no rule; did you mean rules?", "/etc/rules.d/b.yaml: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}

func TestAPatternWithoutAnchorIsDangerous(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		"^failed for (?P<user>.*) from (?P<source>[0-9.]+)$": "",
		"failed for (?P<user>.*) from (?P<source>[0-9.]+)$":  "begins without ^",
		"^failed for (?P<user>.*) from (?P<source>[0-9.]+)":  "ends without $",
		"^failed from (?P<source>[0-9.]+)(?:$|: .*$)":        "",
		"failed from (?P<source>[0-9.]+)":                    "begins without ^ and ends without $",
	} {
		r := &Rule{Type: TypeSyslog, Role: RoleEvent, Pattern: pattern}
		if want != "" {
			want = "its pattern " + want + ": who may type a user name that holds such a line chooses the address that is counted"
		}
		if got := r.Warning(); got != want {
			t.Errorf("%s: %q, want %q", pattern, got, want)
		}
	}
}

func TestShowNamesWhatIsNear(t *testing.T) {
	rules, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{
		"sshd-failed-passwrd": `there is no rule "sshd-failed-passwrd"; did you mean sshd-failed-password?`,
		"press-users":         `there is no rule "press-users"; did you mean wordpress-users?`,
		"xyzzy":               `there is no rule "xyzzy"; pialert-agent rules list has them all`,
	} {
		if _, err := rules.Show(id); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", id, err, want)
		}
	}
}

// What stands where a daemon writes its peer is an address, with or without a port, or a name. That sshd cannot
// ask for its peer any more names nobody.
func TestPeersInLines(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{"192.0.2.7", `192.0.2.7 "" 0`}, {"192.0.2.7", `192.0.2.7 "" 0`}, {"2001:db8::7", `2001:db8::7 "" 0`},
		{"192.0.2.70", `192.0.2.70 "" 0`}, {"[192.0.2.7]:22", `192.0.2.7 "" 22`}, {"[2001:db8::7]:22", `2001:db8::7 "" 22`},
		{"scanner.example.net", `invalid IP "scanner.example.net" 0`},
		{"UNKNOWN", `invalid IP "" 0`}, {"unknown", `invalid IP "" 0`}, {"", `invalid IP "" 0`},
	} {
		var f Fields
		text := []byte("by " + test.text)
		f.readSource(Span{3, uint32(len(text))}, text[3:])
		if got := fmt.Sprintf("%v %q %d", f.Source, f.Host.In(text), f.Port); got != test.want {
			t.Errorf("%q is %s, want %s", test.text, got, test.want)
		}
	}
}
