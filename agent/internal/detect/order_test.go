package detect

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/detect/episode"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// What a Matcher remembers makes the next line cheaper and nothing else: a block of a log may be matched
// by any of several Matchers, and each line has to say the same to all of them.
func TestLinesSayTheSameWhateverWasReadBefore(t *testing.T) {
	t.Parallel()
	const stamp = `[20/Nov/2026:10:00:00 +0000]`
	lines := []string{
		// Formats of access logs, and lines that more than one of them fits.
		`192.0.2.7 - - ` + stamp + ` "GET /wp-login.php HTTP/1.1" 200 12 "-" "curl/8.0"`,
		`192.0.2.8 - bob ` + stamp + ` "POST /wp-login.php HTTP/1.1" 200 12`,
		`192.0.2.9 - - ` + stamp + ` "POST /xmlrpc.php HTTP/1.1" 200 12 "-" "curl/8.0" 0.017 more`,
		`192.0.2.9 - - ` + stamp + ` "GET /.env HTTP/1.1" 404 12 0.017`,
		`www.example.org:443 192.0.2.10 - - ` + stamp + ` "GET /.git/config HTTP/1.1" 404 12 "-" "curl/8.0"`,
		`www.example.org 192.0.2.10 - - ` + stamp + ` "GET /.git/config HTTP/1.1" 404 12`,
		`192.0.2.11 www.example.org - ` + stamp + ` "GET /.git/config HTTP/1.1" 404 12 "-" "curl/8.0"`,
		// An attack by the agent alone, and one in which the target says the same.
		`192.0.2.12 - - ` + stamp + ` "GET / HTTP/1.1" 200 12 "-" "x=../../../etc/passwd"`,
		`192.0.2.12 - - ` + stamp + ` "GET /?x=../../../etc/passwd HTTP/1.1" 200 12 "-" "x=../../../etc/passwd"`,
		`192.0.2.12 - - ` + stamp + ` "GET /?x=../../../etc/passwd HTTP/1.1" 200 12 "x=../../../etc/passwd" "curl/8.0"`,
		`192.0.2.12 - - ` + stamp + ` "GET / HTTP/1.1" 200 12 "x=../../../etc/passwd" "curl/8.0"`,
		// Headers of syslog that share a part, and what PAM's modules say for several services.
		`Nov 20 10:00:00 host sshd[7]: Failed password for root from 192.0.2.7 port 22 ssh2`,
		`Nov 20 10:00:01 host sshd[71]: Failed password for root from 192.0.2.71 port 22 ssh2`,
		`Nov 20 10:00:01 other sshd[7]: Failed password for invalid user x from 192.0.2.7 port 22 ssh2`,
		`Nov 20 10:00:01 host sshd: Failed password for root from 192.0.2.7 port 22 ssh2`,
		`Nov 20 10:00:01 host sshd[7]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root`,
		`Nov 20 10:00:01 host sudo: pam_unix(sudo:auth): authentication failure; logname=al uid=1 euid=0 tty=/dev/pts/0 ruser=al rhost=  user=al`,
		`Nov 20 10:00:01 host sudo[7]: pam_sss(sudo:auth): authentication failure; logname=al uid=1 euid=0 tty=/dev/pts/0 ruser=al rhost= user=al`,
		`Nov 20 10:00:01 host sshd[7]: Connection from 192.0.2.7 port 22 on 192.0.2.1 port 22`,
		`Nov 20 10:00:01 host cron[7]: nothing to see`,
		`2026/11/20 10:00:01 [error] 7#7: *1 user "bob": password mismatch, client: 192.0.2.7, server: x, request: "GET / HTTP/1.1", host: "x"`,
		``,
	}
	src, err := NewSource("test.log", rule.TypeAuto, "")
	if err != nil {
		t.Fatal(err)
	}
	options := Options{Rules: builtinRules(t), Spreads: &episode.DefaultSpreads}
	says := func(m *Matcher, line string) *Batch {
		var b Batch
		b.Reset(src)
		m.Match([]byte(line+"\n"), &b)
		return &b
	}
	for _, line := range lines {
		want := says(NewMatcher(options), line)
		for _, before := range lines {
			m := NewMatcher(options)
			says(m, before)
			if got := says(m, line); !reflect.DeepEqual(got, want) {
				t.Errorf("a line says something else behind another one:\n%s\n%s\n got %+v\nwant %+v", before, line, got, want)
			}
		}
	}
}

// What is pending at the end of several logs counts in the order of their names, however often they are read.
func TestWhatIsPendingComesInTheLogsOrder(t *testing.T) {
	t.Parallel()
	const line = "Jan 31 12:00:00 vps sshd[7]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root"
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	var logs []string
	engine, err := New(Options{Rules: builtinRules(t), Emit: func(ev *attack.Event, _ uint64) { logs = append(logs, ev.Log) }})
	if err != nil {
		t.Fatal(err)
	}
	for i := range names {
		src, err := NewSource(names[len(names)-1-i], rule.TypeAuto, "")
		if err != nil {
			t.Fatal(err)
		}
		engine.Feed(src, []byte(line), time.Unix(1e9, 0))
	}
	if engine.Finish(); !slices.Equal(logs, names) {
		t.Errorf("events of %v, want %v", logs, names)
	}
}
