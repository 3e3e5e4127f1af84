package header

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestEntry(t *testing.T) {
	t.Parallel()
	const stamp = `"__REALTIME_TIMESTAMP":"1795176000123456","_HOSTNAME":"server",`
	const want = "2026-11-20T12:00:00.123456+00:00 server "
	for _, test := range []struct {
		name, fields, want string
		err                error
	}{
		{
			name:   "sshd",
			fields: `"SYSLOG_IDENTIFIER":"sshd","_PID":"4711","_UID":"0","MESSAGE":"Connection closed by 192.0.2.7 port 50022 [preauth]"`,
			want:   "sshd[4711]: Connection closed by 192.0.2.7 port 50022 [preauth]",
		},
		{
			name:   "the highest process number",
			fields: `"SYSLOG_IDENTIFIER":"sshd","_PID":"4294967295","_UID":"0","MESSAGE":"hi"`,
			want:   "sshd[4294967295]: hi",
		},
		{
			name:   "no process number",
			fields: `"SYSLOG_IDENTIFIER":"sshd","_PID":"4294967296","_UID":"0","MESSAGE":"hi"`,
			want:   "sshd: hi",
		},
		{
			name:   "a message with a newline stays one line",
			fields: `"SYSLOG_IDENTIFIER":"sshd","_PID":"1","_UID":"0","MESSAGE":"user a\nb\u0000\u007f\tc"`,
			want:   "sshd[1]: user a#012b#000#177#011c",
		},
		{
			name:   "a message that is no text",
			fields: `"SYSLOG_IDENTIFIER":"sshd","_PID":"1","_UID":"0","MESSAGE":[105,110,10,255]`,
			want:   "sshd[1]: in#012\xff",
		},
		{
			name:   "a field that occurs twice",
			fields: `"SYSLOG_IDENTIFIER":["sshd","cron"],"_PID":"1","_UID":"0","MESSAGE":[[104,105],"there"]`,
			want:   "sshd[1]: hi",
		},
		{
			name:   "without identifier and pid",
			fields: `"_COMM":"agetty","_UID":"0","MESSAGE":"hi"`,
			want:   "agetty: hi",
		},
		{
			name:   "an identifier that plays header",
			fields: `"SYSLOG_IDENTIFIER":"a b[1]: c\n","_PID":"1","_UID":"0","MESSAGE":"hi"`,
			want:   "a_b_1___c_[1]: hi",
		},
		{
			name: "charon-systemd, of an IKE_SA",
			fields: `"SYSLOG_IDENTIFIER":"charon-systemd","_PID":"7","_UID":"0","_SYSTEMD_SLICE":"system.slice","THREAD":"7","GROUP":"IKE","LEVEL":"1",` +
				`"IKE_SA_UNIQUE_ID":"83","IKE_SA_NAME":"v<p|n","MESSAGE":"received proposals unacceptable"`,
			want: "charon-systemd[7]: 07[IKE] <v_p_n|83> received proposals unacceptable",
		},
		{
			name:   "charon-systemd, before there is an IKE_SA",
			fields: `"SYSLOG_IDENTIFIER":"charon-systemd","_PID":"7","_UID":"0","_SYSTEMD_SLICE":"system.slice","THREAD":"12","GROUP":"NET","MESSAGE":"received packet"`,
			want:   "charon-systemd[7]: 12[NET] received packet",
		},
		{
			name:   "another program's threads",
			fields: `"SYSLOG_IDENTIFIER":"sshd","_PID":"1","_UID":"0","THREAD":"12","GROUP":"NET","MESSAGE":"hi"`,
			want:   "sshd[1]: hi",
		},
		{
			name:   "the kernel has no user",
			fields: `"SYSLOG_IDENTIFIER":"kernel","_TRANSPORT":"kernel","MESSAGE":"hi"`,
			want:   "kernel: hi",
		},
		{
			name:   "sudo logs as its caller",
			fields: `"SYSLOG_IDENTIFIER":"sudo","_EXE":"/usr/bin/sudo","_PID":"1","_UID":"1000","MESSAGE":"hi"`,
			want:   "sudo[1]: hi",
		},
		{
			name:   "a service of its own user",
			fields: `"SYSLOG_IDENTIFIER":"postfix/smtpd","_SYSTEMD_SLICE":"system.slice","_PID":"1","_UID":"107","MESSAGE":"hi"`,
			want:   "postfix/smtpd[1]: hi",
		},
		{
			name:   "an entry of which somebody kept only what is to be read",
			fields: `"SYSLOG_IDENTIFIER":"sshd","MESSAGE":"hi"`,
			want:   "sshd: hi",
		},
		{
			name:   "an entry that says how it came, but not by whom",
			fields: `"SYSLOG_IDENTIFIER":"sshd","_TRANSPORT":"syslog","MESSAGE":"hi"`,
			err:    ErrUntrusted,
		},
		{
			name:   "somebody's logger -t sshd",
			fields: `"SYSLOG_IDENTIFIER":"sshd","_EXE":"/usr/bin/logger","_SYSTEMD_SLICE":"user-1000.slice","_UID":"1000","MESSAGE":"hi"`,
			err:    ErrUntrusted,
		},
		{
			name:   "a web application's logger -t sshd",
			fields: `"SYSLOG_IDENTIFIER":"sshd","_SYSTEMD_SLICE":"system.slice","_UID":"33","MESSAGE":"hi"`,
			err:    ErrUntrusted,
		},
		{
			name:   "the same in disguise",
			fields: `"SYSLOG_IDENTIFIER":"sshd(pam_unix)","_SYSTEMD_SLICE":"system.slice","_UID":"33","MESSAGE":"hi"`,
			err:    ErrUntrusted,
		},
		{
			name:   "somebody's logger -t sudo",
			fields: `"SYSLOG_IDENTIFIER":"sudo","_EXE":"/home/a/bin/sudo","_UID":"1000","MESSAGE":"hi"`,
			err:    ErrUntrusted,
		},
		{
			name:   "somebody's logger -t dovecot",
			fields: `"SYSLOG_IDENTIFIER":"dovecot","_UID":"1000","MESSAGE":"hi"`,
			err:    ErrUntrusted,
		},
		{
			name:   "a message that journalctl left out",
			fields: `"SYSLOG_IDENTIFIER":"sshd","_UID":"0","MESSAGE":null`,
			err:    ErrOmitted,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var e Entry
			if err := json.Unmarshal([]byte("{"+stamp+test.fields+"}"), &e); err != nil {
				t.Fatal(err)
			}
			trust := Trust{
				RootOnly: map[string]bool{"sshd": true, "sudo": true, "su": true, "kernel": true, "login": true, "fail2ban": true},
				Setuid:   map[string][]string{"sudo": {"/usr/bin/sudo"}, "su": {"/usr/bin/su", "/bin/su"}},
			}
			line, err := e.AppendLine(nil, &trust)
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if err == nil && string(line) != want+test.want {
				t.Errorf("line %q, want %q", line, want+test.want)
			}
		})
	}
}

