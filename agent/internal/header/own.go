package header

import (
	"bytes"

	"github.com/pialert/pialert/agent/internal/value"
)

// cutOwn reads what daemons write to files of their own, with a stamp and no tag. A line is only
// taken for such a daemon's by what the daemon itself writes first, before any client's text.
func (m *Message) cutOwn(rest []byte) bool {
	if len(rest) < 8 {
		return false
	}
	switch form := m.Stamp.Form; {
	case form == None && (m.cutApplication(rest) || m.cutDatabase(rest)):
		return true
	case form == ISO && bytes.HasPrefix(rest, []byte("\t")) && 'A' <= rest[1] && rest[1] <= 'Z': // FormattedtextLogger.php
		m.Tag = joomla
	case form == ISO && (bytes.HasPrefix(rest, []byte(": (")) || bytes.HasPrefix(rest, []byte(": mod_auth.c."))): // log.c
		m.Tag, rest = lighttpd, rest[2:]
	case form == Compact:
		return m.cutDatabase(rest)
	case form == Asctime && bytes.HasPrefix(rest, []byte("[pid ")): // logging.c
		m.Tag = vsftpd
	case form == ISO && isSerilog(rest):
		m.Tag = bitwarden
	case value.Digit(rest[0]) && isCharon(rest): // file_logger.c with a time_format
		m.Tag = charon
	case form == BSD && rest[0] == ':' && (bytes.HasPrefix(rest, []byte(`: "`)) || bytes.HasPrefix(rest, []byte(": packet from "))):
		m.Tag, rest = pluto, rest[2:] // log.c with logfile=
	case form == ISO && (m.Stamp.Text[10] == ' ' && m.cutExim(rest) || m.cutDatabase(rest)):
		return true
	case form == Asctime || form == ISO && m.Stamp.Text[10] == ' ': // error.c
		if rest = cutMicroseconds(rest); !isOpenVPN(rest) {
			return false
		}
		m.Tag = openvpn
	default:
		return false
	}
	m.Body = TrimEnd(rest)
	return true
}

// cutApplication reads lines of web applications whose stamp is none of syslog's, or within the line.
func (m *Message) cutApplication(line []byte) bool {
	switch c := line[0]; {
	case c == '{' && bytes.HasPrefix(line, []byte(`{"reqId":"`)): // lib/private/Log/LogDetails.php
		m.Tag, m.Body = nextcloud, TrimEnd(line)
		m.Stamp = stampIn(line, `"time":"`)
	case c == '[' && len(line) > 30 && line[3] == '-' && line[7] == '-' && isDashed(line[1:]): // rcube.php, write_log
		m.Stamp = Stamp{Form: Dashed, Text: line[1:27]}
		m.Tag, m.Body = roundcube, TrimEnd(bytes.TrimLeft(line[27:], "]: "))
	case c == '[' && isVaultwarden(line): // main.rs
		if length := isoLength(line[1:]); length > 0 {
			m.Stamp = Stamp{Form: ISO, Text: line[1 : 1+length]}
		}
		m.Tag, m.Body = vaultwarden, TrimEnd(line)
	case value.Digit(c) && len(line) > 24 && line[4] == '/' && (line[20] != '[' || line[22] == ']') && isSlashed(line): // modules/log
		m.Stamp = Stamp{Form: Slashed, Text: line[:19]}
		m.Tag, m.Body = gitea, TrimEnd(line[20:])
	case c == '{' && bytes.Contains(line[:min(len(line), 400)], []byte(`"logger":"context",`)): // pkg/infra/log, format json, in the order of names
		m.Tag, m.Body = grafana, TrimEnd(line)
		m.Stamp = stampIn(line, `,"t":"`)
	case bytes.HasPrefix(line, []byte("logger=")) || bytes.HasPrefix(line, []byte("t=2")) || bytes.HasPrefix(line, []byte(`t="2`)): // pkg/infra/log
		m.Tag, m.Body = grafana, TrimEnd(line)
		m.Stamp = stampIn(line, "t=")
	default:
		return false
	}
	return true
}

