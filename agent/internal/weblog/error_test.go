package weblog_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/weblog"
)

func TestApacheErrorLines(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, line, client, message string }{
		{"2.2", `[Wed Oct 11 14:32:52 2000] [error] [client 192.0.2.7] user eve not found: /`,
			"192.0.2.7:0", "user eve not found: /"},
		{"2.2 with an IPv6 address", `[Wed Oct 11 14:32:52 2000] [error] [client 2001:db8::80da:17] x`,
			"2001:db8::80da:17:0", "x"},
		{"2.4", `[Wed Oct 11 14:32:52.123456 2026] [auth_basic:error] [pid 17:tid 140] [client 192.0.2.7:51390] AH01617: user eve: authentication failure for "/": Password Mismatch`,
			"192.0.2.7:51390", `user eve: authentication failure for "/": Password Mismatch`},
		{"2.4 with an IPv6 address", `[Wed Oct 11 14:32:52.123456 2026] [core:info] [pid 17] [client 2001:db8::1:4711] AH00128: File does not exist: /x`,
			"2001:db8::1:4711", "File does not exist: /x"},
		{"2.4 with brackets around it", `[Wed Oct 11 14:32:52.123456 2026] [core:info] [pid 17] [client [2001:db8::1]:4711] x`,
			"2001:db8::1:4711", "x"},
		{"2.4 without a module", `[Wed Oct 11 14:32:52.123456 2026] [:error] [pid 17] [client 192.0.2.7:5] script '/var/www/x.php' not found or unable to stat`,
			"192.0.2.7:5", "script '/var/www/x.php' not found or unable to stat"},
		{"remote", `[Wed Oct 11 14:32:52.123456 2026] [auth_basic:error] [pid 17:tid 1] [remote 192.0.2.111:35924] AH01618: user eve not found: /`,
			"192.0.2.111:35924", "user eve not found: /"},
		{"a system error before the client", `[Wed Oct 11 14:32:52.123456 2026] [ssl:info] [pid 17:tid 1] (70014)End of file found: [client 192.0.2.7:17] AH02006: SSL handshake stopped`,
			"192.0.2.7:17", "SSL handshake stopped"},
		{"a source file before the client", `[Wed Oct 11 14:32:52.123456 2026] [ssl:trace4] [pid 17:tid 1] ssl_engine_io.c(24): (104)Connection reset by peer: [client 192.0.2.7:17] x`,
			"192.0.2.7:17", "x"},
		{"by syslog, without a time", `[auth_basic:error] [pid 17] [client 192.0.2.7:9] AH01618: user eve not found: /`,
			"192.0.2.7:9", "user eve not found: /"},
		{"no client", `[Wed Oct 11 14:32:52.123456 2026] [core:notice] [pid 17:tid 1] AH00094: Command line: '/usr/sbin/apache2'`,
			"invalid IP:0", "Command line: '/usr/sbin/apache2'"},
		{"a client in the message", `[Wed Oct 11 14:32:52.123456 2026] [core:error] [pid 17:tid 1] AH1: x: [client 203.0.113.9:1] y`,
			"invalid IP:0", "AH1: x: [client 203.0.113.9:1] y"},
		{"a client in a path", `[Wed Oct 11 14:32:52 2000] [error] [client 192.0.2.7] File does not exist: /[client 203.0.113.9] user root not found`,
			"192.0.2.7:0", "File does not exist: /[client 203.0.113.9] user root not found"},
		{"mod_security", `[Wed Oct 11 14:32:52.123456 2026] [:error] [pid 17:tid 1] [client 192.0.2.7:4] [client 203.0.113.9] ModSecurity: x`,
			"192.0.2.7:4", "[client 203.0.113.9] ModSecurity: x"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var e weblog.Error
			if !weblog.ApacheError([]byte(test.line), &e) {
				t.Fatal("is not read")
			}
			client := fmt.Sprintf("%v:%d", e.Client.Addr, e.Client.Port)
			if client != test.client || string(e.Message) != test.message {
				t.Errorf("client %s, message %q", client, e.Message)
			}
		})
	}
}