// Whatever an entry holds, it becomes no line or exactly one, of which the header is ours.
func FuzzEntry(f *testing.F) {
	trust := Trust{
		RootOnly: map[string]bool{"sshd": true, "sudo": true, "su": true, "kernel": true, "login": true, "fail2ban": true},
		Setuid:   map[string][]string{"sudo": {"/usr/bin/sudo"}, "su": {"/usr/bin/su", "/bin/su"}},
	}
	f.Add([]byte(`{"__REALTIME_TIMESTAMP":"1","SYSLOG_IDENTIFIER":"sshd","_UID":"0","MESSAGE":"a\nb"}`))
	f.Add([]byte(`{"__REALTIME_TIMESTAMP":"1","SYSLOG_IDENTIFIER":[1,2],"_UID":"0","MESSAGE":[[10],null]}`))
	f.Add([]byte(`{"__REALTIME_TIMESTAMP":"-9999999999999999","_COMM":"","_UID":"0","MESSAGE":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var e Entry
		if json.Unmarshal(data, &e) != nil {
			return
		}
		line, err := e.AppendLine(nil, &trust)
		if err != nil {
			if len(line) > 0 {
				t.Errorf("line %q beside error %v", line, err)
			}
			return
		}
		if strings.Contains(string(line), "\n") {
			t.Errorf("%q is not one line", line)
		}
		head, _, _ := strings.Cut(string(line), ": ")
		if words := strings.Split(head, " "); len(words) != 3 || strings.ContainsAny(words[1], "[]:") {
			t.Errorf("%q is no header", head)
		}
	})
}