// isVaultwarden says whether the second of a line's brackets, right behind the stamp, names one of its modules.
func isVaultwarden(line []byte) bool {
	_, behind, _ := bytes.Cut(line, []byte("]"))
	module := bytes.TrimPrefix(behind, []byte("["))
	return len(module) < len(behind) && (bytes.HasPrefix(module, []byte("vaultwarden")) || bytes.HasPrefix(module, []byte("bitwarden_rs")))
}

// stampIn returns the time that stands behind the first of a name's occurrences. Whatever a client
// could write stands behind it.
func stampIn(line []byte, name string) Stamp {
	at := bytes.Index(line, []byte(name))
	if at < 0 {
		return Stamp{}
	}
	text := bytes.TrimPrefix(line[at+len(name):], []byte(`"`))
	if length := isoLength(text); length > 0 {
		return Stamp{Form: ISO, Text: text[:length]}
	}
	return Stamp{}
}

// isSlashed says whether text starts with "2025/01/31 12:00:00 ".
func isSlashed(text []byte) bool {
	return text[7] == '/' && text[10] == ' ' && text[19] == ' ' && value.IsDigits(text[:4]) && value.IsDigits(text[5:7]) &&
		value.IsDigits(text[8:10]) && value.IsTime(text[11:])
}

// isDashed says whether text starts with "31-Jan-2025 12:00:00 +0100]".
func isDashed(text []byte) bool {
	return value.IsDigits(text[:2]) && value.Month(text[3:]) > 0 && value.IsDigits(text[7:11]) && text[11] == ' ' && value.IsTime(text[12:]) &&
		text[20] == ' ' && (text[21] == '+' || text[21] == '-') && value.IsDigits(text[22:26]) && text[26] == ']'
}

// Tags of daemons that write none.
var (
	vsftpd, charon, pluto, openvpn = []byte("vsftpd"), []byte("charon"), []byte("pluto"), []byte("openvpn")
	joomla, lighttpd, nextcloud    = []byte("joomla"), []byte("lighttpd"), []byte("nextcloud")
	roundcube, vaultwarden         = []byte("roundcube"), []byte("vaultwarden")
	gitea, grafana, bitwarden      = []byte("gitea"), []byte("grafana"), []byte("bitwarden")
)

var exim = []byte("exim")

