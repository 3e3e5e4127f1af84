package weblog_test

import (
	"bytes"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/pialert/pialert/agent/internal/weblog"
)

func TestNormalise(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"/Index.HTML?A=b":               "/index.html?a=b",
		"/cgi-bin/.%2e/%2E%2e/":         "/cgi-bin/../../",
		"/%252e%252e%252fetc":           "/../etc",
		"/%%32%65%%32%65/":              "/../",
		"/%25252e":                      "/.",
		"/%c0%ae%C0%AE%c0%af%e0%80%af":  "/..//",
		`/\xc0\xae\xc0\xae/`:            "/../",
		`/..%5c..\\x`:                   "/../../x",
		"/a+b?c+d":                      "/a+b?c d",
		"/%u002e%U002E/":                "/../",
		"/%zz%4":                        "/%zz%4",
		`\"${jndi:${lower:L}dap://x}\"`: `"${jndi:${lower:l}dap://x}"`,
		`() { :; }; \t/bin/bash`:        "() { :; };  /bin/bash",
		"/%":                            "/%",
		"/#22onerror#3D":                `/"onerror=`,
		"/a#b":                          "/a#b",
		"/\xc3\xa9":                     "/\xc3\xa9",
		"/%c1":                          "/\xc1",
	} {
		if got := weblog.Normalise(nil, []byte(text)); string(got) != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// Whatever a client encodes once, or twice, is found again; and the text never grows.
func FuzzNormalise(f *testing.F) {
	f.Add("/../../etc/passwd")
	f.Add("/a?b=<script>")
	f.Fuzz(func(t *testing.T, text string) {
		got := weblog.Normalise([]byte("before"), []byte(text))
		if !bytes.HasPrefix(got, []byte("before")) || len(got) > len("before")+len(text) {
			t.Fatalf("%q became %q", text, got)
		}
		if strings.ContainsAny(text, `%\+?`) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			return
		}
		for _, encoded := range []string{url.PathEscape(text), url.PathEscape(url.PathEscape(text))} {
			if got := weblog.Normalise(nil, []byte(encoded)); string(got) != strings.ToLower(text) {
				t.Errorf("%q, encoded as %q, became %q", text, encoded, got)
			}
		}
	})
}

// Our own reader of addresses agrees with netip, save for the leading zeros that logs have and
// the zones, which it drops.
func FuzzAddresses(f *testing.F) {
	for _, text := range []string{"192.0.2.7", "2001:db8::1", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "::ffff:192.0.2.7", "64:ff9b::192.0.2.7",
		"1:2:3:4:5:6:7::", "1::2::3", "12345::", "fe80::1%eth0", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:192.0.2.7", ":1", "1:", "::1:", "1:2:3:4:5:6:7:192.0.2.7", "::192.0.2"} {
		f.Add(text)
	}
	format, err := weblog.CompileFormat(`%h "%r"`)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, " \"[]\n\r\t") {
			return
		}
		var a weblog.Access
		got := netip.Addr{}
		if format.Parse([]byte(text+` "-"`), &a) && a.Client.Port == 0 {
			got = a.Client.Addr
		}
		want, err := netip.ParseAddr(text)
		if err != nil {
			if got.IsValid() && !(strings.Contains(text, ".") && strings.Contains(text, "0")) {
				t.Errorf("%q became %v", text, got)
			}
			return
		}
		if want = want.Unmap().WithZone(""); got != want {
			t.Errorf("%q became %v, want %v", text, got, want)
		}
	})
}
