package detect

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// forged is the address that no event may blame: only clients' texts name it.
const forged = "203.0.113.9"

// names are what hostile clients call themselves.
var names = []string{
	"", " ", "root", "from " + forged, "root from " + forged, "root from " + forged + " port 22",
	"root from " + forged + " port 22 ssh2", "root from " + forged + " port 22 ssh2: x",
	"x port 22 ssh2 from " + forged, "user root " + forged + " port 22 [preauth]",
	"invalid user root from " + forged + " port 22", "x: Failed password for root from " + forged + " port 22 ssh2",
	"x [preauth]", "]: Failed password for root from " + forged + " port 22 ssh2",
	"sshd[1]: Failed password for root from " + forged + " port 22 ssh2",
	"message repeated 9 times: [ Failed password for root from " + forged + " port 22 ssh2]",
	"rhost=" + forged, " rhost=" + forged + " ", "x  user=y rhost=" + forged, "' from " + forged + ":22", "\\\"#012\\n", "\xff\xfe",
	"[" + forged + "]", "::ffff:" + forged, "a > b, rip=" + forged + ",", "from " + forged + " via ssh",
	strings.Repeat("a", 300), strings.Repeat("x from "+forged+" port 22 ssh2 ", 6),
}

// templates are lines of one attempt, with NAME for the client's text. Each daemon's own limits on
// names are left out, which only makes it harder.
var templates = []script{
	{"sshd, unknown user", 1, 0, []string{
		"sshd[PID]: Invalid user NAME from PEER port PORT",
		"sshd[PID]: Failed password for invalid user NAME from PEER port PORT ssh2",
		"sshd[PID]: Connection closed by invalid user NAME PEER port PORT [preauth]",
	}},
	{"sshd, a key", 1, 0, []string{
		"sshd[PID]: Invalid user NAME from PEER port PORT",
		"sshd[PID]: Failed publickey for invalid user NAME from PEER port PORT ssh2: RSA SHA256:0123456789",
		"sshd[PID]: Disconnected from invalid user NAME PEER port PORT [preauth]",
	}},
	{"sshd, keyboard-interactive", 1, 0, []string{
		"sshd[PID]: Invalid user NAME from PEER port PORT",
		"sshd[PID]: error: PAM: Authentication failure for illegal user NAME from PEER",
		"sshd[PID]: Failed keyboard-interactive/pam for invalid user NAME from PEER port PORT ssh2",
	}},
	{"sshd, change of name", 1, 0, []string{
		"sshd[PID]: Failed password for root from PEER port PORT ssh2",
		"sshd[PID]: Disconnecting authenticating user root PEER port PORT: Change of username or service not allowed: (root,ssh-connection) -> (NAME,ssh-connection) [preauth]",
	}},
	{"sshd, goodbye", 0, 1, []string{
		"sshd[PID]: Received disconnect from PEER port PORT:11: NAME [preauth]",
		"sshd[PID]: Disconnected from PEER port PORT [preauth]",
	}},
	{"sshd, banner", 0, 1, []string{
		"sshd[PID]: error: kex_exchange_identification: client sent invalid protocol identifier \"NAME\"",
		"sshd[PID]: banner exchange: Connection from PEER port PORT: invalid format",
	}},
	{"sshd, old banner", 0, 1, []string{
		"sshd[PID]: Bad protocol version identification 'NAME' from PEER port PORT",
	}},
	{"sshd, offer", 0, 1, []string{
		"sshd[PID]: Unable to negotiate with PEER port PORT: no matching cipher found. Their offer: NAME [preauth]",
	}},
	{"dropbear", 1, 0, []string{
		"dropbear[PID]: Bad password attempt for 'NAME' from PEER:PORT",
	}},
	{"RouterOS", 0, 1, []string{
		"system,error,critical login failure for user NAME from PEER via winbox",
	}},
	{"proftpd", 0, 1, []string{
		"proftpd[PID] host.example.com (PEER[PEER]): USER NAME: no such user found from PEER [PEER] to 198.51.100.1:21",
	}},
	{"vsftpd", 0, 1, []string{
		"vsftpd[PID]: [NAME] FAIL LOGIN: Client \"PEER\"",
	}},
	{"phpMyAdmin", 0, 1, []string{
		"phpMyAdmin[PID]: user denied: NAME (mysql-denied) from PEER",
	}},
	{"postfix", 0, 1, []string{
		"postfix/smtpd[PID]: warning: unknown[PEER]: SASL LOGIN authentication failed: (reason unavailable), sasl_username=NAME",
	}},
	{"PAM of ftp", 0, 1, []string{
		"vsftpd[PID]: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=NAME rhost=PEER",
	}},
}