// isCharon says whether text starts with a thread and a group of strongSwan's: "07[IKE] ".
func isCharon(text []byte) bool {
	n := 0
	for n < 4 && value.Digit(text[n]) {
		n++
	}
	if n < 2 || text[n] != '[' || len(text) < n+6 || text[n+4] != ']' || text[n+5] != ' ' {
		return false
	}
	for _, c := range text[n+1 : n+4] {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

// cutMicroseconds takes off the "us=123456 " of OpenVPN at verb 4 and above.
func cutMicroseconds(text []byte) []byte {
	if !bytes.HasPrefix(text, []byte("us=")) {
		return text
	}
	number, rest, ok := bytes.Cut(text, []byte(" "))
	if !ok || !value.IsDigits(number[3:]) {
		return text
	}
	return rest
}

// isSerilog says whether text goes on as Bitwarden's files do behind the time: "+01:00 [WRN] Failed login".
func isSerilog(text []byte) bool {
	zone, rest, ok := bytes.Cut(text[:min(len(text), 40)], []byte(" ["))
	_, message, end := bytes.Cut(rest, []byte("] "))
	return ok && end && len(zone) == 6 && zone[3] == ':' && bytes.HasPrefix(message, []byte("Failed login"))
}

// isOpenVPN says whether text starts with a client as OpenVPN names it, "192.0.2.7:1194 " with the
// common name and a slash before it once there is one, or with what it says of a client that has
// no instance yet.
func isOpenVPN(text []byte) bool {
	if bytes.HasPrefix(text, []byte("TLS Error: ")) || bytes.HasPrefix(text, []byte("MULTI: ")) || bytes.HasPrefix(text, []byte("Connection Attempt ")) {
		return true
	}
	space := bytes.IndexByte(text, ' ')
	if space < 0 || space > 160 {
		return false
	}
	client := text[:space]
	colon := bytes.LastIndexByte(client, ':')
	if colon <= 0 {
		return false
	}
	if _, ok := value.Port(client[colon+1:]); !ok {
		return false
	}
	addr := client[bytes.LastIndexByte(client[:colon], '/')+1 : colon]
	if end := bytes.IndexByte(addr, ']'); bytes.HasPrefix(addr, []byte("[AF_INET")) && end > 0 {
		addr = addr[end+1:]
	}
	if bytes.HasPrefix(addr, []byte("udp")) || bytes.HasPrefix(addr, []byte("tcp")) { // "udp4:192.0.2.7"
		_, addr, _ = bytes.Cut(addr, []byte(":"))
	}
	_, ok := value.Addr(addr)
	return ok
}

// cutExim reads a line of exim's main or reject log, log.c: behind the stamp, a zone if log_timezone
// is set, the process with the log selector pid, and the id of the message if there is one.
func (m *Message) cutExim(rest []byte) bool {
	if rest[0] == '+' || rest[0] == '-' {
		if len(rest) < 7 || rest[5] != ' ' || !value.IsDigits(rest[1:5]) {
			return false
		}
		rest = rest[6:]
	}
	pid, rest := cutEximProcess(rest)
	if !isExim(cutEximID(rest)) {
		return false
	}
	m.Tag, m.PID, m.Body = exim, pid, TrimEnd(cutEximID(rest))
	return true
}

// cutEximProcess takes off "[4711] ".
func cutEximProcess(text []byte) (uint32, []byte) {
	end := bytes.IndexByte(text, ']')
	if len(text) == 0 || text[0] != '[' || end < 2 || end > 11 || end+1 >= len(text) || text[end+1] != ' ' {
		return 0, text
	}
	pid, ok := value.Uint(text[1:end])
	if !ok {
		return 0, text
	}
	return uint32(pid), text[end+2:]
}

// cutEximID takes off the id of a message, "1tdZ9x-000001-Ab " or, from 4.97, "1tdZ9x-00000000abc-1DeF ".
func cutEximID(text []byte) []byte {
	for _, parts := range [][3]int{{6, 6, 2}, {6, 11, 4}} {
		length := parts[0] + 1 + parts[1] + 1 + parts[2]
		if len(text) <= length || text[parts[0]] != '-' || text[parts[0]+1+parts[1]] != '-' || text[length] != ' ' {
			continue
		}
		if !bytes.ContainsAny(text[:length], " =[]()<>:") {
			return text[length+1:]
		}
	}
	return text
}

var eximStarts = [][]byte{
	[]byte("H="), []byte("SMTP "), []byte("rejected "), []byte("temporarily "), []byte("refused connection from "),
	[]byte("Connection from "), []byte("connection from "), []byte("unexpected disconnection "), []byte("TLS error on "),
	[]byte("no MAIL in "), []byte("unqualified "), []byte("no host name found "),
}

// isExim says whether text starts as what exim says of a client.
func isExim(text []byte) bool {
	for _, start := range eximStarts {
		if bytes.HasPrefix(text, start) {
			return true
		}
	}
	space := bytes.IndexByte(text, ' ')
	return space > 0 && bytes.HasPrefix(text[space:], []byte(" authenticator failed for "))
}

// cutEximStamp takes off the stamp that exim puts before what it sends to syslog, too, unless
// syslog_timestamp is off, and what stands behind it.
func cutEximStamp(body []byte) []byte {
	if length, form := stampLength(body); form == ISO && length < len(body) && body[length] == ' ' {
		body = body[length+1:]
	}
	if len(body) > 6 && (body[0] == '+' || body[0] == '-') && body[5] == ' ' {
		body = body[6:]
	}
	_, body = cutEximProcess(body)
	return cutEximID(body)
}
