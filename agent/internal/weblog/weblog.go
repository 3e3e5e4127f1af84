// Package weblog reads the lines that web servers log: access logs in the common, combined and
// vhost_combined formats and in any format that an Apache LogFormat string describes, and the
// error logs of Apache 2.2, Apache 2.4 and nginx.
//
// Nearly everything in such a line was written by the client. The package promises that a
// client's address is only ever taken from the position where the daemon writes it, whatever
// addresses, brackets, quotes or whole lines stand in names, targets, referers and agents. Where
// a line can be read in two ways that differ in the address, it is given none.
//
// Fields are slices of the line that was given and hold what the daemon wrote, escapes included
// (see [Normalise]); they are valid as long as the line is. Nothing is allocated per line. A syslog
// header before a line has to be cut off by the caller. Functions are pure; a [Reader], which remembers
// the last clients, and a [Clock], which remembers the last second, belong to one goroutine.
package weblog

import (
	"bytes"

	"github.com/pialert/pialert/agent/internal/value"
)

// Access is one request of an access log. What a format does not have, or what was logged as -,
// is nil or 0.
type Access struct {
	Client  value.Peer
	Host    []byte // the virtual host
	User    []byte
	Stamp   []byte // the time as logged, for [Clock.Access]
	Request []byte // the whole request line
	Method  []byte // its parts; all nil where it is no HTTP request line
	Target  []byte
	Proto   []byte
	Status  uint16
	Referer []byte
	Agent   []byte
}

// parseRequest splits the request line "METHOD target HTTP/n.n". The target may hold spaces; a
// line of HTTP/0.9 has no protocol.
func (a *Access) parseRequest(line []byte) {
	a.Request = line
	if end := len(line) - len(" HTTP/1.1"); end >= len("GET /") && string(line[:5]) == "GET /" && isProtocol(line[end:]) { // as nearly always
		a.Method, a.Target, a.Proto = line[:3], line[4:end], line[end+1:]
		return
	}
	method, rest, found := bytes.Cut(line, space)
	if !found || !isToken(method) || len(rest) == 0 {
		return
	}
	if last := bytes.LastIndexByte(rest, ' '); last > 0 && bytes.HasPrefix(rest[last+1:], httpSlash) {
		a.Method, a.Target, a.Proto = method, rest[:last], rest[last+1:]
	} else if last < 0 && string(method) == "GET" {
		a.Method, a.Target = method, rest
	}
}

// isProtocol says whether nine bytes are " HTTP/" and a version.
func isProtocol(b []byte) bool {
	return string(b[:6]) == " HTTP/" && b[6] != ' ' && b[7] != ' ' && b[8] != ' '
}

var (
	space     = []byte(" ")
	httpSlash = []byte("HTTP/")
)

// isToken says whether a method is a token of RFC 9110, of the letters that methods have.
func isToken(b []byte) bool {
	for _, c := range b {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return len(b) > 0 && len(b) <= 32
}
