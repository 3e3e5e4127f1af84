package header

import "testing"

// Files that daemons write themselves have no tag: what the daemon writes first tells whose they are.
func TestFilesOfDaemonsTheirOwn(t *testing.T) {
	t.Parallel()
	tests := []struct{ line, tag, body string }{
		{"Fri Jan 31 12:00:00 2025 [pid 7] [x] OK LOGIN", "vsftpd", "[pid 7] [x] OK LOGIN"},
		{"2025-01-31 12:00:00 192.0.2.7:4711 x", "openvpn", "192.0.2.7:4711 x"},
		{"Fri Jan 31 12:00:00 2025 us=123456 alice/[2001:db8::7]:4711 x", "openvpn", "alice/[2001:db8::7]:4711 x"},
		{"2025-01-31 12:00:00 [AF_INET6]2001:db8::7:4711 x", "openvpn", "[AF_INET6]2001:db8::7:4711 x"},
		{"2025-01-31 12:00:00 udp4:192.0.2.7:4711 x", "openvpn", "udp4:192.0.2.7:4711 x"},
		{"2025-01-31 12:00:00 tcp6-server:[2001:db8::7]:4711 x", "openvpn", "tcp6-server:[2001:db8::7]:4711 x"},
		{"2025-01-31 12:00:00 TLS Error: x", "openvpn", "TLS Error: x"},
		{"Jan 31 12:00:00 07[IKE] <vpn|1> x", "charon", "07[IKE] <vpn|1> x"},
		{"07[IKE] <vpn|1> x", "charon", "07[IKE] <vpn|1> x"},
		{`Jan 31 12:00:00.123456: "vpn"[1] 192.0.2.7 #7: x`, "pluto", `"vpn"[1] 192.0.2.7 #7: x`},
		{"Jan 31 12:00:00.123456: packet from 192.0.2.7:500: x", "pluto", "packet from 192.0.2.7:500: x"},
		{"2025-01-31 12:00:00 login authenticator failed for x", "exim", "login authenticator failed for x"},
		{"2025-01-31 12:00:00 [7] H=(x) [192.0.2.7] x", "exim", "H=(x) [192.0.2.7] x"},
		{"2025-01-31 12:00:00.123 +0100 [7] 1tdZ9x-000001-Ab H=[192.0.2.7] x", "exim", "H=[192.0.2.7] x"},
		{"2025-01-31 12:00:00 1tdZ9x-00000000abc-1DeF H=[192.0.2.7] x", "exim", "H=[192.0.2.7] x"},
		{"Jan 31 12:00:00 host exim[7]: 2025-01-31 12:00:00 [7] H=[192.0.2.7] x", "exim", "H=[192.0.2.7] x"},
		{"Jan 31 12:00:00 host exim4[7]: 1tdZ9x-000001-Ab H=[192.0.2.7] x", "exim4", "H=[192.0.2.7] x"},
		// others, which only look alike
		{"2025-01-31 12:00:00 login sshd[7]: authenticator failed for x", "sshd", "authenticator failed for x"},
		{"2025-01-31T12:00:00Z SMTP sshd[7]: x", "sshd", "x"},
		{"2025-01-31 12:00:00 host sshd[7]: 192.0.2.7:4711 x", "sshd", "192.0.2.7:4711 x"},
		{"2025-01-31T12:00:00Z host:22 sshd[7]: x", "sshd", "x"},
		{"2025-01-31 12:00:00 999.0.2.7:4711 x[7]: y", "x", "y"},
	}
	for _, test := range tests {
		var m Message
		if !m.Cut([]byte(test.line)) || string(m.Tag) != test.tag || string(m.Body) != test.body {
			t.Errorf("%s: tag %q, body %q, want %q and %q", test.line, m.Tag, m.Body, test.tag, test.body)
		}
	}
}
