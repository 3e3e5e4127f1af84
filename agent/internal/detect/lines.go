package detect

import (
	"bufio"
	"io"

	"github.com/pialert/pialert/agent/internal/header"
	"github.com/pialert/pialert/agent/internal/rule"
)

// Lines are those of a text that is read from its start: of an export of systemd's journal, whose entries take many lines
// each, a line of syslog for each entry whose sender is to be believed; of any other text the text.
type Lines struct {
	io.Reader
	export *header.Export // nil if it is none
}

// NewLines returns the lines of a text.
func NewLines(in io.Reader, rules *rule.Set) *Lines {
	peeking := bufio.NewReader(in)
	if start, _ := peeking.Peek(len("__REALTIME_TIMESTAMP=")); header.IsExport(start) {
		export := header.NewExport(peeking, rules.Trust())
		return &Lines{export, export}
	}
	return &Lines{Reader: peeking}
}

// Untrusted returns how many entries of an export were left out so far.
func (l *Lines) Untrusted() uint64 {
	if l.export == nil {
		return 0
	}
	return l.export.Untrusted()
}
