package weblog

import (
	"bytes"
	"strings"

	"github.com/pialert/pialert/agent/internal/value"
)

// NginxError reads a line of an nginx error log and reports whether it is one:
//
//	2026/01/02 15:04:05 [error] 12#12: *7 MESSAGE, client: IP, server: S, request: "R", host: "H"
//
// nginx escapes nothing in it (ngx_http_log_error_handler): a user name in the message and a
// request, host or referrer behind it can hold a whole fake tail. An address is only given where
// just one reading of the line is possible.
func NginxError(line []byte, e *Error) bool {
	*e = Error{Nginx: true}
	line = trimRight(line)
	const length = len("2006/01/02 15:04:05")
	if len(line) < length+2 || line[4] != '/' || line[7] != '/' || line[10] != ' ' || line[13] != ':' || line[length] != ' ' {
		return false
	}
	e.Stamp = line[:length]
	level, rest, ok := bracketed(line[length+1:])
	if !ok || !isLevel(level) {
		return false
	}
	ids, rest, ok := bytes.Cut(rest, []byte(": ")) // pid#tid
	pid, tid, isPair := bytes.Cut(ids, []byte("#"))
	if !ok || !isPair || !isNumber(pid) || !isNumber(tid) {
		return false
	}
	if connection, message, ok := bytes.Cut(rest, space); ok && len(connection) > 1 && connection[0] == '*' && isNumber(connection[1:]) {
		rest = message
	}
	e.Message = rest
	e.tail(rest)
	e.unique()
	return true
}

var clientMark = []byte(", client: ")

// tail looks for what follows the message. Only a message with quotes holds anything that a
// client chose, so without them the first mark is the server's. With them every mark is tried,
// and two that fit and differ cancel each other.
func (e *Error) tail(text []byte) {
	first := bytes.Index(text, clientMark)
	if first < 0 {
		return
	}
	// What an authentication server answered the mail proxy is that server's word.
	chosen := bytes.ContainsAny(text[:first], `"'`) && !bytes.HasPrefix(text, []byte(`client login failed: "`))
	found := false
	for at := first; at >= 0; at = nextMark(text, at) {
		t, ok := parseTail(text[at+len(clientMark):], chosen)
		if !ok {
			continue
		}
		if found && t.Client.Addr != e.Client.Addr {
			e.Client = value.Peer{}
			return
		}
		if !found {
			e.Client, e.Request, e.Host, e.User, e.Message = t.Client, t.Request, t.Host, t.User, text[:at]
			found = true
		}
		if !chosen {
			return
		}
	}
}

func nextMark(text []byte, at int) int {
	next := bytes.Index(text[at+1:], clientMark)
	if next < 0 {
		return -1
	}
	return at + 1 + next
}

// parseTail reads what follows ", client: ". Where it is strict the text has to be what nginx can
// write behind a request that it understood: only a referrer then holds spaces of the client's.
func parseTail(text []byte, strict bool) (e Error, ok bool) {
	addr, rest, _ := bytes.Cut(text, []byte(", "))
	addr = bytes.TrimSuffix(addr, []byte(" using starttls")) // of the mail proxy
	if e.Client, ok = value.ParsePeerPort(addr); !ok || !e.Client.Addr.IsValid() {
		return e, false
	}
	server, rest, more := cutField(rest, "server: ")
	if strict && bytes.ContainsAny(server, "\" ") {
		return e, false
	}
	if !more {
		return e, true
	}
	if login, ok := bytes.CutPrefix(rest, []byte(`login: "`)); ok { // the last field of the mail proxy, but for the upstream
		e.User, _, _ = bytes.Cut(login, []byte(`", upstream: `))
		e.User = bytes.TrimSuffix(e.User, []byte(`"`))
		return e, true
	}
	e.Request, rest = cutQuoted(rest, `request: "`)
	if strict && bytes.Count(e.Request, space) > 2 {
		return e, false
	}
	_, rest = cutQuoted(rest, `subrequest: "`)
	_, rest = cutQuoted(rest, `upstream: "`)
	e.Host, rest = cutQuoted(rest, `host: "`)
	if strict && bytes.ContainsAny(e.Host, "/ ") { // ngx_http_validate_host refuses both
		return e, false
	}
	_, rest = cutQuoted(rest, `referrer: "`)
	return e, !strict || len(rest) == 0
}

// cutField takes a field without quotes from the front of text.
func cutField(text []byte, name string) (value, rest []byte, more bool) {
	if len(text) < len(name) || string(text[:len(name)]) != name {
		return nil, text, len(text) > 0
	}
	return bytes.Cut(text[len(name):], []byte(", "))
}

// cutQuoted takes a field in quotes from the front of text. It ends at the first quote that
// another field or the end of the line follows; a referrer, the last field, at the end only.
func cutQuoted(text []byte, name string) (value, rest []byte) {
	if len(text) < len(name) || string(text[:len(name)]) != name {
		return nil, text
	}
	text = text[len(name):]
	if strings.HasPrefix(name, "referrer") {
		if len(text) > 0 && text[len(text)-1] == '"' {
			return text[:len(text)-1], nil
		}
		return nil, text
	}
	for at := 0; at < len(text); at++ {
		if text[at] != '"' {
			continue
		}
		if at == len(text)-1 {
			return text[:at], nil
		}
		if bytes.HasPrefix(text[at+1:], []byte(", ")) {
			return text[:at], text[at+3:]
		}
	}
	return nil, text
}

// Target returns the target of nginx' request line, nil if the line has none.
func (e *Error) Target() []byte {
	if e.Request == nil {
		return nil
	}
	var a Access
	a.parseRequest(e.Request)
	return a.Target
}
