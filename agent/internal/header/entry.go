package header

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Entry holds the fields of an entry of systemd's journal that make a line of it (systemd.journal-fields(7)), as
// `journalctl --output=json` writes them. Those that begin with an underscore are added by journald and cannot be
// chosen by the sender.
type Entry struct {
	Cursor     string     `json:"__CURSOR"`
	Time       string     `json:"__REALTIME_TIMESTAMP"` // microseconds since 1970
	Message    entryField `json:"MESSAGE"`
	Identifier entryField `json:"SYSLOG_IDENTIFIER"`
	Command    entryField `json:"_COMM"`
	Executable entryField `json:"_EXE"`
	PID        entryField `json:"_PID"`
	UID        entryField `json:"_UID"`
	Host       entryField `json:"_HOSTNAME"`
	Transport  entryField `json:"_TRANSPORT"`
	Slice      entryField `json:"_SYSTEMD_SLICE"`

	// What strongSwan's charon-systemd puts beside its message, and before it in all other logs.
	Thread entryField `json:"THREAD"`
	Group  entryField `json:"GROUP"`
	SA     entryField `json:"IKE_SA_UNIQUE_ID"`
	SAName entryField `json:"IKE_SA_NAME"`
}

// EntryFields is what journalctl is to be asked for beside the cursor and the time.
const EntryFields = "MESSAGE,SYSLOG_IDENTIFIER,_COMM,_EXE,_PID,_UID,_HOSTNAME,_TRANSPORT,_SYSTEMD_SLICE,THREAD,GROUP,IKE_SA_UNIQUE_ID,IKE_SA_NAME"

// entryField is a value as journalctl writes it: a string, an array of bytes if it is no printable UTF-8, an
// array of both if the field occurs more than once, of which the first counts, or null if it is longer
// than 4096 bytes.
type entryField struct {
	text    string
	omitted bool
}

func (f *entryField) UnmarshalJSON(data []byte) error {
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
	// ErrUntrusted says that the sender of an entry may not speak under the name it gave.
	ErrUntrusted = errors.New("the sender may not use this identifier")
	// ErrOmitted says that journalctl left out the message because of its length.
	ErrOmitted = errors.New("the message is too long")
)

// String describes who wrote the entry, whatever is in it.
func (e *Entry) String() string {
	return sanitise(e.Identifier.text) + " of user " + sanitise(e.UID.text)
}

// believed reports whether the sender may write under an identifier. journald tells of every entry how it came; where that
// is not to be seen, somebody has left it out since, and the entry is taken as a line of any log is.
func (e *Entry) believed(identifier string, trust *Trust) bool {
	if e.Transport.text == "" && e.UID.text == "" {
		return true
	}
	return trust.Believes(identifier, e.sender())
}

// sender returns who sent the entry. A login session is not in system.slice.
func (e *Entry) sender() Sender {
	sender := Sender{UID: -1, Executable: e.Executable.text, Service: e.Slice.text == "system.slice"}
	if uid, err := strconv.ParseUint(e.UID.text, 10, 32); err == nil {
		sender.UID = int64(uid)
	}
	switch e.Transport.text {
	case "kernel", "audit", "driver":
		sender.Kernel = true
	}
	return sender
}

// AppendLine appends the entry as a syslog line with an RFC 3339 time, as rsyslog writes it:
//
//	2026-11-20T12:00:00.123456+00:00 host sshd[4711]: Connection closed by 192.0.2.7 port 50022 [preauth]
//
// Control characters become #ooo, as rsyslog has them, so that one entry is one line. The newline behind it is the
// caller's.
func (e *Entry) AppendLine(line []byte, trust *Trust) ([]byte, error) {
	microseconds, err := strconv.ParseInt(e.Time, 10, 64)
	if err != nil {
		return line, fmt.Errorf("cannot read the journal entry's time %q", e.Time)
	}
	name := e.Identifier.text
	if name == "" {
		name = e.Command.text
	}
	identifier := sanitise(name)
	if !e.believed(identifier, trust) {
		return line, ErrUntrusted
	}
	if e.Message.omitted {
		return line, ErrOmitted
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
	return line, nil
}

// appendCharon appends "07[IKE] <vpn|83> ", as charon's other loggers write it: charon-systemd.c, journal_logger.
func (e *Entry) appendCharon(line []byte) []byte {
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
