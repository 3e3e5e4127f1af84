package intake

import (
	"fmt"
	"strings"
	"testing"
)

const httpIntake = `logs: [{path: LOGS/none.log}]
intake:
  listen: 127.0.0.1:9479
  certificate: DIR/server.crt
  key: DIR/server.key
  tokens: [{name: nas, token: 0123456789abcdef, host: nas, kinds: [web_login, ssh_login, ban, counter]}]
  counters: [prints]
`

// TestCurl reports as an old action and a script do, with a real curl, and tries to as a stranger.
func TestCurl(t *testing.T) {
	t.Parallel()
	s := bootInside(t, httpIntake, certificates)
	curl := func(args ...string) string {
		t.Helper()
		out, err := s.Command(s.ctx, "curl", append([]string{"-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", s.path("server.crt")}, args...)...).Output()
		if err != nil {
			t.Fatalf("curl %v: %v", args, err)
		}
		return string(out)
	}
	const at = "https://127.0.0.1:9479"
	s.poll(func() error {
		if code := curl("-u", "nas:0123456789abcdef", at+"/count/prints?value=7"); code != "200" {
			return fmt.Errorf("a counter is answered with %s", code)
		}
		return nil
	})
	event := `{"kind":"web_login","source_ip":"203.0.113.7","user":"admin"}`
	for _, args := range [][]string{
		{"-u", "nas:0123456789abcdef", at + "/red"},
		{"-u", "nas:0123456789abcdef", at + "/ban.php?jail=sshd&ip=203.0.113.7"},
		{"-u", "nas:0123456789abcdef", at + "/ban.php?jail=sshd&ip=203.0.113.7"}, // once more
		{"-H", "Authorization: Bearer 0123456789abcdef", "-H", "Idempotency-Key: 1", "-d", event, at + "/v1/events"},
		{"-H", "Authorization: Bearer 0123456789abcdef", "-H", "Idempotency-Key: 1", "-d", event, at + "/v1/events"},
	} {
		if code := curl(args...); code != "200" {
			t.Errorf("curl %v is answered with %s", args, code)
		}
	}
	// A scan of the port.
	strange := uint64(0)
	for _, path := range strings.Fields("/ /red /v1/events /count/prints /ban.php /.env /admin /wp-login.php") {
		for _, args := range [][]string{{at + path}, {"-X", "POST", "-d", event, at + path}, {"-u", "nas:wrong", at + path}} {
			if code := curl(args...); code != "401" {
				t.Errorf("curl %v is answered with %s", args, code)
			}
			strange++
		}
	}
	s.poll(func() error {
		found, err := s.status()
		if err == nil && (found.Kinds["web_login"] == 0 || found.Kinds["ssh_login"] != 1 || found.Kinds["ban"] != 1 || found.Kinds["counter"] < 1 || found.Hosts["nas"] < 4) {
			err = fmt.Errorf("kinds %v, machines %v", found.Kinds, found.Hosts)
		}
		if err == nil && found.Kinds["web_login"] != strange+1 {
			err = fmt.Errorf("%d wrong tokens and a report are %d events", strange, found.Kinds["web_login"])
		}
		return err
	})
}
