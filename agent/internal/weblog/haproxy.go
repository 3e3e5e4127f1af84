package weblog

import (
	"bytes"

	"github.com/pialert/pialert/agent/internal/value"
)

// HAProxy reads a request of HAProxy's HTTP log behind syslog's header (configuration manual, section
// 8.2.3), also with what option httpslog adds behind the request:
//
//	192.0.2.7:4711 [31/Jan/2025:12:00:00.123] web~ app/a1 0/0/1/2/3 404 196 - - ---- 1/1/0/0/0 0/0 {agent} "GET / HTTP/1.1"
//
// HAProxy encodes quotes in what a client sent, headers that it captures included.
func (a *Access) HAProxy(line []byte) bool {
	*a = Access{}
	client, rest, ok := bytes.Cut(trimRight(line), []byte(" ["))
	if !ok || len(client) > 64 || bytes.IndexByte(client, ' ') >= 0 {
		return false
	}
	if a.Client, ok = value.ParsePeerPort(client); !ok || a.Client.Port == 0 {
		return false
	}
	const second = len("02/Jan/2006:15:04:05") // behind it stand milliseconds
	if a.Stamp, rest, ok = bytes.Cut(rest, []byte("] ")); !ok || len(a.Stamp) < second || !looksLikeStamp(a.Stamp[:second]) {
		return false
	}
	a.Stamp = a.Stamp[:second]
	var field [4][]byte // frontend, backend/server, timers, status
	for i := range field {
		if field[i], rest, ok = bytes.Cut(rest, space); !ok {
			return false
		}
	}
	status, ok := value.Int(field[3], 999)
	if !ok && string(field[3]) != "-1" || bytes.IndexByte(field[1], '/') < 0 || bytes.IndexByte(field[2], '/') < 0 {
		return false
	}
	a.Status = uint16(status)
	start := bytes.IndexByte(rest, '"')
	if start < 0 {
		return false
	}
	request := rest[start+1:]
	end := bytes.IndexByte(request, '"')
	if end < 0 {
		return false
	}
	if headers := rest[:start]; bytes.IndexByte(headers, '{') >= 0 {
		a.capture(headers[bytes.IndexByte(headers, '{')+1:])
	}
	if request = request[:end]; string(request) == "<BADREQ>" && clientLeft(rest) {
		return true // as "-" is in Apache's log
	}
	a.parseRequest(request)
	return true
}

// clientLeft says whether a connection ended before its request was whole because its client went away or was silent for too long,
// as browsers do that connect ahead: the manual's section 8.5, "CR" and "cR". It reads what stands behind the status: bytes,
// two cookies and the state.
func clientLeft(rest []byte) bool {
	for range 3 {
		_, rest, _ = bytes.Cut(rest, space)
	}
	return bytes.HasPrefix(rest, []byte("CR")) || bytes.HasPrefix(rest, []byte("cR"))
}

// capture looks for a user agent among the request headers that HAProxy was told to log.
func (a *Access) capture(headers []byte) {
	headers, _, _ = bytes.Cut(headers, []byte("}"))
	for len(headers) > 0 {
		var header []byte
		header, headers, _ = bytes.Cut(headers, []byte("|"))
		if bytes.IndexByte(header, '/') > 0 && len(header) > len(a.Agent) && !bytes.HasPrefix(header, []byte("http")) {
			a.Agent = header
		}
	}
}
