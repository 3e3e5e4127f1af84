// Package header reads what syslog daemons, journals and collectors write before a message: when it
// was written, by which program of which host, and on behalf of which PAM module.
//
// Bytes go in and views of them come out: nothing is allocated and nothing is kept but, in a
// [Recent] and a [Clock], what makes the next line of the same log cheaper. They change the speed
// and never the result, save that a Clock that was given a year counts on from it.
//
// A program's name and process are the daemon's word, a message is the client's as much as the
// daemon's: the package reads no message.
package header

import (
	"bytes"

	"github.com/pialert/pialert/agent/internal/value"
)

// Cut takes the header off a line. The forms are those of RFC 3164 files, RFC 3339 stamps (rsyslog's
// file format since Debian 12), RFC 5424, each with or without <PRI>, journalctl's short forms with
// and without stamp, a daemon's own stamp before its tag, and socklog's behind svlogd's stamps. It reports whether the
// line has a header.
func (m *Message) Cut(line []byte) bool {
	*m = Message{}
	rest := line
	if len(rest) > 0 && rest[0] == '<' {
		var ok bool
		rest, ok = cutPriority(rest)
		if versioned, is1 := bytes.CutPrefix(rest, []byte("1 ")); ok && is1 {
			return m.cutRFC5424(versioned)
		}
	}
	length, form := stampLength(rest)
	if form == None {
		return m.cutOwn(rest) || m.cutRare(rest) || m.cutUnstamped(rest)
	}
	m.Stamp = Stamp{Form: form, Text: rest[:length]}
	rest = cutWrittenPriority(bytes.TrimLeft(rest[length:], " "))
	return m.cutOwn(rest) || m.cutRare(rest) || m.cutHostAndTag(rest)
}

// Stamped says whether a line starts with a stamp or a priority, as lines of syslog do.
func Stamped(line []byte) bool {
	if len(line) > 0 && line[0] == '<' {
		return true
	}
	_, form := stampLength(line)
	return form != None
}

// cutUnstamped takes off "host tag[pid]: " or "tag[pid]: ", as exports of the journal have it.
// Without a stamp only a tag with a process tells a header from a text.
func (m *Message) cutUnstamped(rest []byte) bool {
	return m.cutHostAndTag(rest) && m.PID != 0
}

func (m *Message) cutHostAndTag(rest []byte) bool {
	if m.cutTag(rest, false) {
		m.Clipped = m.Stamp.Form == BSD && clippedByBusyBox(rest) // as with -S
		return true
	}
	space := bytes.IndexByte(rest, ' ')
	if space <= 0 {
		return false
	}
	host := rest[:space]
	if behind := bytes.TrimPrefix(rest[space+1:], []byte("--- ")); bytes.HasPrefix(behind, lastMessage) { // BSD's syslogd, no tag
		m.Host, m.Body = host, TrimEnd(bytes.TrimSuffix(TrimEnd(behind), []byte(" ---")))
		return true
	}
	rest = bytes.TrimLeft(rest[space:], " ")
	if length, form := stampLength(rest); form == BSD && m.Stamp.Form != None { // a relay that put a header before another one
		return m.cutHostAndTag(bytes.TrimLeft(rest[length:], " "))
	}
	if space := bytes.IndexByte(rest, ' '); space > 0 && isPriority(rest[:space]) { // BusyBox' syslogd
		rest = bytes.TrimLeft(rest[space:], " ")
		m.Clipped = clippedByBusyBox(rest)
	}
	if !m.cutTag(rest, true) {
		return false
	}
	m.Clipped = m.Clipped || isClipped(rest, muslSends)
	m.Host = host
	if isPriority(host) { // OpenWrt's logread names no host
		m.Host = nil
	}
	return true
}

// cutWrittenPriority takes off "<auth.info> " or "<4.6> ", as FreeBSD's syslogd writes with -v.
func cutWrittenPriority(text []byte) []byte {
	if len(text) < 6 || text[0] != '<' {
		return text
	}
	priority, rest, ok := bytes.Cut(text[1:], []byte("> "))
	if ok && (isPriority(priority) || len(priority) <= 5 && value.IsDigits(bytes.Replace(priority, []byte("."), nil, 1))) {
		return bytes.TrimLeft(rest, " ")
	}
	return text
}

var lastMessage = []byte("last message repeated ")

// cutTag takes off the tag and leaves the body. A tag ends in a colon, in a process in brackets,
// or, behind a host only, in a space (RouterOS, proftpd).
func (m *Message) cutTag(text []byte, behindHost bool) bool {
	start := 0
	if len(text) > 0 && text[0] == '[' { // "[sshd]: ", "[sshd] "
		start = 1
	}
	for i := start; i < len(text); i++ {
		switch text[i] {
		case ':':
			if i+1 < len(text) && text[i+1] != ' ' {
				continue
			}
			return i > start && m.finish(text[start:i], text[i+1:])
		case ']':
			if start == 0 || i == start {
				return false
			}
			return m.finish(text[start:i], bytes.TrimPrefix(text[i+1:], []byte(":")))
		case '[':
			if i == start {
				return false
			}
			return m.cutProcess(text[start:i], text[i:])
		case '(':
			if i == start {
				return false
			}
			if isTitle(text[i:]) {
				return m.finish(postgres, text)
			}
			return m.cutParentheses(text[start:i], text[i:])
		case ' ':
			if padded := bytes.TrimLeft(text[i:], " "); len(padded) > 2 && padded[0] == '[' && i > start &&
				m.cutProcess(text[start:i], padded) { // fail2ban pads its tag
				return true
			}
			if isTitle(text[i:]) {
				return m.finish(postgres, text)
			}
			return behindHost && i > start && start == 0 && (m.cutFields(text[:i], text[i+1:]) || m.finish(text[:i], text[i:]))
		}
	}
	return false
}

