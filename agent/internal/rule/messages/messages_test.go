package messages

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestTheInventoryLoads(t *testing.T) {
	files, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("there are no messages")
	}
}

func TestMessagesThatMakeNoSense(t *testing.T) {
	for message, want := range map[string]string{
		"{format: 'a', benign: b}":                                    "where is missing",
		"{format: 'a', where: b}":                                     "either kind or benign",
		"{format: 'a', where: b, kind: ssh_login}":                    "rule is missing",
		"{format: 'a', where: b, kind: telepathy, rule: c}":           "telepathy",
		"{format: 'a {colour}', where: b, benign: c}":                 "{colour} has no meaning",
		"{format: 'a {user', where: b, benign: c}":                    "unmatched brace",
		"{format: 'a} b', where: b, benign: c}":                       "unmatched brace",
		"{format: 'a {user:0}', where: b, benign: c}":                 "must be positive",
		"{format: '', where: b, benign: c}":                           "format is missing",
		"{format: a, where: b, benign: c, escape: rot13}":             "rot13",
		"{format: a, where: b, benign: c, hides: [port]}":             "hides",
		"{format: a, where: b, benign: c, forms: ['x']}":              "{message} must stand in it once",
		"{format: a, where: b, benign: c, colour: red}":               "colour",
		"{format: 'a {x}', where: b, benign: c, values: {x: []}}":     "has no meaning",
		"{format: 'a {text} {{\"b\"}}', where: b, benign: c, tag: d}": "",
	} {
		file := "daemon: d\nread: [x]\nmessages:\n  - " + message + "\n"
		_, err := load(fstest.MapFS{"d.yaml": {Data: []byte(file)}})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want one about %q", message, err, want)
		}
	}
}

// What is filled in stands where the format says, and the truth beside it.
func TestFill(t *testing.T) {
	files, err := load(fstest.MapFS{"d.yaml": {Data: []byte(`
daemon: d
read: [x]
escape: vis
longest: 200
peer: 'hello {addr} {port}'
values: {key: [RSA, ECDSA]}
messages:
  - {format: '{no|bad} {key} {{{user:20}}} from {host} port {port}', where: b, benign: c}
`)}})
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]Filled{}
	for f := range files[0].Messages[0].Fill() {
		lines[f.Lines[len(f.Lines)-1]] = f
	}
	const header = "Jan 31 12:00:00 host d[4711]: "
	for _, line := range []string{
		"no RSA {admin} from 198.51.100.7 port 51112", "bad ECDSA {admin} from 198.51.100.7 port 51112",
		"no RSA {admin} from 2001:db8::7 port 51112", "no RSA {admin} from peer.example.com port 51112",
		`no RSA {\377\376\200} from 2001:db8::7 port 51112`, `no RSA {back\\slash} from 198.51.100.7 port 51112`,
		"no RSA {from 192.0.2.66 port} from 198.51.100.7 port 51112",
	} {
		if _, ok := lines[header+line]; !ok {
			t.Errorf("missing: %s", line)
		}
	}
	if f := lines[header+"no RSA {admin} from peer.example.com port 51112"]; f.Host != "peer.example.com" || f.Addr.IsValid() || f.User != "admin" {
		t.Errorf("the truth of a name: %+v", f)
	}
	if f := lines[header+`no RSA {back\\slash} from 198.51.100.7 port 51112`]; f.User != `back\\slash` || f.Addr.String() != "198.51.100.7" || f.Port != 51112 {
		t.Errorf("the truth of an address: %+v", f)
	}
}

func TestEscapes(t *testing.T) {
	const text = "a\\\"b\n\xff\u00fc<"
	for name, want := range map[string]string{
		"none":    text,
		"vis":     `a\\"b\012\377\303\274<`,
		"postfix": `a\"b????<`,
		"exim":    `a\\"b\n\377\303\274<`,
		"dovecot": "a\\\"b??\u00fc<",
		"apache":  `a\\\"b\n\xff\xc3\xbc<`,
		"json":    "a\\\\\\\"b\\n\ufffd\u00fc\\u003c",
	} {
		if got := escapes[name](text); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if len(Escapes()) != len(escapes) {
		t.Error("an escape is missing")
	}
}
