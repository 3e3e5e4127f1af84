package notice

import (
	"cmp"
	"fmt"
	"time"

	"github.com/pialert/pialert/display/internal/notice/channel"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/escape"
)

// Bounds of what waits to be sent by one rule.
const (
	maxLines = 20 // sentences
	maxRows  = 5  // rows of a table that a message shows
)

// group is what a rule has to tell: events, sentences, or both. Its zero value is empty. It is kept as
// JSON across restarts.
type group struct {
	Since    time.Time // when the first of it came, by the clock of whoever tells it
	Events   uint64
	Attempts uint64
	Severity attack.Severity `json:",omitzero"`
	Kinds    names
	Agents   names
	Sources  names
	Users    names
	One      string // the event in words, while it is the only one
	Lines    []string
	More     uint64 // sentences beyond maxLines
}

func (g *group) empty() bool { return g.Events == 0 && len(g.Lines) == 0 }

// add takes an event.
func (g *group) add(r *Record, now time.Time) {
	if g.empty() {
		g.Since = now
	}
	if g.Events == 0 {
		g.Kinds, g.Agents, g.Sources, g.Users = names{}, names{}, names{}, names{}
	}
	e := &r.Event
	count := max(e.Count, 1)
	g.Events++
	if e.Kind.Attempt() {
		g.Attempts += e.Count
	}
	g.Severity = max(g.Severity, e.Severity)
	g.Kinds.add(e.Kind.String(), count)
	g.Agents.add(place(r), count)
	g.Sources.add(source(e), count)
	g.Users.add(escape.Text(e.User), count)
	if g.Events == 1 {
		g.One = Sentence(r)
	}
}

// say takes a sentence.
func (g *group) say(line string, severity attack.Severity, now time.Time) {
	if g.empty() {
		g.Since = now
	}
	g.Severity = max(g.Severity, severity)
	if len(g.Lines) >= maxLines {
		g.More++
		return
	}
	g.Lines = append(g.Lines, line)
}

// message writes what the group holds.
func (g *group) message(now time.Time, link string) channel.Message {
	m := channel.Message{At: now, Severity: cmp.Or(g.Severity, attack.Info), Link: link}
	m.Lines = append(m.Lines, g.Lines...)
	if g.More > 0 {
		m.Lines = append(m.Lines, fmt.Sprintf("and %d more of these", g.More))
	}
	switch {
	case g.Events == 1:
		m.Subject = g.One
	case g.Events > 1:
		m.Subject = fmt.Sprintf("%s on %s", amounts(g.Kinds), listed(g.Agents))
		m.Lines = append(m.Lines, fmt.Sprintf("%d events in %s.", g.Events, spanText(now.Sub(g.Since))))
	}
	if m.Subject == "" {
		m.Subject, m.Lines = m.Lines[0], m.Lines[1:]
	}
	for _, table := range []struct {
		title string
		names names
	}{{"Sources", g.Sources}, {"Users tried", g.Users}, {"Servers", g.Agents}} {
		if g.Events > 1 && len(table.names) > 0 {
			m.Tables = append(m.Tables, channel.Table{Title: table.title, Rows: table.names.rows(maxRows)})
		}
	}
	return m
}
