package detect

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/weblog"
	"github.com/pialert/pialert/pkg/attack"
)

// Source is one log: a file across its rotations, a journal, or standard input.
type Source struct {
	name    string
	log     string // name of the log that it is a part of
	typ     rule.Type
	formats []*weblog.Format // of an access log; nil for those that are recognised
	hosts   Hosts

	forgeable bool // see [Engines]

	lines uint64  // joined so far
	mem   *memory // what is remembered of this log
}

// Hosts says which machine a line is of.
type Hosts uint8

const (
	// OwnHost: every line is the agent's own machine's, whatever its header says.
	OwnHost Hosts = iota
	// HeaderHost: a collector's file; the header names the machine.
	HeaderHost
	// SenderHost: the header names who sent the line and, behind a slash, whom the line names. Lines
	// of different senders are never of one connection, whatever they say.
	SenderHost
)

// ownSender stands in a header for this machine.
const ownSender = "-"

// Of sets which machines the lines are of.
func (s *Source) Of(hosts Hosts) { s.hosts = hosts }

// Forgeable says that anybody can forge the lines: see [Engines].
func (s *Source) Forgeable() { s.forgeable = true }

// machine returns what events call the machine of a line with this host in its header.
func (s *Source) machine(host []byte) []byte {
	if s.hosts == OwnHost { // decided where the call is inlined
		return nil
	}
	return s.named(host)
}

func (s *Source) named(host []byte) []byte {
	switch s.hosts {
	case HeaderHost:
		return host
	case SenderHost:
		sender, named, ok := bytes.Cut(host, []byte("/"))
		if ok && len(named) > 0 {
			return named
		}
		if string(sender) != ownSender {
			return sender
		}
	}
	return nil
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
	src := &Source{name: name, log: name, typ: typ}
	if format != "" {
		f, err := weblog.NamedFormat(format)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", name, err)
		}
		src.formats = []*weblog.Format{f}
	}
	return src, nil
}

// PartOf says which log it is a part of, as a rotated file is: what is remembered of that goes on in each of its parts,
// which must be read in their order.
func (s *Source) PartOf(log string) { s.log = log }

// Name returns the name, cut to the bounds of an event.
func (s *Source) Name() string { return s.name }

// mayBeBare says whether a line without a header can be one of sshd's own: not in a log that has
// lines of other forms.
func (s *Source) mayBeBare() bool {
	switch s.typ {
	case rule.TypeSSHD:
		return true
	case rule.TypeAccess, rule.TypeError:
		return false
	}
	return !s.mem.structured
}
