package weblog_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/pialert/pialert/agent/internal/weblog"
)

// request is what a test expects of a line, as text.
type request struct {
	client, name, host, user, method, target, referer, agent string
	port, status                                             uint16
}

func of(a *weblog.Access) request {
	r := request{name: string(a.Client.Host), host: string(a.Host), user: string(a.User), method: string(a.Method),
		target: string(a.Target), referer: string(a.Referer), agent: string(a.Agent), port: a.Client.Port, status: a.Status}
	if a.Client.Addr.IsValid() {
		r.client = a.Client.Addr.String()
	}
	return r
}

func TestAccessFormatsAreRecognised(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, line string
		want       request
	}{
		{"common", `192.0.2.7 - - [10/Oct/2026:13:55:36 -0700] "GET /a HTTP/1.1" 200 2326`,
			request{client: "192.0.2.7", method: "GET", target: "/a", status: 200}},
		{"combined", `192.0.2.7 - eve [10/Oct/2026:13:55:36 +0000] "POST /a?b=c HTTP/1.1" 404 - "http://r/" "curl/8"`,
			request{client: "192.0.2.7", user: "eve", method: "POST", target: "/a?b=c", status: 404, referer: "http://r/", agent: "curl/8"}},
		{"vhost_combined", `www.example.com:443 2001:db8::7 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/2.0" 200 5 "-" "-"`,
			request{client: "2001:db8::7", host: "www.example.com", method: "GET", target: "/", status: 200}},
		{"host before the client", `www.example.com 192.0.2.7 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "x"`,
			request{client: "192.0.2.7", host: "www.example.com", method: "GET", target: "/", status: 200, agent: "x"}},
		{"names instead of addresses", `www.example.com client.example.net - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "x"`,
			request{name: "client.example.net", host: "www.example.com", method: "GET", target: "/", status: 200, agent: "x"}},
		{"fields at the end", `192.0.2.7 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "x" 0.004 "192.0.2.1:80" -`,
			request{client: "192.0.2.7", method: "GET", target: "/", status: 200, agent: "x"}},
		{"host after the time, which has no zone", `192.0.2.7 - - [10/Oct/2026:13:55:36 ] www.example.com "GET / HTTP/1.1" 200 5 "-" "x" + 29 1`,
			request{client: "192.0.2.7", host: "www.example.com", method: "GET", target: "/", status: 200, agent: "x"}},
		{"client in brackets", `[10/Oct/2026:13:55:36 +0000] [www.example.com:80] [client 2001:db8::1] "GET / HTTP/1.1" 200 43 "x"`,
			request{client: "2001:db8::1", host: "www.example.com", method: "GET", target: "/", status: 200, agent: "x"}},
		{"mapped address", `::ffff:192.0.2.7 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 5`,
			request{client: "192.0.2.7", method: "GET", target: "/", status: 200}},
		{"zone of an address", `fe80::1%eth0 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 5`,
			request{client: "fe80::1", method: "GET", target: "/", status: 200}},
		{"spaces in the target", `192.0.2.7 - - [10/Oct/2026:13:55:36 +0000] "GET /a b HTTP/1.1" 400 5`,
			request{client: "192.0.2.7", method: "GET", target: "/a b", status: 400}},
		{"no request", `192.0.2.7 - - [10/Oct/2026:13:55:36 +0000] "-" 408 - "-" "-"`,
			request{client: "192.0.2.7", status: 408}},
		{"TLS to the plain port", `192.0.2.7 - - [10/Oct/2026:13:55:36 +0000] "\x16\x03\x01" 400 448 "-" "-"`,
			request{client: "192.0.2.7", status: 400}},
		{"HTTP/0.9", `192.0.2.7 - - [10/Oct/2026:13:55:36 +0000] "GET /" 200 5`,
			request{client: "192.0.2.7", method: "GET", target: "/", status: 200}},
		{"a user that is a line", `192.0.2.7 - x [10/Oct/2026:13:55:36 +0000] \"GET / HTTP/1.1\" 200 5 [10/Oct/2026:13:55:37 +0000] "GET /real HTTP/1.1" 401 5 "-" "x"`,
			request{client: "192.0.2.7", user: `x [10/Oct/2026:13:55:36 +0000] \"GET / HTTP/1.1\" 200 5`, method: "GET", target: "/real", status: 401, agent: "x"}},
		{"a user with raw quotes", `192.0.2.7 - x" 203.0.113.9 "- [10/Oct/2026:13:55:37 +0000] "GET /real HTTP/1.1" 401 5 "-" "x"`,
			request{client: "192.0.2.7", user: `x" 203.0.113.9 "-`, method: "GET", target: "/real", status: 401, agent: "x"}},
		{"an agent that is a line", `192.0.2.7 - - [10/Oct/2026:13:55:37 +0000] "GET / HTTP/1.1" 200 5 "-" "\" 203.0.113.9 - - [10/Oct/2026:13:55:37 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"\\"`,
			request{client: "192.0.2.7", method: "GET", target: "/", status: 200, agent: `\" 203.0.113.9 - - [10/Oct/2026:13:55:37 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"\\`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var r weblog.Reader
			var a weblog.Access
			if !r.Access([]byte(test.line), &a) {
				t.Fatal("is not recognised")
			}
			if got := of(&a); got != test.want {
				t.Errorf("\n got %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestOtherLinesAreNoAccessLines(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"", " ", `"`, "192.0.2.7", "Jan  2 15:04:05 web sshd[7]: Failed password for root from 192.0.2.7 port 4 ssh2",
		`192.0.2.7 - - [yesterday] "GET / HTTP/1.1" 200 5`,
		`192.0.2.7 - - [10/Oct/2026:13:55:36 +0000] GET / HTTP/1.1 200 5`,
		`999.0.2.7 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 5`,
		// A client's address, and what it could have an identity server say. Such a format has
		// to be configured.
		`192.0.2.7 203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 5`,
		`[Wed Oct 11 14:32:52.123456 2026] [core:error] [pid 1:tid 2] [client 192.0.2.7:5] AH00126: Invalid URI`,
	} {
		var r weblog.Reader
		var a weblog.Access
		if r.Access([]byte(line), &a) {
			t.Errorf("%q was read as %+v", line, of(&a))
		}
	}
}

func TestCustomFormats(t *testing.T) {
	t.Parallel()
	tests := []struct {
		format, line string
		want         request
	}{
		{`%t [%v:%p] [client %h] \"%r\" %>s %b \"%{User-Agent}i\"`,
			`[10/Oct/2026:13:55:36 +0000] [::1:80] [client 192.0.2.7] "GET /[client 203.0.113.9] HTTP/1.1" 200 4 "] [client 203.0.113.9]"`,
			request{client: "192.0.2.7", host: "::1", method: "GET", target: "/[client 203.0.113.9]", status: 200, agent: "] [client 203.0.113.9]"}},
		{`%a:%{remote}p %{%s}t \"%m %U%q %H\" %s`, `2001:db8::1:4711 1790000000 "GET /a b?c HTTP/1.1" 200`,
			request{client: "2001:db8::1", port: 4711, method: "GET", target: "/a b?c", status: 200}},
		{`%u from %h: \"%400,501{User-Agent}i\"`, `eve from 203.0.113.9: x from 192.0.2.7: "curl"`,
			request{client: "192.0.2.7", user: "eve from 203.0.113.9: x", agent: "curl"}},
		{`%{X-Forwarded-For}i %l %u %t \"%r\" %>s %b`, `203.0.113.9, 10.0.0.1, 192.0.2.7 - eve [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 5`,
			request{client: "192.0.2.7", user: "eve", method: "GET", target: "/", status: 200}},
		{`%{X-Forwarded-For}i %l %u %t \"%r\" %>s %b`, `- - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 5`,
			request{method: "GET", target: "/", status: 200}},
		{`%{X-Forwarded-For}i %h \"%r\"`, `203.0.113.9 192.0.2.7 "GET / HTTP/1.1"`,
			request{client: "192.0.2.7", method: "GET", target: "/"}},
		{`100%% %h\t%>s`, "100% 192.0.2.7\t404", request{client: "192.0.2.7", status: 404}},
		{`%h \"%{Referer}i\" %{Host}i %D`, `192.0.2.7 "" www.example.com 17`, request{client: "192.0.2.7", host: "www.example.com"}},
	}
	for _, test := range tests {
		f, err := weblog.CompileFormat(test.format)
		if err != nil {
			t.Fatal(err)
		}
		var a weblog.Access
		if !f.Parse([]byte(test.line), &a) {
			t.Errorf("%s does not read %q", test.format, test.line)
		} else if got := of(&a); got != test.want {
			t.Errorf("%s\n got %+v\nwant %+v", test.format, got, test.want)
		}
	}
}

func TestFormatsThatAreRefused(t *testing.T) {
	t.Parallel()
	for format, reason := range map[string]string{
		``:                  "no client address",
		`%t \"%r\"`:         "no client address",
		`%h%u`:              "nothing stands between",
		`%h %u %r`:          "two fields that can hold spaces",
		`%h %`:              "has no letter",
		`%h %{Referer`:      "never closed",
		`%h %Z`:             `no directive "%Z"`,
		`%h %{Referer}i %f`: "two fields that can hold spaces",
	} {
		if _, err := weblog.CompileFormat(format); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: %v, want %q", format, err, reason)
		}
	}
	for _, name := range weblog.FormatNames() {
		if _, err := weblog.NamedFormat(name); err != nil {
			t.Error(err)
		}
	}
}

// A line with a forged list of addresses is read right, or refused: that user names have spaces
// cannot be told from it.
func TestForwardedIsTakenFromTheEnd(t *testing.T) {
	t.Parallel()
	f, err := weblog.CompileFormat(`%{X-Forwarded-For}i %l %u %t \"%r\" %>s %b`)
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] x, 192.0.2.7", "203.0.113.9, unknown, 192.0.2.7", "192.0.2.7"} {
		var a weblog.Access
		line := list + ` - a, 203.0.113.9 - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 5`
		if f.Parse([]byte(line), &a) {
			t.Errorf("a user name gave the address %v", a.Client.Addr)
		}
		line = list + ` - eve [10/Oct/2026:13:55:36 +0000] "GET / HTTP/1.1" 200 5`
		if f.Parse([]byte(line), &a) && a.Client.Addr != netip.MustParseAddr("192.0.2.7") {
			t.Errorf("%q gave the address %v", line, a.Client.Addr)
		}
	}
}

