package intake

import (
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// waitPrefix is put before the keys of bans that wait for their report.
const waitPrefix = "wait/"

// awaited is a ban in the log of a jail that reports by itself, of which the report is to come. It is saved, so
// that it is reported once whenever the agent is killed: with the report, or for want of it.
type awaited struct {
	At    time.Time `json:"at"`
	Ban   *line     `json:"ban"`
	Unban *line     `json:"unban,omitempty"` // the log says that it was lifted, too
}

// line is what a log says, beside what its key says.
type line struct {
	Severity attack.Severity `json:"severity"`
	Rule     string          `json:"rule"`
	Log      []byte          `json:"log"` // any bytes
	Observed time.Time       `json:"observed"`
	Logged   time.Time       `json:"logged,omitzero"`
}

func newLine(e *attack.Event) *line {
	return &line{Severity: e.Severity, Rule: e.Rule, Log: []byte(e.Log), Observed: e.Observed, Logged: e.Logged}
}

// event is the ban, or its end.
func (l *line) event(key banKey, kind attack.Kind) *attack.Event {
	return &attack.Event{
		Kind: kind, Severity: l.Severity, Rule: l.Rule, Log: string(l.Log), Observed: l.Observed, Logged: l.Logged,
		SourceIP: key.source.Addr(), Count: 1, Host: key.host, Detail: attack.BanInfo{Jail: key.jail},
	}
}

// await has a ban wait for its report.
func (b *Bans) await(key banKey, l *awaited) { b.waiting[key], b.waited[key] = l, true }

// settle ends a ban's waiting, and returns it if it waited.
func (b *Bans) settle(key banKey) *awaited {
	l := b.waiting[key]
	if l != nil {
		delete(b.waiting, key)
		b.waited[key] = true
	}
	return l
}