func TestNginxErrorLines(t *testing.T) {
	t.Parallel()
	const fake = `x": password mismatch, client: 203.0.113.9, server: s, request: "GET / HTTP/1.1", host: "h`
	tests := []struct{ name, line, client, message, request string }{
		{"password", `2026/01/02 15:04:05 [error] 28#0: *66 user "eve": password mismatch, client: 192.0.2.7, server: s, request: "GET / HTTP/1.1", host: "h"`,
			"192.0.2.7", `user "eve": password mismatch`, "GET / HTTP/1.1"},
		{"no request", `2026/01/02 15:04:05 [crit] 3#3: *2 SSL_do_handshake() failed (SSL: error:0A00006C:SSL routines::bad key share) while SSL handshaking, client: 2001:db8::7, server: 0.0.0.0:443`,
			"2001:db8::7", "SSL_do_handshake() failed (SSL: error:0A00006C:SSL routines::bad key share) while SSL handshaking", ""},
		{"no client", `2026/01/02 15:04:05 [notice] 3#3: signal process started`, "invalid IP", "signal process started", ""},
		{"a fake tail in the request", `2026/01/02 15:04:05 [info] 3#3: *2 client sent invalid request while reading client request line, client: 192.0.2.7, server: s, request: "x, client: 203.0.113.9, server: s, request: "y"`,
			"192.0.2.7", "client sent invalid request while reading client request line", `x, client: 203.0.113.9, server: s, request: "y`},
		{"a fake client in the user", `2026/01/02 15:04:05 [error] 3#3: *2 user "x, client: 203.0.113.9, y": password mismatch, client: 192.0.2.7, server: s, request: "GET / HTTP/1.1", host: "h"`,
			"192.0.2.7", `user "x, client: 203.0.113.9, y": password mismatch`, "GET / HTTP/1.1"},
		{"a fake client in the referrer", `2026/01/02 15:04:05 [error] 3#3: *2 user "x": password mismatch, client: 192.0.2.7, server: s, request: "GET / HTTP/1.1", host: "h", referrer: "a, client: 203.0.113.9, server: b c"`,
			"192.0.2.7", `user "x": password mismatch`, "GET / HTTP/1.1"},
		// The same bytes could come from 203.0.113.9 with the rest of the line as its referrer.
		{"two readings", `2026/01/02 15:04:05 [error] 3#3: *2 user "` + fake + `", referrer: "y": password mismatch, client: 192.0.2.7, server: s, request: "GET / HTTP/1.1", host: "h"`,
			"invalid IP", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var e weblog.Error
			if !weblog.NginxError([]byte(test.line), &e) {
				t.Fatal("is not read")
			}
			if e.Client.Addr.String() != test.client || test.message != "" && string(e.Message) != test.message || test.request != "" && string(e.Request) != test.request {
				t.Errorf("client %v, message %q, request %q", e.Client.Addr, e.Message, e.Request)
			}
		})
	}
}

// No text of a client's gives a line of nginx' error log another address.
func TestNginxAddressesCannotBeForged(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		tail := fmt.Sprintf(`, client: 192.0.2.7, server: s, request: "GET /%s HTTP/1.1", host: "h", referrer: "%s"`,
			strings.ReplaceAll(hostile(r), " ", ""), hostile(r))
		line := fmt.Sprintf(`2026/01/02 15:04:05 [error] 3#3: *2 user "%s": password mismatch%s`, hostile(r), tail)
		var e weblog.Error
		if !weblog.NginxError([]byte(line), &e) {
			t.Fatalf("%q is not read", line)
		}
		if e.Client.Addr.IsValid() && e.Client.Addr.String() != "192.0.2.7" {
			t.Fatalf("%q gave %v", line, e.Client.Addr)
		}
	}
}

