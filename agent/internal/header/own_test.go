package header

import (
	"testing"
	"time"
)

// ownTests are lines of files that daemons write themselves.
var ownTests = []struct{ line, tag, body string }{
	{"Fri Jan 31 12:00:00 2025 [pid 7] [x] OK LOGIN", "vsftpd", "[pid 7] [x] OK LOGIN"},
	{"2025-01-31 12:00:00 192.0.2.7:4711 x", "openvpn", "192.0.2.7:4711 x"},
	{"Fri Jan 31 12:00:00 2025 us=123456 alice/[2001:db8::7]:4711 x", "openvpn", "alice/[2001:db8::7]:4711 x"},
	{"2025-01-31 12:00:00 [AF_INET6]2001:db8::7:4711 x", "openvpn", "[AF_INET6]2001:db8::7:4711 x"},
	{"2025-01-31 12:00:00 udp4:192.0.2.7:4711 x", "openvpn", "udp4:192.0.2.7:4711 x"},
	{"2025-01-31 12:00:00 tcp6-server:[2001:db8::7]:4711 x", "openvpn", "tcp6-server:[2001:db8::7]:4711 x"},
	{"2025-01-31 12:00:00 TLS Error: x", "openvpn", "TLS Error: x"},
	{"Jan 31 12:00:00 07[IKE] <vpn|1> x", "charon", "07[IKE] <vpn|1> x"},
	{"07[IKE] <vpn|1> x", "charon", "07[IKE] <vpn|1> x"},
	{`Jan 31 12:00:00.123456: "vpn"[1] 192.0.2.7 #7: x`, "pluto", `"vpn"[1] 192.0.2.7 #7: x`},
	{"Jan 31 12:00:00.123456: packet from 192.0.2.7:500: x", "pluto", "packet from 192.0.2.7:500: x"},
	{"2025-01-31 12:00:00 login authenticator failed for x", "exim", "login authenticator failed for x"},
	{"2025-01-31 12:00:00 [7] H=(x) [192.0.2.7] x", "exim", "H=(x) [192.0.2.7] x"},
	{"2025-01-31 12:00:00.123 +0100 [7] 1tdZ9x-000001-Ab H=[192.0.2.7] x", "exim", "H=[192.0.2.7] x"},
	{"2025-01-31 12:00:00 1tdZ9x-00000000abc-1DeF H=[192.0.2.7] x", "exim", "H=[192.0.2.7] x"},
	{"Jan 31 12:00:00 host exim[7]: 2025-01-31 12:00:00 [7] H=[192.0.2.7] x", "exim", "H=[192.0.2.7] x"},
	{"Jan 31 12:00:00 host exim4[7]: 1tdZ9x-000001-Ab H=[192.0.2.7] x", "exim4", "H=[192.0.2.7] x"},
	{"2025-01-31T12:00:00+00:00\tINFO 192.0.2.7\tjoomlafailure\tx", "joomla", "\tINFO 192.0.2.7\tjoomlafailure\tx"},
	{"2025-01-31 12:00:00: (mod_auth.c.869) x", "lighttpd", "(mod_auth.c.869) x"},
	{`{"reqId":"a","level":2,"time":"2025-01-31T12:00:00+00:00","remoteAddr":"192.0.2.7"}`, "nextcloud", `{"reqId":"a","level":2,"time":"2025-01-31T12:00:00+00:00","remoteAddr":"192.0.2.7"}`},
	{"[31-Jan-2025 12:00:00 +0000]: <a1b2> x", "roundcube", "<a1b2> x"},
	{"[2025-01-31 12:00:00.123][vaultwarden::api::identity][ERROR] x", "vaultwarden", "[2025-01-31 12:00:00.123][vaultwarden::api::identity][ERROR] x"},
	{"2025-01-31 12:00:00.123 +01:00 [WRN] Failed login attempt. 192.0.2.7", "bitwarden", "+01:00 [WRN] Failed login attempt. 192.0.2.7"},
	{"Jan 31 12:00:00 host vsftpd: Sun Jul 13 10:31:20 2008 [pid 7] [x] y", "vsftpd", "[pid 7] [x] y"},
	{"2025/01/31 12:00:00 HTTPServer.go:1:x() [I] y", "gitea", "HTTPServer.go:1:x() [I] y"},
	{"2025/01/31 12:00:00 [I] x y", "gitea", "[I] x y"},
	{`logger=context t=2025-01-31T12:00:00.5+01:00 level=info msg="x"`, "grafana", `logger=context t=2025-01-31T12:00:00.5+01:00 level=info msg="x"`},
	{"2025-01-31 12:00:00 42 [Warning] x", "mysqld", "x"},
	{"2025-01-31T12:00:00.123456Z 8 [Note] [MY-010926] [Server] x", "mysqld", "x"},
	{"2025-01-31  9:00:00 42 [Warning] x", "mysqld", "x"},
	{"130131  9:00:00 [Warning] x", "mysqld", "x"},
	{"130131 12:00:00 [Warning] x", "mysqld", "x"},
	{"Jan 31 12:00:00 host mysqld: 130131 12:00:00 [Warning] x", "mysqld", "x"},
	{"2025-01-31T12:00:00.123456Z\t   14 Connect\tx", "mysqld", "x"},
	{"Jan 31 12:00:00 host mariadbd[7]: 2025-01-31 12:00:00 42 [Warning] x", "mariadbd", "x"},
	{"2025-01-31 12:00:00.123 UTC [7] alice@db FATAL:  x", "postgres", "alice@db FATAL:  x"},
	{"2025-01-31 12:00:00.123 +03 [7]: LOG:  x", "postgres", "LOG:  x"},
	{"Jan 31 12:00:00 host postgres[7]: 2025-01-31 12:00:00.123 CET [8] FATAL:  x", "postgres", "FATAL:  x"},
	{"2025-01-31 12:00:00 UTC:192.0.2.7(51112):a@b:[7]:FATAL:  x", "postgres", "192.0.2.7(51112):a@b:[7]:FATAL:  x"},
	{"192.0.2.7 2025-01-31 12:00:00 UTC [7] a@b FATAL:  x", "postgres", "192.0.2.7 2025-01-31 12:00:00 UTC [7] a@b FATAL:  x"},
	{"2025-01-31 12:00:00 UTC [7-1] a@b FATAL:  x", "postgres", "a@b FATAL:  x"},
	{"7:M 31 Jan 2025 12:00:00.123 # x", "redis", "x"},
	{"2025-01-31T12:00:00.123+0000 I ACCESS   [conn42] x", "mongod", "I ACCESS   [conn42] x"},
	{"2016-01-31T12:00:00.123+0000 [conn42] x", "mongod", "[conn42] x"},
	{`{"error":"x","level":"error","logger":"context","msg":"y","t":"2025-01-31T12:00:00Z"}`, "grafana", `{"error":"x","level":"error","logger":"context","msg":"y","t":"2025-01-31T12:00:00Z"}`},
	{`{"t":{"$date":"2025-01-31T12:00:00.123+00:00"},"s":"I"}`, "mongod", `{"t":{"$date":"2025-01-31T12:00:00.123+00:00"},"s":"I"}`},
	// others, which only look alike
	{"2025-01-31 12:00:00 login sshd[7]: authenticator failed for x", "sshd", "authenticator failed for x"},
	{"2025-01-31T12:00:00Z SMTP sshd[7]: x", "sshd", "x"},
	{"2025-01-31 12:00:00 host sshd[7]: 192.0.2.7:4711 x", "sshd", "192.0.2.7:4711 x"},
	{"2025-01-31T12:00:00Z host:22 sshd[7]: x", "sshd", "x"},
	{"2025-01-31 12:00:00 999.0.2.7:4711 x[7]: y", "x", "y"},
}

