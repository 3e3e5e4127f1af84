package header

import (
	"bytes"

	"github.com/pialert/pialert/agent/internal/value"
)

// cutRare takes off the headers that start with neither a stamp of syslog's nor a tag. It is asked
// where the line starts with no stamp, or behind the stamp of the program that stores the lines.
func (m *Message) cutRare(line []byte) bool {
	if len(line) < 8 {
		return false
	}
	if m.cutSocklog(line) {
		return true
	}
	if m.Stamp.Form != None {
		return false
	}
	switch c := line[0]; {
	case 'A' <= c && c <= 'Z' && line[3] == ' ': // journalctl --output=short-full: "Fri 2025-01-31 12:00:00 CET host sshd[7]: "
		length := isoLength(line[4:])
		if length == 0 {
			return false
		}
		m.Stamp = Stamp{Form: ISO, Text: line[4 : 4+length]}
		_, rest, ok := bytes.Cut(bytes.TrimLeft(line[4+length:], " "), []byte(" "))
		return ok && m.cutHostAndTag(rest)
	case value.Digit(c): // --output=short-unix: "1738324800.123456 host sshd[7]: "
		stamp, _, ok := bytes.Cut(line[:min(len(line), 24)], []byte(" "))
		seconds, fraction, point := bytes.Cut(stamp, []byte("."))
		if !ok || !point || len(seconds) < 9 || len(seconds) > 11 || !value.IsDigits(seconds) || len(fraction) != 6 || !value.IsDigits(fraction) {
			return false
		}
		m.Stamp = Stamp{Form: Epoch, Text: stamp}
		return m.cutHostAndTag(line[len(stamp)+1:])
	case c == '[': // --output=short-monotonic, since the machine started: "[12345.678901] host sshd[7]: "
		end := bytes.IndexByte(line[:min(len(line), 48)], ']')
		if end < 4 || end+1 >= len(line) || line[end+1] != ' ' {
			return false
		}
		uptime, delta, isDelta := bytes.Cut(line[1:end], []byte(" <")) // --output=short-delta: "[12345.678901 <    0.000123 >] "
		if !isUptime(uptime) || isDelta && len(bytes.Trim(delta, "0123456789. >")) > 0 {
			return false
		}
		return m.cutUnstamped(line[end+2:])
	}
	return false
}

// isUptime says whether text is "12345.678901", padded with blanks.
func isUptime(text []byte) bool {
	seconds, fraction, ok := bytes.Cut(bytes.TrimLeft(text, " "), []byte("."))
	return ok && value.IsDigits(seconds) && len(fraction) == 6 && value.IsDigits(fraction)
}

// cutSocklog reads "auth.info: Jan 31 12:00:00 sshd[7]: ", as socklog writes it, behind the address of the
// machine that sent it over the network. svlogd may put a stamp before it.
func (m *Message) cutSocklog(line []byte) bool {
	word, _, ok := bytes.Cut(line[:min(len(line), 64)], []byte(": "))
	if !ok || bytes.IndexByte(word, ' ') >= 0 {
		return false
	}
	rest := line[len(word)+2:]
	if _, isAddr := value.Addr(word); isAddr {
		m.Host = word
		if word, _, ok = bytes.Cut(rest[:min(len(rest), 32)], []byte(": ")); !ok {
			return false
		}
		rest = rest[len(word)+2:]
	}
	if !isPriority(word) {
		m.Host = nil
		return false
	}
	if length, form := stampLength(rest); form == BSD {
		if m.Stamp.Form == None {
			m.Stamp = Stamp{Form: form, Text: rest[:length]}
		}
		rest = bytes.TrimLeft(rest[length:], " ")
	}
	return m.cutTag(rest, false)
}

// cutKernel takes off the "kernel: [  970.699397] " that some systems put before what a program says.
func cutKernel(body []byte) []byte {
	if !bytes.HasPrefix(body, []byte("kernel:")) {
		return body
	}
	rest := bytes.TrimLeft(body[len("kernel:"):], " ")
	end := bytes.IndexByte(rest[:min(len(rest), 24)], ']')
	if end < 4 || rest[0] != '[' || !isUptime(rest[1:end]) {
		return body
	}
	return bytes.TrimLeft(bytes.TrimPrefix(rest[end+1:], []byte(":")), " ")
}

// unitOf names the program whose lines `journalctl --output=with-unit` puts under a unit of another name, in
// Debian and Red Hat. Of postfix, whose processes share a unit, it is the one that clients talk to.
var unitOf = map[string]string{
	"ssh": "sshd", "exim4": "exim", "postgresql": "postgres", "mariadb": "mariadbd", "mysql": "mysqld", "mongodb": "mongod",
	"strongswan": "charon", "strongswan-starter": "charon", "ipsec": "pluto", "openvpn-server": "openvpn", "postfix": "postfix/smtpd",
	"courier-imap": "imapd", "courier-pop": "pop3d", "cyrus-imapd": "imap",
}

// ofUnit returns the program of a tag that is a unit of systemd's: "postgres" of "postgresql@17-main.service".
func ofUnit(tag []byte) []byte {
	name, ok := bytes.CutSuffix(tag, []byte(".service"))
	if !ok || len(name) == 0 {
		return tag
	}
	if at := bytes.IndexByte(name, '@'); at > 0 {
		name = name[:at]
	}
	if program, ok := unitOf[string(name)]; ok {
		return []byte(program)
	}
	return name
}
