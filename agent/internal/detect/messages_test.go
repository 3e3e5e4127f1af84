package detect

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/agent/internal/rule/messages"
	"github.com/pialert/pialert/agent/internal/weblog"
	"github.com/pialert/pialert/pkg/attack"
)

// Every message that a daemon can write, with whatever a client puts into it, is taken by the rule
// that the inventory names, counts what it says, and blames who sent it and nobody else.
func TestEveryMessageOfTheInventory(t *testing.T) {
	t.Parallel()
	rules, files := inventory(t)
	for _, file := range files {
		t.Run(file.Daemon, func(t *testing.T) {
			t.Parallel()
			reader := newMessageReader(t, rules)
			for _, message := range file.Messages {
				wrong := 0
				for filled := range message.Fill() {
					if why := reader.compare(message, &filled); why != "" {
						if wrong++; wrong == 1 {
							t.Errorf("%s\n\t%s\n\t%s", message.Format, strings.Join(filled.Lines, "\n\t"), why)
						}
					}
				}
				if wrong > 1 {
					t.Errorf("%d more lines of this format", wrong-1)
				}
			}
		})
	}
}

// A message whose end was cut off blames nobody whom a client's text names, wherever the cut is.
func TestEveryMessageThatWasClipped(t *testing.T) {
	t.Parallel()
	rules, files := inventory(t)
	lines := 0
	for _, file := range files {
		reader := newMessageReader(t, rules)
		for _, message := range file.Messages {
			wrong := 0
			for clipped := range message.Clip() {
				lines++
				reader.read(message, &clipped)
				for _, ev := range reader.events {
					if ev.SourceIP.IsValid() && ev.SourceIP != clipped.Addr || ev.SourceHost != "" {
						if wrong++; wrong == 1 {
							t.Errorf("%s: %s\n\t%s\n\t%s blames %v %s", file.Daemon, message.Format, strings.Join(clipped.Lines, "\n\t"), ev.Rule, ev.SourceIP, ev.SourceHost)
						}
					}
				}
			}
			if wrong > 1 {
				t.Errorf("%d more events of this format", wrong-1)
			}
		}
	}
	if lines < 10000 {
		t.Errorf("only %d lines were tried", lines)
	}
}

// inventory returns the rules, and the messages that daemons can write.
func inventory(t *testing.T) (*rule.Set, []*messages.File) {
	t.Helper()
	rules, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	files, err := messages.Load()
	if err != nil {
		t.Fatal(err)
	}
	return rules, files
}

// messageReader feeds messages to an engine, each as if it had a log of its own.
type messageReader struct {
	*testing.T
	engine *Engine
	events []attack.Event
}

func newMessageReader(t *testing.T, rules *rule.Set) *messageReader {
	r := &messageReader{T: t}
	engine, err := New(Options{Rules: rules, Location: time.UTC, Emit: func(ev *attack.Event, _ uint64) {
		if !ev.Kind.Apart() {
			r.events = append(r.events, *ev)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	r.engine = engine
	return r
}

// read feeds a message, and returns the rule that took its last line.
func (r *messageReader) read(m *messages.Message, filled *messages.Filled) *rule.Rule {
	source, err := NewSource("log", rule.Type(m.Type), "")
	if err != nil {
		r.Fatal(err)
	}
	r.events, r.engine.web.unique = nil, uniques{} // each is of another request
	for _, line := range filled.Lines {
		r.engine.matcher.trace = &trace{}
		r.engine.Feed(source, []byte(line), time.Date(2025, 1, 31, 12, 0, 1, 0, time.UTC))
	}
	found := r.engine.matcher.trace.rule
	r.engine.Finish()
	r.engine.Forget("log")
	return found
}

// compare says what is wrong with what becomes of a message, or nothing.
func (r *messageReader) compare(m *messages.Message, want *messages.Filled) string {
	found := r.read(m, want)
	switch {
	case !taken(m, found) && (found != nil || !want.Vague):
		id := "none"
		if found != nil {
			id = found.ID
		}
		return "rule " + id + " takes it, want " + strings.Join(m.Rule, " or ")
	case m.Attack():
		return compareEvents(m, want, r.events)
	case len(r.events) > 0:
		return "it is no attack, but " + r.events[0].Rule + " counts it"
	}
	return ""
}

func taken(m *messages.Message, found *rule.Rule) bool {
	if found == nil {
		return len(m.Rule) == 0
	}
	return slices.Contains(m.Rule, found.ID) || !m.Attack() && (found.Role == rule.RoleIgnore || found.Kind.Apart())
}

func compareEvents(m *messages.Message, want *messages.Filled, events []attack.Event) string {
	var count uint64
	for i := range events {
		ev := &events[i]
		count += ev.Count
		switch {
		case ev.Kind.String() != m.Kind:
			return "kind " + ev.Kind.String() + ", want " + m.Kind
		case (ev.SourceIP != want.Addr || ev.SourceHost != want.Host) && !(want.Vague && !ev.SourceIP.IsValid() && ev.SourceHost == ""):
			return "blames " + ev.SourceIP.String() + " " + ev.SourceHost + ", want " + want.Addr.String() + " " + want.Host
		case ev.SourcePort != 0 && ev.SourcePort != want.Port:
			return "another port than the peer's"
		case !sameUser(ev.User, want):
			return "user " + ev.User + ", want " + want.User
		}
	}
	if count != want.Count && (count > 0 || !want.Vague) { // other lines of the connection count then
		return "counts " + strconv.FormatUint(count, 10) + ", want " + strconv.FormatUint(want.Count, 10)
	}
	return ""
}

// sameUser says whether an event names who a client said to be. Blanks at the ends get lost, and a
// message that was cut may name nobody.
func sameUser(got string, want *messages.Filled) bool {
	if want.Vague && got == "" {
		return true
	}
	user := want.User
	if len(user) > attack.MaxUser {
		user = user[:attack.MaxUser]
	}
	if strings.TrimSpace(got) == strings.TrimSpace(user) {
		return true
	}
	plain := string(weblog.Unescape([]byte(want.User))) // of a web server: as it was sent
	return strings.TrimSpace(got) == strings.TrimSpace(plain[:min(len(plain), attack.MaxUser)])
}
