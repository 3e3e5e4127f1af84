package detect

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// Both logs of a server together count what the access log does, whichever is read first and
// however often the agent is restarted in between.
func TestBothLogsOfAServerCountOnce(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	access, errors := recording(t, "testdata/real/apache-2.4-access"), recording(t, "testdata/real/apache-2.4-error")
	r := rand.New(rand.NewPCG(1, 1))
	for _, order := range []string{"access first", "errors first", "mixed", "mixed", "mixed"} {
		run := newWebRun(t, rules)
		i, j := 0, 0
		for i < len(access) || j < len(errors) {
			first := order == "access first" || order == "mixed" && r.IntN(2) == 0
			if first && i < len(access) || j == len(errors) {
				run.feed("access.log", string(access[i]))
				i++
			} else {
				run.feed("error.log", string(errors[j]))
				j++
			}
			if r.IntN(3) == 0 {
				run.restart()
			}
		}
		run.engine.Finish()
		compare(t, truth(t, "apache-2.4-access"), run.events)
	}
}

// An Alias makes the path in the error log another one: client, time and answer tell that it is the
// same request.
func TestAliasedPathsCountOnce(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	access := `192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET /?x=../../../../etc/passwd HTTP/1.1" 404 5`
	fault := `[Thu Jan 01 00:00:00.5 2026] [core:info] [pid 1] [client 192.0.2.7:99] AH00128: File does not exist: /srv/other/.env`
	for _, lines := range [][2]string{{access, fault}, {fault, access}} {
		run := newWebRun(t, rules)
		for _, line := range lines {
			run.feed("log", line)
			run.restart()
		}
		if len(run.events) != 1 {
			t.Errorf("%d events, want 1: %+v", len(run.events), run.events)
		}
	}
	run := newWebRun(t, rules)
	run.feed("access.log", access)
	run.feed("error.log", strings.Replace(fault, "192.0.2.7", "192.0.2.8", 1))
	if len(run.events) != 2 {
		t.Errorf("%d events of two clients, want 2", len(run.events))
	}
}

// Of n requests in one log and m in the other, the greater number counts, for each address.
func TestCrossLogDuplicatesCountOnce(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	r := rand.New(rand.NewPCG(2, 2))
	for range 30 {
		run := newWebRun(t, rules)
		run.options.Floods = nil
		run.restart()
		var lines [][2]string
		want := map[netip.Addr]uint64{}
		for host := range 4 {
			addr := fmt.Sprintf("192.0.2.%d", host)
			n, m := r.IntN(20), r.IntN(20)
			for range n {
				lines = append(lines, [2]string{"a", addr + ` - eve [01/Jan/2026:00:00:0` + fmt.Sprint(r.IntN(2)) + ` +0000] "GET /x HTTP/1.1" 401 5`})
			}
			for range m {
				lines = append(lines, [2]string{"e", `[Thu Jan 01 00:00:0` + fmt.Sprint(r.IntN(2)) + `.5 2026] [auth_basic:error] [pid 1] [client ` + addr + `:99] AH01618: user eve not found: /x`})
			}
			if max(n, m) > 0 {
				want[netip.MustParseAddr(addr)] = uint64(max(n, m))
			}
		}
		r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		for _, line := range lines {
			run.feed(line[0], line[1])
			if r.IntN(10) == 0 {
				run.restart()
			}
		}
		got := map[netip.Addr]uint64{}
		for _, ev := range run.events {
			got[ev.SourceIP] += ev.Count
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("counted %v, want %v", got, want)
		}
	}
}

// Of a client that only has a name, both logs give it. Who has none is nobody's duplicate.
func TestDuplicatesOfClientsWithoutAddress(t *testing.T) {
	t.Parallel()
	for client, want := range map[string]int{"a": 1, "": 2} {
		d := duplicates{}
		n := 0
		for _, access := range []bool{true, false} {
			r := request{rule: &rule.Rule{Kind: attack.HTTPAuth}, access: access}
			if r.client.Host = []byte(client); !d.reported(&r, 1) {
				n++
			}
		}
		if n != want {
			t.Errorf("two logs of client %q count %d, want %d", client, n, want)
		}
	}
}

// Requests far apart are not the same one, nor are those of different kinds.
func TestOtherRequestsAreNoDuplicates(t *testing.T) {
	t.Parallel()
	run := newWebRun(t, builtinRules(t))
	run.feed("a", `192.0.2.7 - eve [01/Jan/2026:00:00:00 +0000] "GET /x HTTP/1.1" 401 5`)
	run.feed("e", `[Thu Jan 01 00:01:00.5 2026] [auth_basic:error] [pid 1] [client 192.0.2.7:99] AH01618: user eve not found: /x`)
	run.feed("e", `[Thu Jan 01 00:00:00.5 2026] [core:error] [pid 1] [client 192.0.2.7:99] AH10244: invalid URI path (/..)`)
	if len(run.events) != 3 {
		t.Errorf("%d events, want 3: %v", len(run.events), run.events)
	}
}

