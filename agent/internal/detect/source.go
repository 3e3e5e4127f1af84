package detect

import (
	"fmt"
	"slices"

	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/weblog"
	"github.com/pialert/pialert/pkg/attack"
)

// Source is one log: a file across its rotations, a journal, or standard input.
type Source struct {
	name   string
	typ    rule.Type
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

// recentHeader is the header that the last line had, and what it leads to.
type recentHeader struct {
	header.Recent
	hash       uint64 // of the host
	candidates *rule.Candidates
}

// named remembers which rules the last name led to: the next line's is nearly always the same.
type named struct {
	name       []byte
	module     []byte
	candidates *rule.Candidates
}

// NewSource describes a log. The name is what events say they come from and what detection's
// memory is kept under, so it must be the same after a restart. A format, in the syntax of
// Apache's LogFormat directive, is only for access logs.
func NewSource(name string, typ rule.Type, format string) (*Source, error) {
	if typ == "" {
		typ = rule.TypeAuto
	}
	if !slices.Contains(rule.Types(), typ) {
		return nil, fmt.Errorf("cannot read %s: type %q is unknown: use one of %v", name, typ, rule.Types())
	}
	if format != "" && typ != rule.TypeAccess {
		return nil, fmt.Errorf("cannot read %s: a format needs the type %q, not %q", name, rule.TypeAccess, typ)
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
func (s *Source) Type() rule.Type { return s.typ }

// Name returns the name, cut to the bounds of an event.
func (s *Source) Name() string { return s.name }

// recognise settles the type of a log by one of its lines, if the line says it.
func (s *Source) recognise(line []byte, header bool) {
	switch {
	case header:
		s.typ = rule.TypeSyslog
	case weblog.IsError(line):
		s.typ = rule.TypeError
	case weblog.IsAccess(line):
		s.typ = rule.TypeAccess
	}
}