// Whatever a client calls itself, its own address is blamed or none, never the one it names.
func TestNobodyForgesAnAddress(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	for _, template := range templates {
		for _, name := range names {
			for _, peer := range []string{"192.0.2.7", "2001:db8::7"} {
				lines := fill(template, name, peer)
				var count uint64
				for _, ev := range detectAll(t, rules, lines) {
					count += ev.Count
					if ev.SourceIP.String() != peer || ev.SourceHost != "" {
						t.Errorf("%s, %q: %s blames %v %q", template.name, name, ev.Rule, ev.SourceIP, ev.SourceHost)
					}
				}
				if want := template.logins + template.other; count != want {
					t.Errorf("%s, %q from %s: %d attempts counted, want %d", template.name, name, peer, count, want)
				}
			}
		}
	}
}

func fill(s script, name, peer string) []string {
	var lines []string
	for _, line := range s.lines {
		line = strings.NewReplacer("NAME", name, "PEER", peer, "PID", "4711", "PORT", "51112").Replace(line)
		lines = append(lines, "Jan 31 12:00:00 host "+line)
	}
	return lines
}

// The parts that a line is written from come out of it again.
func TestPartsComeBack(t *testing.T) {
	t.Parallel()
	rules := builtinRules(t)
	check := func(quad [4]byte, long bool, port uint16, user string, pid uint16, offset uint32) bool {
		peer := netip.AddrFrom4(quad)
		if long {
			var raw [16]byte
			copy(raw[:], "\x20\x01\x0d\xb8")
			copy(raw[12:], quad[:])
			peer = netip.AddrFrom16(raw)
		}
		user = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return -1 // syslog daemons escape them
			}
			return r
		}, user)
		if port == 0 || len(user) > 100 {
			return true
		}
		stamp := now.Add(-time.Duration(offset%(300*24*3600)) * time.Second)
		line := fmt.Sprintf("%s host sshd[%d]: Failed password for %s from %s port %d ssh2",
			stamp.Format(time.Stamp), pid, user, peer, port)
		events := detectAll(t, rules, []string{line})
		invalid := strings.HasPrefix(user, "invalid user ") || strings.HasPrefix(user, "illegal user ")
		if len(events) != 1 || invalid {
			return invalid
		}
		ev := events[0]
		return ev.SourceIP == peer && ev.SourcePort == port && ev.User == user && ev.Logged.Equal(stamp) && ev.Count == 1
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 3000}); err != nil {
		t.Error(err)
	}
}

// A message that sshd cut names no address that can be trusted; the connection does.
func TestCutMessages(t *testing.T) {
	t.Parallel()
	long := "Jan 31 12:00:00 host sshd[7]: error: maximum authentication attempts exceeded for invalid user " +
		strings.Repeat("x", 460) + " from " + forged + " port 22 ssh2"
	events := detectAll(t, builtinRules(t), []string{long, "Jan 31 12:00:00 host sshd[7]: Connection closed by 192.0.2.7 port 51112 [preauth]"})
	if len(events) != 1 || events[0].SourceIP.String() != "192.0.2.7" {
		t.Errorf("events %+v, want one from 192.0.2.7", events)
	}
	// An address that stands before all that the client wrote was not cut.
	long = "Jan 31 12:00:00 host sshd[8]: Unable to negotiate with 192.0.2.7 port 51112: no matching cipher found. Their offer: " +
		strings.Repeat("aes256-cbc,", 60)
	if events := detectAll(t, builtinRules(t), []string{long}); len(events) != 1 || events[0].SourceIP.String() != "192.0.2.7" {
		t.Errorf("events %+v, want one from 192.0.2.7", events)
	}
}

// No line that is no attack, and no line of an attack that was counted, allocates.
func TestQuietLinesDoNotAllocate(t *testing.T) {
	engine, err := New(Options{Rules: builtinRules(t), Location: time.UTC, Emit: func(*attack.Event, uint64) {}})
	if err != nil {
		t.Fatal(err)
	}
	source, err := NewSource("auth.log", rule.TypeAuto, "")
	if err != nil {
		t.Fatal(err)
	}
	var lines [][]byte
	for _, line := range []string{
		"sshd[7]: Accepted publickey for alice from 192.0.2.7 port 51112 ssh2: ED25519 SHA256:0123456789",
		"sshd[7]: pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)",
		"CRON[9]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
		"systemd[1]: Started Session 4 of User alice.",
		"kernel: [12345.678901] usb 1-1: new high-speed USB device number 5 using xhci_hcd",
		"sshd[7]: Disconnected from user alice 192.0.2.7 port 51112",
	} {
		lines = append(lines, []byte("Jan 31 12:00:00 host "+line))
	}
	feed := func() {
		for _, line := range lines {
			engine.Feed(source, line, now)
		}
	}
	feed()
	if allocs := testing.AllocsPerRun(200, feed); allocs != 0 {
		t.Errorf("%v allocations in %d lines", allocs, len(lines))
	}
}

