package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pialert/pialert/agent/internal/source"
)

// entry holds the fields of a journal entry that are asked for (systemd.journal-fields(7)). Those that
// begin with an underscore are added by journald and cannot be chosen by the sender.
type entry struct {
	Cursor     string `json:"__CURSOR"`
	Time       string `json:"__REALTIME_TIMESTAMP"` // microseconds since 1970
	Message    field  `json:"MESSAGE"`
	Identifier field  `json:"SYSLOG_IDENTIFIER"`
	Command    field  `json:"_COMM"`
	Executable field  `json:"_EXE"`
	PID        field  `json:"_PID"`
	UID        field  `json:"_UID"`
	Host       field  `json:"_HOSTNAME"`
	Transport  field  `json:"_TRANSPORT"`
	Slice      field  `json:"_SYSTEMD_SLICE"`

	// What strongSwan's charon-systemd puts beside its message, and before it in all other logs.
	Thread field `json:"THREAD"`
	Group  field `json:"GROUP"`
	SA     field `json:"IKE_SA_UNIQUE_ID"`
	SAName field `json:"IKE_SA_NAME"`
}

// outputFields is what journalctl is asked for beside the cursor and the time.
const outputFields = "MESSAGE,SYSLOG_IDENTIFIER,_COMM,_EXE,_PID,_UID,_HOSTNAME,_TRANSPORT,_SYSTEMD_SLICE,THREAD,GROUP,IKE_SA_UNIQUE_ID,IKE_SA_NAME"

// field is a value as journalctl writes it: a string, an array of bytes if it is no printable UTF-8, an
// array of both if the field occurs more than once, of which the first counts, or null if it is longer
// than 4096 bytes.
type field struct {
	text    string
	omitted bool
}

func (f *field) UnmarshalJSON(data []byte) error {
	switch {
	case bytes.Equal(data, []byte("null")):
		f.omitted = true
		return nil
	case len(data) > 0 && data[0] == '[':
		var values []json.RawMessage
		if err := json.Unmarshal(data, &values); err != nil {
			return err
		}
		if len(values) == 0 {
			return nil
		}
		if first := values[0][0]; first == '"' || first == '[' || first == 'n' {
			return f.UnmarshalJSON(values[0])
		}
		text := make([]byte, len(values))
		for i, value := range values {
			b, err := strconv.ParseUint(string(value), 10, 8)
			if err != nil {
				return fmt.Errorf("cannot read %q as a byte", value)
			}
			text[i] = byte(b)
		}
		f.text = string(text)
		return nil
	}
	return json.Unmarshal(data, &f.text)
}

var (
	// errUntrusted says that the sender of an entry may not speak under the name it gave.
	errUntrusted = errors.New("the sender may not use this identifier")
	// errOmitted says that journalctl left out the message because of its length.
	errOmitted = errors.New("the message is too long")
)

// sender returns who sent the entry. A login session is not in system.slice.
func (e *entry) sender() source.Sender {
	sender := source.Sender{UID: -1, Executable: e.Executable.text, Service: e.Slice.text == "system.slice"}
	if uid, err := strconv.ParseUint(e.UID.text, 10, 32); err == nil {
		sender.UID = int64(uid)
	}
	switch e.Transport.text {
	case "kernel", "audit", "driver":
		sender.Kernel = true
	}
	return sender
}

// appendLine appends the entry as a syslog line with an RFC 3339 time, as rsyslog writes it:
//
//	2026-11-20T12:00:00.123456+00:00 host sshd[4711]: Connection closed by 192.0.2.7 port 50022 [preauth]
//
// Control characters become #ooo, as rsyslog has them, so that one entry is one line.
func (e *entry) appendLine(line []byte, trust *source.Trust) ([]byte, error) {
	microseconds, err := strconv.ParseInt(e.Time, 10, 64)
	if err != nil {
		return line, fmt.Errorf("cannot read the journal entry's time %q", e.Time)
	}
	name := e.Identifier.text
	if name == "" {
		name = e.Command.text
	}
	identifier := sanitise(name)
	if !trust.Believes(identifier, e.sender()) {
		return line, errUntrusted
	}
	if e.Message.omitted {
		return line, errOmitted
	}
	line = time.UnixMicro(microseconds).UTC().AppendFormat(line, "2006-01-02T15:04:05.000000-07:00")
	line = append(line, ' ')
	line = append(line, sanitise(e.Host.text)...)
	line = append(line, ' ')
	line = append(line, identifier...)
	if pid, err := strconv.ParseUint(e.PID.text, 10, 32); err == nil {
		line = append(line, '[')
		line = strconv.AppendUint(line, pid, 10)
		line = append(line, ']')
	}
	line = append(line, ": "...)
	if identifier == "charon-systemd" {
		line = e.appendCharon(line)
	}
	for _, c := range []byte(e.Message.text) {
		if c < ' ' || c == 0x7f {
			line = append(line, '#', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		} else {
			line = append(line, c)
		}
	}
	return append(line, '\n'), nil
}

// appendCharon appends "07[IKE] <vpn|83> ", as charon's other loggers write it: charon-systemd.c, journal_logger.
func (e *entry) appendCharon(line []byte) []byte {
	thread, err := strconv.ParseUint(e.Thread.text, 10, 16)
	if err != nil || e.Group.text == "" {
		return line
	}
	line = fmt.Appendf(line, "%02d[%s] ", thread, sanitise(e.Group.text))
	if number, err := strconv.ParseUint(e.SA.text, 10, 32); err == nil {
		line = append(line, '<')
		if e.SAName.text != "" {
			line = append(append(line, sanitise(strings.Map(withoutBrackets, e.SAName.text))...), '|')
		}
		line = append(strconv.AppendUint(line, number, 10), "> "...)
	}
	return line
}

func withoutBrackets(r rune) rune {
	if r == '<' || r == '>' || r == '|' {
		return '_'
	}
	return r
}

// sanitise makes a host name or an identifier that ends where it should.
func sanitise(name string) string {
	const maxName = 64
	clean := make([]byte, 0, maxName)
	for i := 0; i < len(name) && i < maxName; i++ {
		c := name[i]
		if c <= ' ' || c >= 0x7f || c == '[' || c == ']' || c == ':' {
			c = '_'
		}
		clean = append(clean, c)
	}
	if len(clean) == 0 {
		return "-"
	}
	return string(clean)
}