// ModSecurity writes a line for each of its rules that a request breaks: the request counts once.
func TestLinesOfOneRequestCountOnce(t *testing.T) {
	t.Parallel()
	run := newWebRun(t, builtinRules(t))
	line := func(client, what, unique string) string {
		return `[Wed Oct 11 14:32:52.1 2026] [security2:error] [pid 9:tid 1] [client ` + client + `:47762] [client ` + client + `] ModSecurity: ` + what +
			` [severity "CRITICAL"] [hostname "h"] [uri "/"] [unique_id "` + unique + `"]`
	}
	for _, l := range []string{
		line("192.0.2.7", "Warning. Matched phrase \"nikto\" at REQUEST_HEADERS:User-Agent.", "a"),
		line("192.0.2.7", "Warning. detected SQLi using libinjection.", "a"),
		line("192.0.2.7", "Access denied with code 403 (phase 2).", "a"),
		line("192.0.2.7", "Access denied with code 403 (phase 2).", "b"),
		line("192.0.2.8", "Access denied with code 403 (phase 2).", "b"), // another server's name, or a forged one
	} {
		run.feed("error.log", l)
	}
	if len(run.events) != 3 {
		t.Errorf("%d events, want 3", len(run.events))
	}
}

// From LogLevel info Apache says which condition a user does not meet, before it says that he is refused.
func TestConditionsAndTheirRefusalCountOnce(t *testing.T) {
	t.Parallel()
	run := newWebRun(t, builtinRules(t))
	for _, l := range []string{
		"[authz_owner:info] [pid 9:tid 1] [client 192.0.2.7:5] AH01637: Authorization of user eve to access /x failed, reason: file owner dan does not match",
		"[authz_groupfile:info] [pid 9:tid 1] [client 192.0.2.7:5] AH01666: Authorization of user eve to access /x failed, reason: user doesn't appear in group file (/g).",
		`[authz_core:error] [pid 9:tid 1] [client 192.0.2.7:5] AH01631: user eve: authorization failure for "/x": `,
		`[authz_core:error] [pid 9:tid 1] [client 192.0.2.7:5] AH01631: user eve: authorization failure for "/y": `,
		"[authnz_ldap:info] [pid 9:tid 1] [client 192.0.2.8:5] AH01695: auth_ldap authenticate: user eve authentication failed; URI /x [LDAP: ldap_simple_bind() failed][Invalid credentials]",
		`[auth_basic:error] [pid 9:tid 1] [client 192.0.2.8:5] AH01617: user eve: authentication failure for "/x": Password Mismatch`,
	} {
		run.feed("error.log", "[Wed Oct 11 14:32:52.1 2026] "+l)
	}
	if len(run.events) != 3 {
		t.Errorf("%d events, want 3: %v", len(run.events), run.events)
	}
}

// What an application writes of a login, in a log of its own, the access log has as well.
func TestApplicationsAndAccessLogsTellOfTheSame(t *testing.T) {
	t.Parallel()
	const (
		form      = `192.0.2.7 - - [31/Jan/2025:12:00:01 +0000] "POST /wp-login.php HTTP/1.1" 200 5 "-" "x"`
		xmlrpc    = `192.0.2.7 - - [31/Jan/2025:12:00:01 +0000] "POST /xmlrpc.php HTTP/1.1" 200 5 "-" "x"`
		authors   = `192.0.2.7 - - [31/Jan/2025:12:00:01 +0000] "GET /?author=1 HTTP/1.1" 403 5 "-" "x"`
		webmail   = `192.0.2.7 - - [31/Jan/2025:12:00:01 +0000] "POST /?_task=login HTTP/1.1" 401 5 "-" "x"`
		wordpress = "2025-01-31T12:00:01.9+00:00 host wordpress(example.com)[7]: "
		plugin    = wordpress + "Authentication failure for admin from 192.0.2.7"
		roundcube = "2025-01-31T12:00:02+00:00 host roundcube: <a1> IMAP Error: Login failed for eve against localhost from 192.0.2.7. LOGIN: A0002 NO Login failed. in /srv/rcube_imap.php on line 205 (POST /?_task=login&_action=login)"
	)
	for _, test := range []struct {
		name  string
		lines []string
		want  uint64
	}{
		{"access log first", []string{form, plugin}, 1},
		{"plugin first", []string{plugin, form}, 1},
		{"three each", []string{form, form, plugin, plugin, form, plugin}, 3},
		{"no plugin for one", []string{form, form, plugin}, 2},
		{"no access log for one", []string{form, plugin, plugin}, 2},
		{"repeated", []string{form, form, wordpress + "message repeated 3 times: [ Authentication failure for admin from 192.0.2.7]"}, 3},
		{"another client's", []string{form, strings.Replace(plugin, "192.0.2.7", "192.0.2.8", 1)}, 2},
		{"a minute later", []string{form, strings.Replace(plugin, "12:00:01.9", "12:01:01.9", 1)}, 2},
		{"another kind", []string{xmlrpc, plugin}, 2},
		{"many passwords in one request", []string{xmlrpc, wordpress + "XML-RPC authentication failure for admin from 192.0.2.7", wordpress + "XML-RPC authentication failure for admin from 192.0.2.7"}, 2},
		{"spam and a probe", []string{strings.Replace(authors, "?author=1", ".env", 1), wordpress + "Spam comment 17 from 192.0.2.7"}, 2},
		{"enumeration", []string{authors, wordpress + "Blocked user enumeration attempt from 192.0.2.7"}, 1},
		{"Roundcube", []string{webmail, roundcube}, 1},
		{"Roundcube's log first", []string{roundcube, webmail}, 1},
	} {
		got := uint64(0)
		for _, ev := range detectAll(t, builtinRules(t), test.lines) {
			got += ev.Count
		}
		if got != test.want {
			t.Errorf("%s: %d attempts, want %d", test.name, got, test.want)
		}
	}
}
