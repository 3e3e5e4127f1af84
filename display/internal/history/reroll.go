package history

import (
	"context"
	"fmt"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// reroll makes the roll-ups of what is in the file: of its events, and of totals whose events are
// gone. Rows that are there already are better evidence and stay, if their day adds up.
func (s *store) reroll(now time.Time) error {
	_, ahead := now.Zone()
	for _, step := range steps {
		since := int64(-1 << 62)
		if step.kept > 0 {
			since = now.Add(-step.kept).UnixNano()
		}
		err := s.exec(fmt.Sprintf(`INSERT OR IGNORE INTO rollups (step, start, agent, kind, test, key, events, attempts)
			SELECT %[1]d, ((arrived/1000000000 + %[2]d) / %[1]d) * %[1]d - %[2]d, agent, kind, test,
			CASE kind WHEN ?3 THEN x'' ELSE coalesce(machine, x'') END, count(*), min(sum(count), ?2)
			FROM events WHERE arrived >= ?1 AND sequence > 0 GROUP BY 2, 3, 4, 5, 6`, step.long, ahead), since, int64(maxDay), int64(attack.Counter))
		if err != nil {
			return err
		}
	}
	return s.settleDays(now.Location())
}

// dayRow is what a total and hours are compared by.
type dayRow struct {
	day               int64
	agent, kind, test int64
}

// signed counts what is missing, or too much.
type signed struct{ events, attempts int64 }

// settleDays makes the hours add up to the totals of their days: what is missing is counted at
// midnight, and so is, as a negative number, what the hours have too much: the total counts.
func (s *store) settleDays(zone *time.Location) error {
	ctx := context.Background()
	missing := make(map[dayRow]signed)
	var at dayRow
	var sum signed
	err := s.each(ctx, `SELECT day, agent, kind, test, events, attempts FROM totals`,
		[]any{&at.day, &at.agent, &at.kind, &at.test, &sum.events, &sum.attempts}, func() { missing[at] = sum })
	if err != nil {
		return err
	}
	var start int64
	err = s.each(ctx, `SELECT start, agent, kind, test, sum(events), sum(attempts) FROM rollups WHERE step = ? GROUP BY start, agent, kind, test`,
		[]any{&start, &at.agent, &at.kind, &at.test, &sum.events, &sum.attempts}, func() {
			at.day = 0
			if start != 0 {
				at.day = int64(dayOf(time.Unix(start, 0).In(zone)))
			}
			missing[at] = signed{missing[at].events - sum.events, missing[at].attempts - sum.attempts}
		}, hour)
	if err != nil {
		return err
	}
	for at, left := range missing {
		if left == (signed{}) {
			continue
		}
		row := rolled{step: hour, start: midnight(at.day, zone)}
		err := s.exec(`INSERT INTO rollups (step, start, agent, kind, test, key, events, attempts) VALUES (?,?,?,?,?,x'',?,?)
			ON CONFLICT DO UPDATE SET events=events+excluded.events, attempts=attempts+excluded.attempts`,
			row.step, row.start, at.agent, at.kind, at.test, left.events, left.attempts)
		if err != nil {
			return err
		}
	}
	return nil
}
