package header

import (
	"errors"
	"testing"
)

func TestUnwrap(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ line, want string }{
		{`{"log":"192.0.2.7 - - [31/Jan/2025:12:00:00 +0000] \"GET /\u003c HTTP/1.1\" 404 1\n","stream":"stdout","time":"2025-01-31T12:00:00.1Z"}`,
			`192.0.2.7 - - [31/Jan/2025:12:00:00 +0000] "GET /< HTTP/1.1" 404 1`},
		{`{"log":"a\r\n","stream":"stderr","attrs":{"tag":"x"},"time":"2025-01-31T12:00:00Z"}`, "a\r"},
		{`{"log":"\nInvalid user a\n","stream":"stderr","time":"2025-01-31T12:00:00Z"}`, "-"}, // an empty line
		{`{"log":"a\nb\n","stream":"stderr","time":"2025-01-31T12:00:00Z"}`, "a"},
		{`{"_HOSTNAME":"host","MESSAGE":"Invalid user a\nb","__REALTIME_TIMESTAMP":"1738324800250000","SYSLOG_IDENTIFIER":"sshd","_PID":"7"}`,
			"2025-01-31T12:00:00.250000+00:00 host sshd[7]: Invalid user a#012b"},
		{`{"_HOSTNAME":"host","MESSAGE":"\u0001 \u001b[2J\u007f~","__REALTIME_TIMESTAMP":"1738324800250000","SYSLOG_IDENTIFIER":"sshd"}`,
			"2025-01-31T12:00:00.250000+00:00 host sshd: #001 #033[2J#177~"},
		{`{"_HOSTNAME":"host","MESSAGE":[120,255],"__REALTIME_TIMESTAMP":"1738324800250000","_COMM":"ss hd"}`,
			"2025-01-31T12:00:00.250000+00:00 host ss_hd: x\xff"},
		{"2025-01-31T12:00:00.123456789Z stdout F Invalid user a", "Invalid user a"},
		{"2025-01-31T12:00:00.1+01:00 stderr P Invalid user a", "Invalid user a"},
		{`2025-01-31T12:00:00.123456789Z stdout F {"level":"info"}`, `{"level":"info"}`},
		{"2025-01-31T12:00:00.123456+01:00 stdout sshd[7]: Invalid user a", ""},
		{"2025-01-31T12:00:00.123456+01:00 host stdout F Invalid user a", ""},
		{"2025-01-31T12:00:00+01:00 stdout F Invalid user a", ""},
		// what is wrapped in nothing, or is damaged
		{`{"level":"info","ts":1738324800.25,"logger":"http.log.access"}`, ""},
		{`{"log":"a","time":"x"`, ""},
		{`{"log":7,"time":"2025-01-31T12:00:00Z"}`, ""},
		{`{"MESSAGE":null,"__REALTIME_TIMESTAMP":"1738324800250000"}`, ""},
		{`{"MESSAGE":"x","__REALTIME_TIMESTAMP":"soon"}`, ""},
		{"Jan 31 12:00:00 host sshd[7]: x", ""},
	} {
		got, err := Unwrap([]byte(test.line), &Trust{})
		ok := err == nil
		if test.want == "-" {
			if len(got) > 0 || !ok {
				t.Errorf("%s: %q, %v, want an empty line", test.line, got, ok)
			}
			continue
		}
		if string(got) != test.want || ok != (test.want != "") {
			t.Errorf("%s: %q, %v, want %q", test.line, got, ok, test.want)
		}
	}
}

// An entry of the journal in JSON is believed as the journal's own are.
func TestUnwrapBelievesNoForger(t *testing.T) {
	t.Parallel()
	trust := &Trust{RootOnly: map[string]bool{"sshd": true}}
	for uid, want := range map[string]error{"0": nil, "1000": ErrUntrusted} {
		line := `{"__REALTIME_TIMESTAMP":"1738324800250000","SYSLOG_IDENTIFIER":"sshd","_TRANSPORT":"syslog","_UID":"` + uid + `","MESSAGE":"x"}`
		if inner, err := Unwrap([]byte(line), trust); !errors.Is(err, want) {
			t.Errorf("user %s: %q, error %v, want %v", uid, inner, err, want)
		}
	}
}
