package value

import "testing"

func TestNetwork(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"203.0.113.7": "203.0.113.7/32", "203.0.113.7/24": "203.0.113.0/24", "0.0.0.0/0": "0.0.0.0/0", "::/0": "::/0",
		"::ffff:203.0.113.7": "203.0.113.7/32", "::ffff:203.0.113.7/120": "203.0.113.0/24", "::ffff:0:0/96": "0.0.0.0/0",
		"::ffff:0:0/95": "::fffe:0:0/95", "2001:db8::7": "2001:db8::7/128", "2001:db8::7/64": "2001:db8::/64",
		"fe80::1%eth0": "fe80::1/128", "fe80::1%eth0/64": "", "203.0.113.7/33": "", "home.example.org": "", "": "", "203.0.113.07": "", "/24": "",
	} {
		got, ok := Network(text)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%q is %s, %t; want %q", text, got, ok, want)
		}
	}
}
