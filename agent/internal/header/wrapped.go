package header

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// Wrapped says whether a line starts as one that [Unwrap] may take.
func Wrapped(line []byte) bool {
	return len(line) > 40 && (line[0] == '{' || line[10] == 'T' && line[19] == '.' && line[0] == '2')
}

// Unwrap returns the line that another program keeps within one of its own, that of JSON in memory of its own:
// Docker's json-file ({"log":"...\n","stream":"stdout","time":"..."}) and Kubernetes' runtimes
// ("2025-01-31T12:00:00.123456789Z stdout F ...") have what a container wrote, `journalctl --output=json`
// the fields of an entry. Any other line is not ok.
func Unwrap(line []byte) (inner []byte, ok bool) {
	switch {
	case len(line) < 16:
		return nil, false
	case line[0] != '{':
		return unwrapCRI(line)
	case bytes.HasPrefix(line, []byte(`{"log":"`)) && bytes.Contains(line, []byte(`"time":"`)):
		return unwrapDocker(line)
	case bytes.Contains(line, []byte(`"__REALTIME_TIMESTAMP"`)):
		return unwrapJournal(line)
	}
	return nil, false
}

// unwrapCRI takes off the time, the stream, and whether the line is whole (Kubernetes' CRI log format).
func unwrapCRI(line []byte) ([]byte, bool) {
	const shortest, longest = len("2025-01-31T12:00:00.1Z"), len("2025-01-31T12:00:00.123456789+01:00")
	if len(line) <= longest {
		return nil, false
	}
	length := shortest + bytes.IndexByte(line[shortest:longest+1], ' ')
	stream, rest, ok := bytes.Cut(line[length+1:], []byte(" "))
	if !ok || length < shortest || line[19] != '.' || string(stream) != "stdout" && string(stream) != "stderr" || isoLength(line) != length {
		return nil, false
	}
	if whole := bytes.HasPrefix(rest, []byte("F ")); !whole && !bytes.HasPrefix(rest, []byte("P ")) {
		return nil, false
	}
	return rest[len("F "):], true
}

func unwrapDocker(line []byte) ([]byte, bool) {
	var entry struct {
		Log string `json:"log"`
	}
	if json.Unmarshal(line, &entry) != nil {
		return nil, false
	}
	inner := []byte(entry.Log)
	if end := bytes.IndexByte(inner, '\n'); end >= 0 { // Docker keeps one line in one entry
		inner = inner[:end]
	}
	return inner, true
}

// unwrapJournal makes a line of syslog of an entry of the journal in JSON.
func unwrapJournal(line []byte) ([]byte, bool) {
	var fields struct {
		Time       string          `json:"__REALTIME_TIMESTAMP"`
		Host       string          `json:"_HOSTNAME"`
		Identifier string          `json:"SYSLOG_IDENTIFIER"`
		Command    string          `json:"_COMM"`
		PID        string          `json:"_PID"`
		Message    json.RawMessage `json:"MESSAGE"`
	}
	if json.Unmarshal(line, &fields) != nil {
		return nil, false
	}
	message, ok := journalText(fields.Message)
	if !ok {
		return nil, false
	}
	e := entry{time: fields.Time, host: fields.Host, identifier: fields.Identifier, command: fields.Command, pid: fields.PID, message: message}
	return e.line(nil)
}

// entry has the fields of an entry of systemd's journal that a line of syslog has, too.
type entry struct {
	time                      string // microseconds since 1970
	host, identifier, command string
	pid                       string
	message                   []byte
}

// line appends a line of syslog, with a stamp as rsyslog writes it. What is not printable is escaped as
// rsyslog does, so that it stays one line.
func (e *entry) line(b []byte) ([]byte, bool) {
	microseconds, err := strconv.ParseInt(e.time, 10, 64)
	if err != nil {
		return b, false
	}
	identifier := e.identifier
	if identifier == "" {
		identifier = e.command
	}
	b = time.UnixMicro(microseconds).UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z07:00")
	b = append(append(b, ' '), oneWord(e.host)...)
	b = append(append(b, ' '), oneWord(identifier)...)
	if _, err := strconv.ParseUint(e.pid, 10, 32); err == nil {
		b = append(append(append(b, '['), e.pid...), ']')
	}
	b = append(b, ": "...)
	for _, c := range e.message {
		if c < ' ' || c == 0x7f {
			b = append(b, '#', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		} else {
			b = append(b, c)
		}
	}
	return b, true
}

// journalText reads a value that is a string or, if it is no printable UTF-8, a list of bytes.
func journalText(value json.RawMessage) ([]byte, bool) {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return []byte(text), len(value) > 0 && value[0] == '"'
	}
	var numbers []uint8WithoutBase64
	if json.Unmarshal(value, &numbers) != nil {
		return nil, false
	}
	raw := make([]byte, len(numbers))
	for i, n := range numbers {
		raw[i] = byte(n)
	}
	return raw, true
}

// uint8WithoutBase64 keeps package json from taking a list of bytes for base64.
type uint8WithoutBase64 uint8

// oneWord makes a host or program that ends where it should, and is there.
func oneWord(name string) string {
	clean := []byte(name)
	for i, c := range clean {
		if c <= ' ' || c >= 0x7f || c == '[' || c == ']' || c == ':' {
			clean[i] = '_'
		}
	}
	if len(clean) == 0 {
		return "_"
	}
	return string(clean)
}
