package weblog

import (
	"bytes"

	"github.com/pialert/pialert/agent/internal/value"
)

// Error is one line of an error log.
type Error struct {
	Client  value.Peer
	Nginx   bool   // the form of the line is nginx'
	Stamp   []byte // the time as logged, for [Clock.Apache] or [Clock.Nginx]; nil if there is none
	Message []byte // without what stands before it, such as "AH01617: "; of Apache with the referer that is appended
	Request []byte // of nginx: the request line
	Host    []byte // of nginx: the Host header
	User    []byte // of nginx' mail proxy: the login
	Unique  []byte // what ModSecurity calls the request, so that its other lines about it can be found
}

// ApacheError reads a line of an Apache error log in the default ErrorLogFormat of 2.2 and 2.4,
// and reports whether it is one. The stamp may be missing, as it is where syslog carries the line.
func ApacheError(line []byte, e *Error) bool {
	*e = Error{}
	rest := trimRight(line)
	first, rest, ok := bracketed(rest)
	if !ok {
		return false
	}
	if looksLikeApacheStamp(first) {
		e.Stamp = first
		if first, rest, ok = bracketed(rest); !ok {
			return false
		}
	}
	_, level, modern := bytes.Cut(first, colon) // the module's name is before it
	if !modern {
		level = first
	}
	if !isLevel(level) || e.Stamp == nil && !modern && !bytes.HasPrefix(rest, []byte("[client ")) { // 2.2 through syslog
		return false
	}
	if pid, after, ok := bracketed(rest); ok && bytes.HasPrefix(pid, []byte("pid ")) {
		rest, modern = after, true
	}
	rest = e.client(afterStatus(rest), rest, modern)
	if code, after, ok := bytes.Cut(rest, []byte(": ")); ok && isCode(code) { // "AH01617: "
		rest = after
	} else if code, ok := bytes.CutSuffix(rest, colon); ok && isCode(code) {
		rest = nil
	}
	e.Message = rest
	e.unique()
	return true
}

// unique reads the last [unique_id "..."] of a message of ModSecurity's. Quotes in what a client sent
// are escaped, so it can write none.
func (e *Error) unique() {
	if len(e.Message) == 0 || e.Message[len(e.Message)-1] != ']' && !bytes.HasPrefix(e.Message, []byte("ModSecurity")) && e.Message[0] != '[' {
		return
	}
	const name = `[unique_id "`
	if at := bytes.LastIndex(e.Message, []byte(name)); at >= 0 {
		e.Unique, _, _ = bytes.Cut(e.Message[at+len(name):], []byte(`"`))
	}
}

var colon = []byte(":")

// client reads the client's field at the start of text, if it is there, and returns what follows;
// otherwise it returns all.
func (e *Error) client(text, all []byte, modern bool) []byte {
	field, rest, ok := bracketed(text)
	if !ok {
		return all
	}
	host, isClient := bytes.CutPrefix(field, []byte("client "))
	if !isClient {
		if host, isClient = bytes.CutPrefix(field, []byte("remote ")); !isClient {
			return all
		}
	}
	read := value.ParsePeer
	if modern {
		read = value.ParsePeerPort
	}
	c, ok := read(host)
	if !ok { // 2.2 behind mod_remoteip or the like may log a port too
		c, ok = value.ParsePeerPort(host)
	}
	if ok {
		e.Client = c
	}
	return rest
}

// bracketed splits "[field] rest". An IPv6 address in the field may have brackets of its own.
func bracketed(text []byte) (field, rest []byte, ok bool) {
	if len(text) == 0 || text[0] != '[' {
		return nil, text, false
	}
	end := bytes.IndexByte(text, ']')
	if inner := bytes.IndexByte(text[1:], '['); inner >= 0 && end > inner {
		if next := bytes.IndexByte(text[end+1:], ']'); next >= 0 {
			end += 1 + next
		}
	}
	if end < 0 {
		return nil, text, false
	}
	return text[1:end], bytes.TrimPrefix(text[end+1:], space), true
}

// afterStatus skips what Apache 2.4 can set before the client: the source file at the trace
// levels ("mod_x.c(12): "), and a system error ("(70014)End of file found: ").
func afterStatus(text []byte) []byte {
	at := bytes.Index(text, []byte(": [client "))
	if at < 0 {
		if at = bytes.Index(text, []byte(": [remote ")); at < 0 {
			return text
		}
	}
	status := text[:at]
	if file := bytes.Index(status, []byte(".c(")); file > 0 && value.IsHost(status[:file]) {
		_, after, ok := bytes.Cut(status, []byte("): "))
		if !ok {
			after = nil
		}
		status = after
	}
	if len(status) == 0 {
		return text[at+2:]
	}
	number, message, ok := bytes.Cut(status, []byte(")"))
	if !ok || len(number) < 2 || number[0] != '(' || bytes.ContainsAny(message, "[]\"'") {
		return text
	}
	if _, ok := value.Int(bytes.TrimPrefix(number[1:], []byte("-")), 1<<31-1); !ok {
		return text
	}
	return text[at+2:]
}

// isLevel knows the levels of http_log.h and the trace levels.
func isLevel(b []byte) bool {
	switch string(b) {
	case "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug":
		return true
	}
	return len(b) == len("trace1") && bytes.HasPrefix(b, []byte("trace"))
}

// isCode says whether b is AH and five digits.
func isCode(b []byte) bool {
	if len(b) != len("AH00000") || b[0] != 'A' || b[1] != 'H' {
		return false
	}
	_, ok := value.Int(b[2:], 99999)
	return ok
}

func looksLikeApacheStamp(b []byte) bool {
	const length = len("Mon Jan 02 15:04:05 2006")
	return len(b) >= length && len(b) <= length+len(".000000000") &&
		b[3] == ' ' && b[7] == ' ' && b[10] == ' ' && b[13] == ':' && b[16] == ':'
}