// hostile is text as clients send it: pieces of lines that try to end their field.
func hostile(r *rand.Rand) string {
	pieces := []string{"203.0.113.9", " - - ", `"`, `\`, "[10/Oct/2026:13:55:36 +0000]", "[client 203.0.113.9]", " ", "x", "é", "\xff",
		`GET / HTTP/1.1`, "200", `", client: 203.0.113.9, server: s, request: "`, ", referer: ", "AH01617: ", ":", "%20", "]", "["}
	var b strings.Builder
	for range 1 + r.IntN(6) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

// escape does what Apache does to such text (util.c, ap_escape_logitem).
func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Lines written from known parts give those parts back, whatever the client's parts hold.
func TestAccessLinesGiveBackTheirParts(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var reader weblog.Reader
	for range 20_000 {
		want := request{client: "192.0.2.7", method: "GET", target: "/" + escape(hostile(r)), status: uint16(100 + r.IntN(500)),
			user: escape(hostile(r)), referer: escape(hostile(r)), agent: escape(hostile(r))}
		if r.IntN(2) == 0 {
			want.client = "2001:db8::9"
		}
		want.user = strings.Trim(want.user, "- ") + "x"
		want.referer, want.agent = want.referer+"x", want.agent+"x" // a dash alone means that there is none
		line := fmt.Sprintf(`%s - %s [10/Oct/2026:13:55:36 +0000] "%s %s HTTP/1.1" %d 5 "%s" "%s"`,
			want.client, want.user, want.method, want.target, want.status, want.referer, want.agent)
		if r.IntN(2) == 0 {
			want.host = "www.example.com"
			line = want.host + ":80 " + line
		}
		var a weblog.Access
		if !reader.Access([]byte(line), &a) {
			t.Fatalf("%q is not read", line)
		}
		if got := of(&a); got != want {
			t.Fatalf("%q\n got %+v\nwant %+v", line, got, want)
		}
	}
}

// No line panics, and no field leaves the line.
func FuzzAccess(f *testing.F) {
	f.Add(`%h - %u %t \"%r\" %>s %b`, `192.0.2.7 - - [10/Oct/2026:13:55:36 -0700] "GET /a HTTP/1.1" 200 2326`)
	f.Add(`%t [%v:%p] [client %h] \"%r\" %>s %b \"%{User-Agent}i\"`, `[10/Oct/2026:13:55:36 +0000] [a:80] [client ::1] "" 200 4 "\""`)
	f.Add(`%{X-Forwarded-For}i %l %u %t \"%r\"`, `1.2.3.4, 5.6.7.8 - - [10/Oct/2026:13:55:36 +0000] "a"`)
	f.Fuzz(func(t *testing.T, format, line string) {
		var a weblog.Access
		var r weblog.Reader
		var clock weblog.Clock
		if r.Access([]byte(line), &a) {
			if !a.Client.Addr.IsValid() && len(a.Client.Host) == 0 {
				t.Errorf("%q has no client", line)
			}
			clock.Access(a.Stamp)
		}
		if custom, err := weblog.CompileFormat(format); err == nil {
			custom.Parse([]byte(line), &a)
		}
	})
}

func TestReadingDoesNotAllocate(t *testing.T) {
	lines := [][]byte{
		[]byte(`192.0.2.7 - eve [10/Oct/2026:13:55:36 +0530] "POST /a?b=c HTTP/1.1" 404 - "http://r/" "curl/8"`),
		[]byte(`www.example.com:443 2001:db8::7 - - [10/Oct/2026:13:55:36 +0000] "GET / HTTP/2.0" 200 5 "-" "-"`),
		[]byte(`no access line "at all"`),
	}
	var r weblog.Reader
	var a weblog.Access
	var e weblog.Error
	var clock weblog.Clock
	for _, line := range lines {
		if n := testing.AllocsPerRun(10, func() {
			if r.Access(line, &a) {
				clock.Access(a.Stamp)
			}
			weblog.ApacheError(line, &e)
			weblog.NginxError(line, &e)
		}); n != 0 {
			t.Errorf("%v allocations for %q", n, line)
		}
	}
}

func BenchmarkAccess(b *testing.B) {
	line := []byte(`198.51.100.24 - - [10/Oct/2026:13:55:36 +0000] "GET /blog/2026/10/an-article/?page=2 HTTP/1.1" 200 15326 "https://www.example.com/blog/" "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"`)
	var r weblog.Reader
	var a weblog.Access
	var clock weblog.Clock
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if !r.Access(line, &a) {
			b.Fatal("not read")
		}
		clock.Access(a.Stamp)
	}
}
