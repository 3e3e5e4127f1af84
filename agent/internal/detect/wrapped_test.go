package detect

import (
	"testing"

	"github.com/pialert/pialert/pkg/attack"
)

// What a container writes, and what a journal was exported as, is read as if it stood in a log of
// its own.
func TestWrappedLines(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		line string
		kind attack.Kind
		user string
	}{
		{`{"log":"192.0.2.7 - - [31/Jan/2025:12:00:00 +0000] \"GET /.env HTTP/1.1\" 404 1 \"-\" \"x\"\n","stream":"stdout","time":"2025-01-31T12:00:00.1Z"}`, attack.HTTPProbe, ""},
		{`{"log":"Failed password for root from 192.0.2.7 port 51112 ssh2\r\n","stream":"stderr","time":"2025-01-31T12:00:00.1Z"}`, attack.SSHLogin, "root"},
		{`{"log":"2025-01-31 12:00:00 42 [Warning] Access denied for user 'root'@'192.0.2.7' (using password: YES)\n","stream":"stderr","time":"2025-01-31T12:00:00.1Z"}`, attack.RemoteLogin, "root"},
		{`2025-01-31T12:00:00.123456789Z stderr F 192.0.2.7 - - [31/Jan/2025:12:00:00 +0000] "GET /.env HTTP/1.1" 404 1 "-" "x"`, attack.HTTPProbe, ""},
		{"\ufeffJan 31 12:00:00 host sshd[7]: Failed password for root from 192.0.2.7 port 51112 ssh2\r", attack.SSHLogin, "root"},
		{`{"_HOSTNAME":"host","MESSAGE":"Failed password for root from 192.0.2.7 port 51112 ssh2","__REALTIME_TIMESTAMP":"1738324800250000","SYSLOG_IDENTIFIER":"sshd","_PID":"7"}`, attack.SSHLogin, "root"},
	} {
		events := detectAll(t, builtinRules(t), []string{test.line})
		if len(events) != 1 || events[0].Kind != test.kind || events[0].User != test.user || events[0].SourceIP.String() != "192.0.2.7" {
			t.Errorf("%s: %+v", test.line, events)
		}
	}
}