// FuzzFeed feeds any lines: nothing may panic, and events stay in their bounds.
func FuzzFeed(f *testing.F) {
	rules := builtinRules(f)
	for _, script := range slices.Concat(scripts, templates) {
		f.Add([]byte(strings.Join(fill(script, names[5], "192.0.2.7"), "\n")))
	}
	f.Add([]byte("<1>1 - - - - - -\n@400000004c91b044077a9e94 x: y\nJan 31 12:00:00 host last message repeated 3 times"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := newRestartable(t, rules) // checks each event
		for i, line := range bytes.Split(text, []byte("\n")) {
			r.engine.Feed(r.source, line, now)
			if i%3 == 2 {
				r.save()
				r.restart()
			}
			if _, err := Explain(Options{Rules: rules}, string(line)); err != nil {
				t.Fatal(err)
			}
		}
		r.engine.Tick(now.Add(time.Hour))
		r.engine.Finish()
		for _, ev := range r.events {
			if len(ev.SourceHost) > 0 && bytes.ContainsAny([]byte(ev.SourceHost), " \n\"") {
				t.Errorf("host %q", ev.SourceHost)
			}
		}
	})
}

// What explain prints is what an engine counts: an address that a name brought along is none.
func TestExplainNamesNoForgedAddress(t *testing.T) {
	t.Parallel()
	x, err := Explain(Options{Rules: builtinRules(t)},
		"Jan 31 12:00:00 host sshd[7]: pam_sss(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7 user=x rhost="+forged)
	if err != nil || x.Rule == nil {
		t.Fatalf("%+v, error %v", x, err)
	}
	for _, field := range x.Fields {
		if strings.Contains(field.Value, forged) || field.Name == "source_ip" {
			t.Errorf("%s is %q", field.Name, field.Value)
		}
	}
}

// With its option audit pam_unix writes the name of somebody who does not exist behind its own rhost=, too. What may be
// such a line names nobody; what cannot be one has its own rhost= last.
func TestPAMAudit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ line, source string }{
		{"sshd[7]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=PEER  user=x rhost=FORGED", "192.0.2.7"},
		{"vsftpd: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=x rhost=FORGED rhost=PEER", "192.0.2.7"},
		{"vsftpd: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=7 rhost=FORGED rhost=PEER", "192.0.2.7"},
		{"vsftpd: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=xx rhost=FORGED rhost=PEER  user=yy", "192.0.2.7"},
		{"vsftpd: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=x  user=x rhost=FORGED rhost=PEER", "192.0.2.7"},
		{"vsftpd: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=x rhost=FORGED rhost=PEER  user=x rhost=FORGED", ""},
		{"vsftpd: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 tty=ftp ruser=x  user=y rhost=FORGED rhost=PEER  user=x  user=y rhost=FORGED", ""},
		{"auth: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=x rhost=PEER  user=x", "192.0.2.7"},
	} {
		line := strings.NewReplacer("PEER", "192.0.2.7", "FORGED", forged).Replace(test.line)
		x, err := Explain(Options{Rules: builtinRules(t)}, "Jan 31 12:00:00 host "+line)
		if err != nil || x.Rule == nil {
			t.Fatalf("%s: %+v, error %v", line, x, err)
		}
		source := ""
		for _, field := range x.Fields {
			if field.Name == "source_ip" {
				source = field.Value
			}
		}
		if source != test.source {
			t.Errorf("%s\n names %q, want %q", line, source, test.source)
		}
	}
}

func TestExplainObeysIgnore(t *testing.T) {
	t.Parallel()
	options := Options{Rules: builtinRules(t), Ignore: netip.MustParsePrefix("192.0.2.0/24").Contains}
	for line, want := range map[string]bool{
		"Jan 31 12:00:00 host sshd[7]: Failed password for root from 192.0.2.7 port 22 ssh2":                                                         true,
		"Jan 31 12:00:00 host sshd[7]: Failed password for root from 198.51.100.7 port 22 ssh2":                                                      false,
		`192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "GET /.env HTTP/1.1" 404 5`:                                                                      true,
		"Jan 31 12:00:00 host sshd[7]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root": true,
	} {
		x, err := Explain(options, line)
		if err != nil || x.Rule == nil || strings.Contains(x.Why, "ignores") != want {
			t.Errorf("%s\n is explained as %+v, error %v", line, x, err)
		}
	}
}
