package terminal

import (
	"fmt"
	"strings"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/escape"
)

// row is an event as the picture lists it. Its texts are fit for a terminal.
type row struct {
	at                        time.Time
	lamp                      int // index, -1 if none shows it
	kind, source, what, agent string
	note                      string // in place of an event: that some are missing
}

// rowOf turns an event into what is listed of it.
func rowOf(at time.Time, agent string, lamp int, e *attack.Event) row {
	r := row{at: at, lamp: lamp, kind: e.Kind.String(), agent: escape.Text(agent)}
	switch {
	case e.SourceIP.IsValid():
		r.source = e.SourceIP.String()
	case e.SourceHost != "":
		r.source = word(e.SourceHost)
	}
	var what []string
	if e.Count > 1 {
		what = append(what, fmt.Sprintf("×%d", e.Count))
	}
	if e.User != "" {
		what = append(what, word(e.User))
	}
	if text := strings.TrimLeft(Particulars(e.Detail), ", "); text != "" {
		what = append(what, text)
	}
	if e.Host != "" {
		what = append(what, "on "+word(e.Host))
	}
	if e.Test {
		what = append(what, "(test)")
	}
	r.what = strings.Join(what, " ")
	return r
}

// word is a name of an attacker's: as it is if it can be taken for nothing else, else in quotes.
func word(text string) string {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '(' || i >= maxQuoted {
			return quote(text)
		}
	}
	return text
}
