package terminal

import (
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/escape"
)

var noon = time.Date(2026, time.November, 20, 12, 0, 1, 0, time.UTC)

func TestLines(t *testing.T) {
	source := netip.MustParseAddr("192.0.2.7")
	tests := map[string]struct {
		agent, lamp string
		event       attack.Event
		want        string
	}{
		"login": {"vps", "ssh-a", attack.Event{Kind: attack.SSHLogin, Count: 1, SourceIP: source, User: "root", Detail: attack.SSH{Method: "password"}},
			`12:00:01 ssh-a  ssh_login from 192.0.2.7 as "root" on vps  total 17`},
		"several": {"vps", "ssh-a", attack.Event{Kind: attack.SSHLogin, Count: 5, SourceIP: source},
			`12:00:01 ssh-a  ssh_login x5 from 192.0.2.7 on vps  total 17`},
		"probe": {"", "ssh-a", attack.Event{Kind: attack.SSHProbe, Count: 1, SourceIP: netip.MustParseAddr("2001:db8::1"), Detail: attack.SSH{Reason: "bad banner"}},
			`12:00:01 ssh-a  ssh_probe from 2001:db8::1, "bad banner"  total 17`},
		"a name for an address": {"vps", "web", attack.Event{Kind: attack.FTPLogin, Count: 1, SourceHost: "host.example", Detail: attack.Service{Name: "vsftpd"}},
			`12:00:01 web  ftp_login from "host.example" at "vsftpd" on vps  total 17`},
		"request": {"vps", "web", attack.Event{Kind: attack.HTTPProbe, Count: 1, SourceIP: source, Detail: attack.HTTP{Method: "GET", Target: "/.env"}},
			`12:00:01 web  http_probe from 192.0.2.7 "GET /.env" on vps  total 17`},
		"flood": {"vps", "web", attack.Event{Kind: attack.HTTPFlood, SourceIP: source,
			Detail: attack.Flood{Phase: attack.PhaseStart, Network: netip.MustParsePrefix("192.0.2.0/24"), Method: "POST", Requests: 600}},
			`12:00:01 web  http_flood from 192.0.2.7 by 192.0.2.0/24 began, 600 requests "POST" on vps  total 17`},
		"ban": {"vps", "web", attack.Event{Kind: attack.Ban, Count: 1, SourceIP: source, Detail: attack.BanInfo{Jail: "sshd"}},
			`12:00:01 web  ban from 192.0.2.7 in "sshd" on vps  total 17`},
		"test": {"vps", "web", attack.Event{Kind: attack.Test, Count: 1, Test: true},
			`12:00:01 web  test on vps (test)  total 17`},
		"no lamp": {"vps", "", attack.Event{Kind: attack.Visit, Count: 1},
			`12:00:01 -  visit on vps  total 17`},
		"hostile": {"v\x1bps", "web", attack.Event{Kind: attack.SSHLogin, Count: 1, SourceHost: "a\x9b2Jb", User: "r\x1b]0;x\a\u202et\xff\n"},
			`12:00:01 web  ssh_login from "a\x9b2Jb" as "r\x1b]0;x\a\u202et\xff\n" on v\x1bps  total 17`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := line(noon, test.agent, test.lamp, &test.event, 17); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// FuzzNothingHostileIsPrinted holds that neither events nor logs can control the terminal.
func FuzzNothingHostileIsPrinted(f *testing.F) {
	f.Add("root", "/\x1b[2J", "\u009b31m")
	f.Add("\xff\xfe", "\r\n12:00:01 ssh-a", "\u2028\u202e\ufeff\ufffd")
	f.Fuzz(func(t *testing.T, user, target, agent string) {
		e := &attack.Event{Kind: attack.HTTPProbe, Count: 1, User: user, SourceHost: agent, Detail: attack.HTTP{Method: user, Target: target}}
		r := rowOf(noon, agent, 0, e)
		for _, text := range []string{line(noon, agent, "web", e, 1), escape.Text(target), r.source, r.what, r.agent} {
			if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
				t.Errorf("%q has %q", text, text[i:])
			}
			if strings.ToValidUTF8(text, "") != text {
				t.Errorf("%q is no UTF-8", text)
			}
		}
	})
}
