package history

import (
	"context"
	"net/netip"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Record is one stored event.
type Record struct {
	ID       int64 // rises with arrival, and is never given twice
	Agent    string
	Epoch    uint64
	Sequence uint64
	Arrived  time.Time
	Event    attack.Event
}

// Filter chooses events; its zero value chooses all.
type Filter struct {
	Agent  string
	Kind   attack.Kind
	Before int64 // only ids below it, to turn pages; 0 begins with the newest
}

// maxRecords bounds one answer of [History.Recent] and [History.After].
const maxRecords = 1000

// Recent returns the newest events that the filter chooses, the newest first: at most limit,
// and never more than 1000.
func (h *History) Recent(ctx context.Context, limit int, filter Filter) ([]Record, error) {
	where, args := "WHERE TRUE", []any(nil)
	if filter.Agent != "" {
		where, args = where+" AND agents.name = ?", append(args, filter.Agent)
	}
	if filter.Kind != 0 {
		where, args = where+" AND kind = ?", append(args, int64(filter.Kind))
	}
	if filter.Before != 0 {
		where, args = where+" AND events.id < ?", append(args, filter.Before)
	}
	return h.records(ctx, where+" ORDER BY events.id DESC LIMIT ?", append(args, min(max(limit, 0), maxRecords))...)
}

// After returns committed events with ids above the cursor, the oldest first: at most limit, and
// never more than 1000. Whoever reads on from the id of the last one sees every event once, in
// the order of arrival, but for those that were deleted before it came. It reads beside the
// commits: a slow reader holds up nobody.
//
//	for {
//		changed := h.Changed() // before the look, so that no commit falls between
//		records, err := h.After(ctx, cursor, 500)
//		...
//		if len(records) == 0 {
//			<-changed
//		}
//	}
func (h *History) After(ctx context.Context, cursor int64, limit int) ([]Record, error) {
	return h.records(ctx, "WHERE events.id > ? ORDER BY events.id LIMIT ?", cursor, min(max(limit, 0), maxRecords))
}

// Last returns the id of the last event that was committed, 0 if there was none: the cursor of who
// wants to read what comes from now on. A cursor above it is of another history.
func (h *History) Last() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.known.last
}

// Changed returns a channel that is closed at the next commit of events.
func (h *History) Changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.changed == nil {
		h.changed = make(chan struct{})
	}
	return h.changed
}

// records runs the end of a query for events.
func (h *History) records(ctx context.Context, where string, args ...any) ([]Record, error) {
	var records []Record
	var id, epoch, sequence, arrived, observed, kind, severity, test, count int64
	var logged, port *int64
	var name, rule, host, user, log, machine string
	var source, detail []byte
	err := h.query(ctx, `SELECT events.id, agents.name, epoch, sequence, arrived, logged, observed, kind, severity, test,
		count, coalesce(rule,''), source, coalesce(host,''), port, coalesce(user,''), coalesce(log,''), detail, coalesce(machine,'')
		FROM events JOIN agents ON agents.id = events.agent `+where,
		[]any{&id, &name, &epoch, &sequence, &arrived, &logged, &observed, &kind, &severity, &test,
			&count, &rule, &source, &host, &port, &user, &log, &detail, &machine}, func() {
			e := attack.Event{
				Kind: attack.StoredKind(kind), Severity: attack.Severity(severity), Rule: rule,
				Observed: time.Unix(0, observed).UTC(), SourceHost: host, User: user,
				Count: uint64(count), Test: test != 0, Host: machine, Log: log,
			}
			if logged != nil {
				e.Logged = time.Unix(0, *logged).UTC()
			}
			if port != nil {
				e.SourcePort = uint16(*port)
			}
			e.SourceIP, _ = netip.AddrFromSlice(source)
			e.Detail, _ = decodeDetail(detail) // a flipped bit in it is no reason to withhold the rest
			records = append(records, Record{id, name, uint64(epoch), uint64(sequence), time.Unix(0, arrived), e})
		}, args...)
	return records, err
}
