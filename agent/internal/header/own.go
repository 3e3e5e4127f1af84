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
	case form == Asctime && bytes.HasPrefix(rest, []byte("[pid ")): // logging.c
		m.Tag = vsftpd
	case value.Digit(rest[0]) && isCharon(rest): // file_logger.c with a time_format
		m.Tag = charon
	case form == BSD && rest[0] == ':' && (bytes.HasPrefix(rest, []byte(`: "`)) || bytes.HasPrefix(rest, []byte(": packet from "))):
		m.Tag, rest = pluto, rest[2:] // log.c with logfile=
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

// Tags of daemons that write none.
var vsftpd, charon, pluto, openvpn = []byte("vsftpd"), []byte("charon"), []byte("pluto"), []byte("openvpn")

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

// isOpenVPN says whether text starts with a client as OpenVPN names it, "192.0.2.7:1194 " with the
// common name and a slash before it once there is one, or with what it says of a client that has
// no instance yet.
func isOpenVPN(text []byte) bool {
	if bytes.HasPrefix(text, []byte("TLS Error: ")) || bytes.HasPrefix(text, []byte("MULTI: ")) {
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
