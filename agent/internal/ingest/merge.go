package ingest

import (
	"net/netip"

	"github.com/pialert/pialert/pkg/attack"
)

// mergeMost bounds the attempts of a merged event, far below what a display takes for absurd.
const mergeMost = 1_000_000

// merge joins the events that are alike: of the same kind, source, user, rule and log, within
// the same quarter of an hour, so that no day or hour gets another's counts in any time zone. The
// first of them stays, with the sum of the counts, and stands where it stood. Of web requests,
// which a scanner varies endlessly, the first target and user agent stand for all.
//
// Only what is counted in attempts or visits is joined: floods, bans and tests say something each
// time. An event stands for up to a million attempts, unless it did for more before. merge is for
// bursts, as each event is a sweep of its own on the display. It works in place: events is not to
// be used afterwards.
func merge(events []attack.Event) []attack.Event {
	seen := make(map[likeness]int, len(events)/4)
	merged := events[:0]
	for i := range events {
		e := &events[i]
		if !e.Kind.Attempt() && e.Kind != attack.Visit || e.Test {
			merged = append(merged, *e)
			continue
		}
		key := like(e)
		if at, ok := seen[key]; ok && merged[at].Count+e.Count <= mergeMost {
			merged[at].Count += e.Count
			continue
		}
		seen[key] = len(merged)
		merged = append(merged, *e)
	}
	clear(events[len(merged):])
	return merged
}

// likeness is what events have in common that are merged.
type likeness struct {
	kind     attack.Kind
	severity attack.Severity
	rule     string
	ip       netip.Addr
	host     string
	user     string
	machine  string
	log      string
	quarter  int64
	detail   attack.Detail // all details are comparable
}

func like(e *attack.Event) likeness {
	when := e.Logged
	if when.IsZero() {
		when = e.Observed
	}
	detail := e.Detail
	if d, ok := detail.(attack.HTTP); ok {
		detail = attack.HTTP{Method: d.Method, Host: d.Host}
	}
	return likeness{
		kind: e.Kind, severity: e.Severity, rule: e.Rule, ip: e.SourceIP, host: e.SourceHost,
		user: e.User, machine: e.Host, log: e.Log, quarter: when.Unix() / 900, detail: detail,
	}
}
