package history

import (
	"context"
	"strings"
	"time"

	sqlitelib "modernc.org/sqlite/lib"

	"github.com/pialert/pialert/pkg/attack"
)

// eventColumns are the columns of an event in the order in which they are copied.
const eventColumns = `id, agent, epoch, sequence, arrived, logged, observed, kind, severity, test, count,
	rule, source, host, port, user, log, detail, machine`

// events copies the events that can be read, from the oldest on. Behind an unreadable page it
// tries again at twice the distance each time.
func (s *salvaged) events(from, to *store, deadline time.Time) error {
	const chunk = 500
	columns := eventColumns
	if n, err := from.number(`SELECT count(*) FROM pragma_table_info('events') WHERE name = 'machine'`); err == nil && n == 0 {
		columns = strings.TrimSuffix(columns, "machine") + "NULL"
	}
	var row [19]any
	targets := make([]any, len(row))
	for i := range row {
		targets[i] = &row[i]
	}
	insert := `INSERT OR IGNORE INTO events (` + eventColumns + `) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`
	after, skip := int64(0), int64(1)
	for time.Now().Before(deadline) && skip < 1<<40 {
		read := 0
		var writeErr error
		readErr := from.each(context.Background(), `SELECT `+columns+` FROM events WHERE id > ? ORDER BY id LIMIT ?`, targets, func() {
			id, ok := row[0].(int64)
			if !ok || writeErr != nil {
				return
			}
			read, after = read+1, max(after, id)
			if !s.admit(&row) {
				return
			}
			// The new tables are STRICT, so a value whose type damage changed is refused.
			if err := to.exec(insert, row[:]...); err == nil {
				s.copied++
				s.last = max(s.last, id)
			} else if resultCode(err) != sqlitelib.SQLITE_CONSTRAINT {
				writeErr = err
			}
		}, after, chunk)
		switch {
		case writeErr != nil:
			return writeErr
		case readErr == nil && read < chunk:
			return nil
		case readErr == nil:
			skip = 1
		default:
			after, skip = after+skip, 2*skip
		}
	}
	return nil
}

// admit takes note of an event's number and count, and says whether its row can be kept.
func (s *salvaged) admit(row *[19]any) bool {
	id, _ := row[1].(int64)
	epoch, isEpoch := row[2].(int64)
	sequence, _ := row[3].(int64)
	kind, _ := row[7].(int64)
	test, isTest := row[9].(int64)
	count, isCount := row[10].(int64)
	name, ok := s.names[id]
	if detail, _ := row[17].([]byte); ok && sequence == 0 && len(detail) > 0 && detail[0] == correctionDetail {
		return true
	}
	if !ok || !isEpoch || !isTest || !isCount || sequence <= 0 || sequence > MaxSequence ||
		!attack.StoredKind(kind).Valid() || count < 0 || count > attack.MaxCount {
		return false
	}
	at := stream{name, uint64(epoch)}
	if m, ok := s.marks[at]; ok && uint64(sequence) > m.committed {
		return false
	}
	if _, ok := s.lastSeen[at]; ok || len(s.lastSeen) < MaxAgents*maxEpochs {
		s.lastSeen[at] = mark{committed: max(s.lastSeen[at].committed, uint64(sequence))}
	}
	to := totalKey{name, attack.StoredKind(kind), test != 0}
	s.sumSeen[to] = s.sumSeen[to].plus(Sum{Events: 1, Attempts: uint64(count)})
	return true
}
