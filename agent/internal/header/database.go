package header

import (
	"bytes"

	"github.com/pialert/pialert/agent/internal/value"
)

// Tags of databases, which write none.
var mysqld, postgres, redis, mongod = []byte("mysqld"), []byte("postgres"), []byte("redis"), []byte("mongod")

// cutDatabase reads the logs that databases write themselves, behind the stamp if there is one.
func (m *Message) cutDatabase(rest []byte) bool {
	switch form := m.Stamp.Form; {
	case form == ISO && m.Stamp.Text[10] == 'T' && isMongo(rest):
		m.Tag, m.Body = mongod, TrimEnd(rest)
		return true
	case (form == ISO || form == Compact) && (value.Digit(rest[0]) || rest[0] == '[' || rest[0] == '\t'):
		body, ok := cutMySQL(rest)
		m.Tag, m.Body = mysqld, TrimEnd(body)
		return ok
	case form == ISO && m.Stamp.Text[10] == ' ' && rest[0] != '[':
		pid, body, ok := cutPostgres(rest)
		m.Tag, m.PID, m.Body = postgres, pid, TrimEnd(body)
		return ok
	case form == None && bytes.HasPrefix(rest, []byte(`{"t":{"$date":"`)): // src/mongo/logv2
		m.Tag, m.Body, m.Stamp = mongod, TrimEnd(rest), stampIn(rest, `"$date":"`)
		return true
	case form == None && bytes.HasPrefix(rest, []byte(`{"timestamp":"`)) && bytes.Contains(rest, []byte(`,"session_id":"`)): // jsonlog.c
		m.Tag, m.Body, m.Stamp = postgres, TrimEnd(rest), stampIn(rest, `"timestamp":"`)
		return true
	case form == None && value.Digit(rest[0]):
		if m.cutRedis(rest) || m.cutPeerFirst(rest) {
			return true
		}
		*m = Message{}
	}
	return false
}

// cutMySQL takes "42 [Warning] " off, and "[MY-010926] [Server] " of MySQL 8 behind it: sql/log.cc. Until
// MySQL 5.6 and MariaDB 10.0 there was no number. The general log has "42 Connect\t" instead.
func cutMySQL(text []byte) ([]byte, bool) {
	number, rest := text, text
	if end := bytes.IndexAny(text[:min(len(text), 24)], "[C"); end >= 0 {
		number, rest = bytes.Trim(text[:end], " \t"), text[end:]
	}
	if len(number) > 20 || len(number) > 0 && !value.IsDigits(number) {
		return nil, false
	}
	if connect, ok := bytes.CutPrefix(rest, []byte("Connect")); ok && len(number) > 0 {
		return bytes.TrimLeft(connect, " \t"), len(connect) > 0 && (connect[0] == ' ' || connect[0] == '\t')
	}
	level, rest, ok := bytes.Cut(rest, []byte("] "))
	switch string(level) {
	case "[Note", "[Warning", "[ERROR", "[Error", "[System":
	default:
		ok = false
	}
	for bytes.HasPrefix(rest, []byte("[")) {
		end := bytes.Index(rest[:min(len(rest), 40)], []byte("] "))
		if end < 0 {
			break
		}
		rest = rest[end+2:]
	}
	return rest, ok
}

// cutPostgres takes "UTC [4711] " off: log_line_prefix is "%m [%p] " by default, and Debian's adds
// user and database, which are the client's and stay in the body. Others put a colon behind the
// process, or the peer, as in "UTC:192.0.2.7(51112):a@b:[4711]:", behind the zone.
func cutPostgres(text []byte) (pid uint32, rest []byte, ok bool) {
	end := 0
	for end < min(len(text), 7) && isZone(text[end]) && (text[end] != ':' || end > 0 && value.Digit(text[end-1])) {
		end++
	}
	if end < 2 || end+2 > len(text) {
		return 0, nil, false
	}
	rest = text[end+1:]
	switch {
	case text[end] == ',': // log_destination = csvlog
		return 0, rest, bytes.Contains(rest, []byte(",FATAL,")) || bytes.Contains(rest, []byte(",LOG,"))
	case text[end] == ':':
		return 0, rest, bytes.Contains(rest, []byte(":  "))
	case text[end] == ' ' && isPeer(rest): // "%m %r %u "
		return 0, rest, bytes.Contains(rest, []byte(":  "))
	case text[end] != ' ' || rest[0] != '[':
		return 0, nil, false
	}
	number, rest, ok := bytes.Cut(rest[1:], []byte("]"))
	number, _, _ = bytes.Cut(number, []byte("-")) // "%p-%l"
	n, digits := value.Uint(number)
	rest = bytes.TrimLeft(bytes.TrimPrefix(rest, []byte(":")), " ")
	return uint32(n), rest, ok && digits && bytes.Contains(rest, []byte(":  "))
}

