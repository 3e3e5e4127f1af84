// Package channel is what notices and the services that carry them agree on: what a message is,
// and what became of an attempt to send it.
//
// A channel promises to send a message once for each call, to say whether it arrived, to verify
// TLS, to follow no redirect, and to keep its secrets out of every error. It refuses to retry: when
// to try again is the outbox's to know. Text in a message may hold whatever an attacker typed; each
// channel writes it so that it stays text.
package channel

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pialert/pialert/pkg/attack"
)

// Message is a notice as every channel gets it; each gives it a form of its own.
type Message struct {
	ID       string          // names the message for good: the same at every attempt, letters and digits
	At       time.Time       // when it was written
	Severity attack.Severity // how loudly a channel tells it
	Subject  string          // what happened, in one line
	Lines    []string        // sentences that say more, one in a line
	Tables   []Table         // who, where, how often
	Bars     *Bars           // attempts over time, or nil
	Link     string          // the page that shows more; empty if there is none
}

// handover is the key of what a context has done before a message is handed over.
type handover struct{}

// WithHandover returns a context whose channels call do once they are about to send what a service may take the message
// by: before, nothing has arrived, whatever happens. If do fails, nothing is sent.
func WithHandover(ctx context.Context, do func() error) context.Context {
	return context.WithValue(ctx, handover{}, do)
}

// Handover is what a channel calls then. It may do so again for the same message.
func Handover(ctx context.Context) error {
	if do, ok := ctx.Value(handover{}).(func() error); ok {
		return do()
	}
	return nil
}

// Table lists names with their attempts, the most first.
type Table struct {
	Title string
	Rows  []Row
}

// Row is one name and its attempts.
type Row struct {
	Name  string
	Count uint64
}

// Bars are attempts in equal spans of time.
type Bars struct {
	From   time.Time
	Step   time.Duration
	Counts []uint64
}

// Text writes a message's body for a reader without markup.
func (m *Message) Text() string {
	var out strings.Builder
	for _, line := range m.Lines {
		out.WriteString(line + "\n")
	}
	for _, table := range m.Tables {
		fmt.Fprintf(&out, "\n%s\n", table.Title)
		for _, row := range table.Rows {
			fmt.Fprintf(&out, "%8d  %s\n", row.Count, row.Name)
		}
	}
	if m.Bars != nil {
		fmt.Fprintf(&out, "\n%s\n", m.Bars)
	}
	if m.Link != "" {
		fmt.Fprintf(&out, "\n%s\n", m.Link)
	}
	return out.String()
}

// String draws the bars as eighths of a block, the highest full, with the span that they cover.
func (b *Bars) String() string {
	const eighths = "▁▂▃▄▅▆▇█"
	blocks := []rune(eighths)
	var highest uint64
	for _, n := range b.Counts {
		highest = max(highest, n)
	}
	var out strings.Builder
	for _, n := range b.Counts {
		if n == 0 {
			out.WriteRune('·')
			continue
		}
		out.WriteRune(blocks[(n*uint64(len(blocks))-1)/highest%uint64(len(blocks))])
	}
	to := b.From.Add(time.Duration(len(b.Counts)) * b.Step)
	return fmt.Sprintf("%s %s %s", b.From.Format("15:04"), out.String(), to.Format("15:04"))
}

// Cut returns at most n bytes of text, whole runes, and an ellipsis where some are missing.
func Cut(text string, n int) string {
	const ellipsis = "…"
	if len(text) <= n {
		return text
	}
	n -= len(ellipsis)
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:max(n, 0)] + ellipsis
}