// isTitle says whether text is the end of the title of a PostgreSQL backend that logs by PAM. libc takes a program's name
// from where PostgreSQL writes the titles that ps shows, so that the line begins anywhere in one: "2.0.2.11(51746)
// authentication: pam_unix(postgresql:auth): ".
func isTitle(text []byte) bool { return bytes.Contains(text, titleEnd) }

var titleEnd = []byte(" authentication: pam_")

// cutFields takes off what RFC 5424 has behind the program: its process, the message's name and structured
// data. sysklogd writes it to files without priority and version.
func (m *Message) cutFields(tag, text []byte) bool {
	if m.Stamp.Form != ISO {
		return false
	}
	process, rest, _ := bytes.Cut(text, []byte(" "))
	pid, isNumber := value.Uint(process)
	name, rest, ok := bytes.Cut(rest, []byte(" "))
	if !ok || len(name) == 0 || !isNumber && !isNil(process) || !bytes.HasPrefix(rest, []byte("- ")) && !bytes.HasPrefix(rest, []byte("[")) {
		return false
	}
	rest, ok = cutStructuredData(rest)
	if !ok {
		return false
	}
	m.PID = uint32(pid)
	return m.finish(withoutSite(tag), bytes.TrimPrefix(rest, []byte("\ufeff")))
}

// cutProcess takes off "[pid]:", the colon being optional.
func (m *Message) cutProcess(tag, text []byte) bool {
	var pid uint64
	i := 1
	for ; i < len(text) && '0' <= text[i] && text[i] <= '9' && i < 12; i++ {
		pid = pid*10 + uint64(text[i]-'0')
	}
	if i == 1 || i >= len(text) || text[i] != ']' {
		return false
	}
	rest := text[i+1:]
	if len(rest) > 0 && rest[0] == ':' {
		rest = rest[1:]
	} else if len(rest) > 0 && rest[0] != ' ' {
		return false
	}
	m.PID = uint32(pid)
	return m.finish(tag, rest)
}

// cutParentheses reads "sshd(pam_unix)[pid]: ", as Red Hat's PAM of 2004 wrote it. Other text in
// parentheses belongs to the body (dovecot's own log: "auth-worker(80180): Info: ").
func (m *Message) cutParentheses(tag, text []byte) bool {
	inside, behind, _ := bytes.Cut(text[1:], []byte(")"))
	if bytes.HasPrefix(inside, []byte("pam_")) && len(behind) > 0 {
		m.PAM = inside
		switch behind[0] {
		case '[':
			return m.cutProcess(tag, behind)
		case ':':
			return m.finish(tag, behind[1:])
		}
	}
	return bytes.HasPrefix(behind, []byte("[")) && m.cutProcess(tag, behind) || // wordpress(example.com)[7]
		m.finish(tag, text)
}

// finish stores tag and body, without what some systems put before and behind the body.
func (m *Message) finish(tag, body []byte) bool {
	if end := len(tag) - 1; tag[0] == '/' && tag[end] != '/' { // a program that gives its path
		tag = tag[bytes.LastIndexByte(tag, '/')+1:]
	}
	m.Tag = ofUnit(tag)
	body = TrimEnd(body)
	for len(body) > 0 && body[0] == ' ' {
		body = body[1:]
	}
	if bytes.HasPrefix(body, []byte("[")) {
		body = m.cutRepeatedHeader(body)
	}
	if bytes.HasPrefix(body, []byte("k")) {
		body = cutKernel(body)
	}
	if len(body) > 0 && stampedTwice(m.Tag) {
		body = cutOwnStamp(m.Tag, body)
	}
	m.Body = body
	return true
}

// cutRepeatedHeader takes off Solaris' "[ID 800047 auth.info] ", and the process and stamp that
// dropbear repeats on OpenWrt.
func (m *Message) cutRepeatedHeader(body []byte) []byte {
	end := bytes.IndexByte(body, ']')
	if end < 2 || end+2 > len(body) || body[end+1] != ' ' {
		return body
	}
	if bytes.HasPrefix(body, []byte("[ID ")) {
		return body[end+2:]
	}
	if _, ok := value.Uint(body[1:end]); !ok {
		return body
	}
	rest := body[end+2:]
	if length, form := stampLength(rest); form != None {
		return bytes.TrimLeft(rest[length:], " ")
	}
	return body
}

// cutPriority takes off "<PRI>".
func cutPriority(line []byte) ([]byte, bool) {
	end := bytes.IndexByte(line, '>')
	if end < 2 || end > 4 {
		return line, false
	}
	if _, ok := value.Uint(line[1:end]); !ok {
		return line, false
	}
	return line[end+1:], true
}