// Whatever stands in the message of Apache's, its client is that of the line.
func TestApacheAddressesCannotBeForged(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	heads := []string{"[Wed Oct 11 14:32:52 2000] [error] ", "[Wed Oct 11 14:32:52.123456 2026] [m:error] [pid 1:tid 2] ", "[m:warn] [pid 1] (2)No such file: "}
	for range 20_000 {
		line := heads[r.IntN(len(heads))] + "[client 192.0.2.7] " + hostile(r)
		var e weblog.Error
		if !weblog.ApacheError([]byte(line), &e) || e.Client.Addr.String() != "192.0.2.7" {
			t.Fatalf("%q gave %v", line, e.Client.Addr)
		}
	}
}

func FuzzErrors(f *testing.F) {
	f.Add(`[Wed Oct 11 14:32:52.123456 2026] [a:error] [pid 17:tid 140] [client [::1]:51390] AH01617: x`)
	f.Add(`2026/01/02 15:04:05 [error] 28#0: *66 user "eve", client: 192.0.2.7, server: s, request: "GET / HTTP/1.1", host: "h"`)
	f.Fuzz(func(t *testing.T, line string) {
		var e weblog.Error
		var clock weblog.Clock
		if weblog.ApacheError([]byte(line), &e) {
			clock.Apache(e.Stamp)
		}
		if weblog.NginxError([]byte(line), &e) {
			clock.Nginx(e.Stamp)
		}
		if e.Client.Addr.Is4In6() || e.Client.Addr.Zone() != "" {
			t.Errorf("%v is mapped or has a zone", e.Client.Addr)
		}
	})
}

func TestClock(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("CET", 3600)
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	for _, clock := range []*weblog.Clock{{}, {Zone: berlin}} {
		local := at
		if clock.Zone != nil {
			local = at.Add(-time.Hour)
		}
		tests := []struct {
			read  func([]byte) (time.Time, bool)
			stamp string
			want  time.Time
		}{
			{clock.Access, "02/Jan/2026:15:04:05 +0000", at},
			{clock.Access, "02/Jan/2026:15:04:05 -0330", at.Add(3*time.Hour + 30*time.Minute)},
			{clock.Access, "02/Jan/2026:15:04:25 -0330", at.Add(3*time.Hour + 30*time.Minute + 20*time.Second)},
			{clock.Access, "02/Jan/2026:15:04:03 -0330", at.Add(3*time.Hour + 30*time.Minute - 2*time.Second)},
			{clock.Access, "02/Jan/2026:15:04:05", local},
			{clock.Access, "02/Jan/2026:15:04:05 ", local},
			{clock.Apache, "Fri Jan 02 15:04:05 2026", local},
			{clock.Apache, "Fri Jan  2 15:04:05.000250 2026", local.Add(250 * time.Microsecond)},
			{clock.Apache, "Fri Jan 02 15:04:05.123456789 2026", local.Add(123456789)},
			{clock.Nginx, "2026/01/02 15:04:05", local},
		}
		for _, test := range tests {
			for range 2 { // anew, and remembered
				if got, ok := test.read([]byte(test.stamp)); !ok || !got.Equal(test.want) {
					t.Errorf("%q is %v, want %v", test.stamp, got, test.want)
				}
			}
		}
		for _, stamp := range []string{"", "x", "02/Jan/2026:15:04", "00/Jan/2026:15:04:05", "02/Jän/2026:15:04:05", "02/Jan/2026:25:04:05 +0000", "02/Jan/2026:15:04:05 0000",
			"Fri Jan 02 15:04:05.1234", "2026/00/02 15:04:05", "0000/01/02 15:04:05", "02/Jan/2200:15:04:05 +0000", "2026-01-02 15:04:05"} {
			for _, read := range []func([]byte) (time.Time, bool){clock.Access, clock.Apache, clock.Nginx} {
				if got, ok := read([]byte(stamp)); ok {
					t.Errorf("%q is %v", stamp, got)
				}
			}
		}
	}
}
