package history

import (
	"context"
	"database/sql"
	"iter"
	"net/netip"
	"slices"
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

	// Of a correction, whose event has a kind and no count:
	By   int64  // what it added to the total of the agent and the kind
	Note string // the reason that a person gave; empty if it is an event
}

// maxRecords bounds one answer of [History.Recent] and [History.After].
const maxRecords = 1000

// Recent returns the newest events that the filter chooses, the newest first: at most limit,
// and never more than 1000.
func (h *History) Recent(ctx context.Context, limit int, filter Filter) ([]Record, error) {
	return h.read(ctx, limit, filter, " ORDER BY events.id DESC LIMIT ?", slices.All[[]idRange])
}

// Select returns the oldest events that the filter chooses, the oldest first: at most limit, and
// never more than 1000. Who sets the filter's After to the id of the last one reads on.
func (h *History) Select(ctx context.Context, limit int, filter Filter) ([]Record, error) {
	return h.read(ctx, limit, filter, " ORDER BY events.id LIMIT ?", slices.Backward[[]idRange])
}

// read reads events range by range.
func (h *History) read(ctx context.Context, limit int, filter Filter, order string, in func([]idRange) iter.Seq2[int, idRange]) ([]Record, error) {
	limit = min(max(limit, 0), maxRecords)
	var records []Record
	err := h.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		ranges, err := h.lists(tx).ranges(ctx, filter)
		if err != nil {
			return err
		}
		where, args := filter.where()
		for _, r := range in(ranges) {
			more, err := readRecords(ctx, tx, where+" AND events.id BETWEEN ? AND ?"+order, append(slices.Clone(args), r.first, r.last, limit-len(records))...)
			if records = append(records, more...); err != nil || len(records) >= limit {
				return err
			}
		}
		return nil
	})
	return records, err
}

// Newest returns how many events the filter chooses, but no more than most, and the id below the
// oldest of these: [History.Select] after it returns them.
func (h *History) Newest(ctx context.Context, most int, filter Filter) (count int, after int64, err error) {
	err = h.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		ranges, err := h.lists(tx).ranges(ctx, filter)
		if err != nil {
			return err
		}
		where, args := filter.where()
		for _, r := range ranges {
			n, before := 0, int64(0)
			err := each(ctx, tx, `SELECT count(*), coalesce(min(id), 1) - 1 FROM (SELECT id FROM events `+where+` AND events.id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?)`,
				[]any{&n, &before}, func() {}, append(slices.Clone(args), r.first, r.last, most-count)...)
			if n > 0 {
				count, after = count+n, before
			}
			if err != nil || count >= most {
				return err
			}
		}
		return nil
	})
	return count, after, err
}

// After returns committed events, without corrections, with ids above the cursor, the oldest first: at most limit, and
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
	var records []Record
	err := h.View(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		records, err = readRecords(ctx, tx, "WHERE events.id > ? AND sequence > 0 ORDER BY events.id LIMIT ?", cursor, min(max(limit, 0), maxRecords))
		return err
	})
	return records, err
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

// readRecords runs the end of a query for events.
func readRecords(ctx context.Context, tx querier, where string, args ...any) ([]Record, error) {
	var records []Record
	var id, epoch, sequence, arrived, observed, kind, severity, test, count int64
	var logged, port *int64
	var name, rule, host, user, log, machine string
	var source, detail []byte
	err := each(ctx, tx, `SELECT events.id, agents.name, epoch, sequence, arrived, logged, observed, kind, severity, test,
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
			if record, ok := correctionOf(id, name, time.Unix(0, arrived), e.Kind, machine, detail); ok && sequence == 0 {
				records = append(records, record)
				return
			}
			e.SourceIP, _ = netip.AddrFromSlice(source)
			e.Detail, _ = decodeDetail(detail) // a flipped bit in it is no reason to withhold the rest
			records = append(records, Record{ID: id, Agent: name, Epoch: uint64(epoch), Sequence: uint64(sequence), Arrived: time.Unix(0, arrived), Event: e})
		}, args...)
	return records, err
}

// correctionOf makes a record of a correction's row.
func correctionOf(id int64, agent string, arrived time.Time, kind attack.Kind, host string, detail []byte) (Record, bool) {
	by, reason, ok := decodeCorrection(detail)
	return Record{ID: id, Agent: agent, Arrived: arrived, Event: attack.Event{Kind: kind, Observed: arrived, Host: host}, By: by, Note: reason}, ok
}
