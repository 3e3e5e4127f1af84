package detect

import (
	"bufio"
	"io"

	"github.com/pialert/pialert/agent/internal/header"
)

// Lines returns the lines of a text that is read from its start: of an export of systemd's journal, whose
// entries take many lines each, a line of syslog for each entry; of any other text the text.
func Lines(in io.Reader) io.Reader {
	peeking := bufio.NewReader(in)
	if start, _ := peeking.Peek(len("__REALTIME_TIMESTAMP=")); header.IsExport(start) {
		return header.NewExport(peeking)
	}
	return peeking
}
