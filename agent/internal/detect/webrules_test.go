package detect

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// A user's rules count visits, and silence the built-in ones.
func TestUsersRulesForRequests(t *testing.T) {
	t.Parallel()
	rules, err := Load(fstest.MapFS{"mine.yaml": {Data: []byte(`
type: access
rules:
  - {id: front-page, kind: visit, status: [200], pattern: '^/(?:\?|$)', match: ['GET / 200', 'GET /?from=x 200'], no_match: ['GET /a 200', 'GET / 404']}
  - {id: my-own-panel, role: ignore, pattern: '^/phpmyadmin/', match: ['GET /phpmyadmin/x 404']}
`)}})
	if err != nil {
		t.Fatal(err)
	}
	run := newWebRun(t, rules)
	for _, target := range []string{"/", "/phpmyadmin/index.php", "/other/phpmyadmin/", "/?q=<script>"} {
		run.feed("access.log", `192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET `+target+` HTTP/1.1" 404 5`)
		run.feed("access.log", `192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET `+target+` HTTP/1.1" 200 5`)
	}
	var got []string
	for _, ev := range run.events {
		got = append(got, ev.Rule)
	}
	if want := []string{"front-page", "http-admin-panel", "http-cross-site-scripting", "http-cross-site-scripting"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestRulesForWebLogsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		`rules: [{id: a, type: access, kind: visit, in: cookie, pattern: a, match: [GET /a]}]`:                    "no part of a request",
		`rules: [{id: a, type: error, kind: http_probe, status: [403, 404], pattern: a, match: [a]}]`:             "one status",
		`rules: [{id: a, type: access, kind: http_probe, always: true, pattern: a, match: [GET /a]}]`:             "type error",
		`rules: [{id: a, tags: [a], kind: ssh_login, in: target, pattern: a, match: [a]}]`:                        "types access and error",
		`rules: [{id: a, type: access, kind: http_probe, role: probe, pattern: a, match: [GET /a]}]`:              "event or ignores",
		`rules: [{id: a, type: access, kind: http_probe, pattern: '^/b', match: [GET /a]}]`:                       "no rule matches",
		`rules: [{id: a, type: access, kind: http_probe, pattern: '^/a', match: [GET /a], no_match: [GET /a/b]}]`: "must not match",
	} {
		if _, err := Load(fstest.MapFS{"mine.yaml": {Data: []byte(file)}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
}

func TestExplainWebLines(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	for line, want := range map[string]string{
		ordinary[0]: "access  198.51.100.24",
		`192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET /.env HTTP/1.1" 404 5`:                                                       "access http-secret-file 192.0.2.7",
		`Jan  1 00:00:00 web nginx[7]: 192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET /.env HTTP/1.1" 404 5`:                         "syslog http-secret-file 192.0.2.7",
		`[Thu Jan 01 00:00:00.5 2026] [auth_basic:error] [pid 1] [client 192.0.2.7:99] AH01618: user eve not found: /x`:               "error apache-unknown-user 192.0.2.7",
		`[Thu Jan 01 00:00:00.5 2026] [core:info] [pid 1] [client 192.0.2.7:99] AH00128: File does not exist: /var/www/html/a/.git/x`: "error http-secret-file 192.0.2.7",
	} {
		x, err := Explain(Options{Rules: rules}, line)
		if err != nil {
			t.Fatal(err)
		}
		id, source := "", ""
		if x.Rule != nil {
			id = x.Rule.ID
		}
		for _, f := range x.Fields {
			if f.Name == "source_ip" {
				source = f.Value
			}
		}
		if got := fmt.Sprintf("%s %s %s", x.Type, id, source); got != want || x.Why == "" {
			t.Errorf("%s\n got %q because %q\nwant %q", line, got, x.Why, want)
		}
	}
}