// isPeer says whether text starts with "192.0.2.7(51112) ".
func isPeer(text []byte) bool {
	word, _, ok := bytes.Cut(text[:min(len(text), 64)], []byte(") "))
	addr, port, open := bytes.Cut(word, []byte("("))
	if !ok || !open || !value.IsDigits(port) {
		return false
	}
	_, ok = value.Addr(addr)
	return ok
}

// isZone says whether a zone's name or offset may hold a byte.
func isZone(c byte) bool {
	return 'A' <= c && c <= 'Z' || value.Digit(c) || c == '+' || c == '-' || c == ':'
}

// cutPeerFirst reads "192.0.2.7 2025-01-31 12:00:00 UTC [4711] ", PostgreSQL's if log_line_prefix starts
// with "%h %m [%p]". The peer stays in the body.
func (m *Message) cutPeerFirst(line []byte) bool {
	space := bytes.IndexByte(line[:min(len(line), 48)], ' ')
	if space < 3 {
		return false
	}
	if _, ok := value.Addr(line[:space]); !ok {
		return false
	}
	length := isoLength(line[space+1:])
	if length == 0 || line[space+11] != ' ' || len(line) < space+length+10 {
		return false
	}
	pid, _, ok := cutPostgres(bytes.TrimLeft(line[space+1+length:], " "))
	m.Stamp = Stamp{Form: ISO, Text: line[space+1 : space+1+length]}
	m.Tag, m.PID, m.Body = postgres, pid, TrimEnd(line)
	return ok
}

// isMongo says whether text starts as MongoDB's lines did up to 4.2: "I ACCESS   [conn42] ", and up to
// 2.6 "[conn42] ".
func isMongo(text []byte) bool {
	if bytes.HasPrefix(text, []byte("[conn")) || bytes.HasPrefix(text, []byte("[initandlisten] ")) {
		return true
	}
	return bytes.IndexByte([]byte("IWEF"), text[0]) >= 0 && text[1] == ' ' &&
		(bytes.HasPrefix(text[2:], []byte("ACCESS ")) || bytes.HasPrefix(text[2:], []byte("NETWORK ")))
}

// cutRedis takes "4711:M 31 Jan 2025 12:00:00.123 # " off: src/server.c, serverLogRaw.
func (m *Message) cutRedis(line []byte) bool {
	number, rest, ok := bytes.Cut(line[:min(len(line), 60)], []byte(":"))
	pid, digits := value.Uint(number)
	if !ok || !digits || len(rest) < 28 || bytes.IndexByte([]byte("MSXC"), rest[0]) < 0 || !isDayFirst(rest[2:]) {
		return false
	}
	rest = line[len(number)+1:]
	m.Stamp = Stamp{Form: DayFirst, Text: rest[2:26]}
	m.Tag, m.PID, m.Body = redis, uint32(pid), cutRedisLevel(rest[27:])
	return true
}

// cutRedisLevel takes "# " off.
func cutRedisLevel(text []byte) []byte {
	if len(text) > 2 && text[1] == ' ' && bytes.IndexByte([]byte("#*-."), text[0]) >= 0 {
		text = text[2:]
	}
	return TrimEnd(text)
}

// isDayFirst says whether text starts with "31 Jan 2025 12:00:00.123 ".
func isDayFirst(text []byte) bool {
	return len(text) > 25 && text[2] == ' ' && value.IsDigits(text[:2]) && value.Month(text[3:]) > 0 && text[6] == ' ' &&
		value.IsDigits(text[7:11]) && text[11] == ' ' && value.IsTime(text[12:]) && text[20] == '.' && value.IsDigits(text[21:24]) && text[24] == ' '
}

// stampedTwice says whether a program puts a stamp of its own before what it sends to syslog, or
// to the journal by its standard error.
func stampedTwice(tag []byte) bool {
	switch string(tag) {
	case "exim", "exim4", "mysqld", "mariadbd", "mariadb", "mysql", "postgres", "redis", "redis-server", "mongod", "vsftpd":
		return true
	}
	return false
}

// cutOwnStamp takes that stamp off, and what stands behind it.
func cutOwnStamp(tag, body []byte) []byte {
	switch tag[0] {
	case 'e':
		return cutEximStamp(body)
	case 'v':
		if length, form := stampLength(body); form == Asctime {
			body = bytes.TrimLeft(body[length:], " ")
		}
		return body
	}
	inner := Message{}
	if length, form := stampLength(body); (form == ISO || form == Compact) && length < len(body) {
		inner.Stamp = Stamp{Form: form, Text: body[:length]}
		if rest := bytes.TrimLeft(body[length:], " "); len(rest) > 8 && inner.cutDatabase(rest) {
			return inner.Body
		}
	} else if len(body) > 8 && inner.cutDatabase(body) {
		return inner.Body
	}
	return body
}
