package page

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/plural"
)

// row is an event in a list.
type row struct {
	ID     int64
	At     time.Time
	Class  string // of its colour
	Lamp   string
	Kind   attack.Kind
	Count  uint64
	Agent  string
	Host   string // that wrote the line, if it is not the agent's own
	Source netip.Prefix
	Name   string // logged where an address was expected
	User   string
	Words  []string // of a person or a program: escaped where they are shown
	Test   bool
	Note   string // of a correction
	By     int64
}

func rowOf(r Record, state State) row {
	e := &r.Event
	made := row{
		ID: r.ID, At: e.Logged, Kind: e.Kind, Count: e.Count, Agent: r.Agent, Host: e.Host, Name: e.SourceHost,
		User: e.User, Words: words(e.Detail), Test: e.Test, Note: r.Note, By: r.By,
	}
	if made.At.IsZero() {
		made.At = e.Observed
	}
	if made.At.IsZero() {
		made.At = r.Arrived
	}
	if e.SourceIP.IsValid() {
		made.Source = netip.PrefixFrom(e.SourceIP, e.SourceIP.BitLen())
	}
	made.Class = "hue-none"
	count, _ := e.Detail.(attack.Count)
	if i, _ := state.Lamp(r.Agent, e.Kind, e.Host, count.Key); i >= 0 && i < len(state.Lamps) {
		made.Class, made.Lamp = fmt.Sprintf("lamp-%d", i), state.Lamps[i].Label
	}
	return made
}

// words are what a person wants to know of a detail.
func words(detail attack.Detail) []string {
	switch d := detail.(type) {
	case attack.SSH:
		return filled(d.Reason)
	case attack.HTTP:
		return filled(strings.TrimSpace(d.Method+" "+d.Target), d.Host)
	case attack.Flood:
		return filled(fmt.Sprintf("%s from %s, %s in all", phases[d.Phase], d.Network, plural.Count(d.Requests, "request")), d.Method)
	case attack.Episode:
		text := phases[d.Phase]
		if d.Network.IsValid() {
			text += " from " + d.Network.String()
		}
		return filled(fmt.Sprintf("%s, %s on %d", text, plural.Count(d.Attempts, "attempt"), d.Distinct))
	case attack.Accepted:
		return filled(d.Service, d.Method, d.Reason, d.Fingerprint)
	case attack.Count:
		return filled(d.Key, fmt.Sprint(d.Value))
	case attack.BanInfo:
		return filled(d.Jail)
	case attack.Local:
		return filled(d.Service, d.Target)
	case attack.Service:
		return filled(d.Name, d.Reason)
	}
	return nil
}

var phases = map[attack.Phase]string{attack.PhaseStart: "began", attack.PhaseUpdate: "goes on", attack.PhaseEnd: "ended"}

func filled(texts ...string) (all []string) {
	for _, text := range texts {
		if text != "" {
			all = append(all, text)
		}
	}
	return all
}

// rowsView is a list of events.
type rowsView struct {
	head
	Records []row
	Last    int64 // the newest event's id
}

func (s *Server) rowsOf(h head, state State, records []Record) rowsView {
	rows := rowsView{head: h}
	for _, record := range records {
		rows.Records = append(rows.Records, rowOf(record, state))
		rows.Last = max(rows.Last, record.ID)
	}
	return rows
}

// sourceView is a source with what the owner's database says of it.
type sourceView struct {
	Source
	Place
	Network netip.Prefix
}