// Files that daemons write themselves have no tag: what the daemon writes first tells whose they are.
func TestFilesOfDaemonsTheirOwn(t *testing.T) {
	t.Parallel()
	for _, test := range ownTests {
		var m Message
		if !m.Cut([]byte(test.line)) || string(m.Tag) != test.tag || string(m.Body) != test.body {
			t.Errorf("%s: tag %q, body %q, want %q and %q", test.line, m.Tag, m.Body, test.tag, test.body)
		}
	}
}

// Vaultwarden's module stands right behind the stamp: what a client of another program made that one log, further
// behind, makes no line of Vaultwarden's.
func TestNobodyElseWritesForVaultwarden(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"[2025-01-31 12:00:00][vaultwarden::api][ERROR] x":           true,
		"[12:00][bitwarden_rs::api][ERROR] x":                        true,
		"[2025-01-31 12:00:00] GET /x][vaultwarden::api][ERROR] x":   false,
		"[2025-01-31 12:00:00] vaultwarden::api][ERROR] x":           false,
		"[2025-01-31 12:00:00][core:error][vaultwarden::api] x":      false,
		"[2025-01-31 12:00:00 vaultwarden::api, without any bracket": false,
	} {
		var m Message
		if got := m.Cut([]byte(line)) && string(m.Tag) == "vaultwarden"; got != want {
			t.Errorf("%s: of Vaultwarden: %t, tag %q", line, got, m.Tag)
		}
	}
}

// Times in the forms of Go's log package, of PHP, and within a line.
func TestTimesOfApplications(t *testing.T) {
	t.Parallel()
	clock := Clock{Location: time.UTC}
	for line, want := range map[string]string{
		"2025/01/31 12:00:00 x y z":                                  "2025-01-31T12:00:00Z",
		"[31-Jan-2025 12:34:56 +0130]: <a1b2> x":                     "2025-01-31T11:04:56Z",
		"[31-Jan-2025 12:00:00 -0130]: <a1b2> x":                     "2025-01-31T13:30:00Z",
		`{"reqId":"a","level":2,"time":"2025-01-31T12:00:00+01:00"}`: "2025-01-31T11:00:00Z",
		`logger=context t=2025-01-31T12:00:00+01:00 msg="t=2026"`:    "2025-01-31T11:00:00Z",
		`{"logger":"context","msg":"x","t":"2025-01-31T12:00:00Z"}`:  "2025-01-31T12:00:00Z",
		"2025-01-31  9:00:00 42 [Warning] x":                         "2025-01-31T09:00:00Z",
		"130131  9:00:00 [Warning] x":                                "2013-01-31T09:00:00Z",
		"130131 12:34:56 [Warning] x":                                "2013-01-31T12:34:56Z",
		"7:M 31 Jan 2025 12:34:56.123 # x":                           "2025-01-31T12:34:56Z",
	} {
		var m Message
		if !m.Cut([]byte(line)) {
			t.Errorf("%s has no header", line)
			continue
		}
		sec, _, ok := clock.Read(m.Stamp, now)
		if got := time.Unix(sec, 0).UTC().Format(time.RFC3339); !ok || got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// A program that puts a stamp of its own before what it sends to syslog does so on every line.
func TestSecondStampOfEveryLine(t *testing.T) {
	t.Parallel()
	var recent Recent
	line := []byte("Jan 31 12:00:00 host exim[7]: 2025-01-31 12:00:00 H=[192.0.2.7] x")
	keep(&recent, string(line))
	var m Message
	if !recent.Cut(&m, line) && !m.Cut(line) || string(m.Body) != "H=[192.0.2.7] x" {
		t.Errorf("body %q", m.Body)
	}
}
