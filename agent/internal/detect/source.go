package detect

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/pialert/pialert/agent/internal/weblog"
	"github.com/pialert/pialert/pkg/attack"
)

// Type is a kind of log.
type Type string

// The types of logs. A log of type auto takes the type of its first line that is recognised.
const (
	TypeAuto   Type = "auto"
	TypeSyslog Type = "syslog" // any file that syslog writes, a journal, and daemons' own logs with stamp and tag
	TypeSSHD   Type = "sshd"   // the file that `sshd -E` writes: no header at all
	TypeAccess Type = "access" // requests, in Apache's or nginx' formats
	TypeError  Type = "error"  // Apache's or nginx' error log
)

// Types lists the types that a user may name.
func Types() []Type { return []Type{TypeAuto, TypeSyslog, TypeSSHD, TypeAccess, TypeError} }

// Source is one log: a file across its rotations, a journal, or standard input.
type Source struct {
	name   string
	typ    Type
	format string // Apache's LogFormat of an access log; empty for the usual ones
	lines  uint64 // fed so far

	recent  recentHeader
	last    named    // the last tag
	lastPAM named    // the last PAM module and service: "pam_unix(sshd:auth): "
	mem     *memory  // what is remembered of this log
	host    struct { // last host, and the hash of its name
		name []byte
		hash uint64
	}

	web webSource
}

// named remembers which rules the last name led to: the next line's is nearly always the same.
type named struct {
	name       []byte
	module     []byte
	candidates *candidates
}

// NewSource describes a log. The name is what events say they come from and what detection's
// memory is kept under, so it must be the same after a restart. A format, in the syntax of
// Apache's LogFormat directive, is only for access logs.
func NewSource(name string, typ Type, format string) (*Source, error) {
	if typ == "" {
		typ = TypeAuto
	}
	if !slices.Contains(Types(), typ) {
		return nil, fmt.Errorf("cannot read %s: type %q is unknown: use one of %v", name, typ, Types())
	}
	if format != "" && typ != TypeAccess {
		return nil, fmt.Errorf("cannot read %s: a format needs the type %q, not %q", name, TypeAccess, typ)
	}
	if len(name) > attack.MaxName {
		name = "…" + name[len(name)-attack.MaxName+len("…"):]
	}
	src := &Source{name: name, typ: typ, format: format}
	if format != "" {
		f, err := weblog.NamedFormat(format)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", name, err)
		}
		src.web.reader.Formats = []*weblog.Format{f}
	}
	return src, nil
}

// Type returns the type, which changes from auto to what was recognised.
func (s *Source) Type() Type { return s.typ }

// Name returns the name, cut to the bounds of an event.
func (s *Source) Name() string { return s.name }

// recognise settles the type of a log by one of its lines, if the line says it.
func (s *Source) recognise(line []byte, header bool) {
	switch {
	case header:
		s.typ = TypeSyslog
	case errorLine(line):
		s.typ = TypeError
	case accessLine(line):
		s.typ = TypeAccess
	}
}

// errorLine says whether a line starts as error logs of Apache ("[Wed Oct 11 14:32:52") and nginx
// ("2025/01/31 12:00:00 [error] ") do.
func errorLine(line []byte) bool {
	if len(line) > 22 && line[0] == '[' && monthOf(line[5:]) > 0 && bsdLength(line[5:]) > 0 {
		return true
	}
	return len(line) > 21 && line[4] == '/' && line[7] == '/' && line[10] == ' ' && line[20] == '[' &&
		digits(line[:4]) && clock(line[11:])
}

// accessLine says whether a line has "[dd/Mmm/YYYY:HH:MM:SS" and a quoted field, as every usual
// format of access logs has.
func accessLine(line []byte) bool {
	at := bytes.IndexByte(line, '[')
	for at >= 0 && at+21 < len(line) {
		date := line[at+1:]
		if date[2] == '/' && date[6] == '/' && date[11] == ':' && monthOf(date[3:]) > 0 && clock(date[12:]) {
			return bytes.IndexByte(line, '"') >= 0
		}
		next := bytes.IndexByte(date, '[')
		if next < 0 {
			return false
		}
		at += 1 + next
	}
	return false
}
