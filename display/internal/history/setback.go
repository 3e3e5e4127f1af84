package history

import (
	"context"
	"time"
)

// A clock that is set back leaves events of one time at two places. The ids from the first to the last
// of such are looked at whatever the lists say.

const setBackFirst, setBackLast = "set back first", "set back last"

func setBack(ctx context.Context, tx querier) ([]idRange, error) {
	r := idRange{1, 0}
	var name string
	var value int64
	err := each(ctx, tx, `SELECT name, value FROM numbers WHERE name IN (?, ?)`, []any{&name, &value}, func() {
		if name == setBackFirst {
			r.first = value
		} else {
			r.last = value
		}
	}, setBackFirst, setBackLast)
	return []idRange{r}, err
}

// arrive notes that events arrive at a time, before they are written.
func (c *change) arrive(at time.Time) error {
	s, now := c.store, at.UnixNano()
	if s.latest == 0 {
		if err := s.each(context.Background(), `SELECT coalesce(max(arrived), 0) FROM (SELECT arrived FROM events ORDER BY id DESC LIMIT 1)`,
			[]any{&s.latest}, func() {}); err != nil {
			return err
		}
	}
	if now >= s.latest {
		s.latest = now
		return nil
	}
	back, err := setBack(context.Background(), s.conn)
	if err != nil {
		return err
	}
	first, err := idAt(context.Background(), s.conn, at.Add(-time.Minute))
	if err != nil {
		return err
	}
	if back[0].first <= back[0].last {
		first = min(first, back[0].first)
	}
	for name, value := range map[string]int64{setBackFirst: first, setBackLast: c.next.last + maxGroup} {
		if err := s.exec(`INSERT INTO numbers (name, value) VALUES (?,?) ON CONFLICT (name) DO UPDATE SET value=excluded.value`, name, value); err != nil {
			return err
		}
	}
	return nil
}

// maxGroup is more events than one batch has.
const maxGroup = 1 << 16
