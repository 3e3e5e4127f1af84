package notice

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

const failsFor = time.Hour // before a failing channel is reported

// health says how channels fare: one fails of which a message was to be delivered for an hour and none was, be it
// refused, put off or given up; one works that took its last message. What waits does so while the display runs: it may have
// been off, or its clock set.
func (o *outbox) health(ctx context.Context, names []string, now time.Time) (all health, err error) {
	err = o.history.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		all = health{}
		for _, name := range names {
			var delivered, tried, waiting int64 // when the last was, when the last other was tried, and since when others wait
			if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(changed), 0) FROM notices WHERE channel = ? AND state = 'delivered'`, name).Scan(&delivered); err != nil {
				return err
			}
			if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(changed), 0), coalesce(min(since), 0) FROM (
				SELECT changed, created AS since FROM notices WHERE channel = ?1 AND state = 'failed' AND changed > ?2 UNION ALL
				SELECT changed, ?3 - waited FROM notices WHERE channel = ?1 AND state IN ('queued', 'sending') AND changed > ?2)`,
				name, delivered, now.UnixNano()).Scan(&tried, &waiting); err != nil {
				return err
			}
			switch {
			case tried > 0 && now.Sub(time.Unix(0, max(waiting, delivered))) >= failsFor:
				all[name] = fails
			case tried == 0 && delivered > 0:
				all[name] = works
			}
		}
		return nil
	})
	return all, err
}

// Counts says how many messages of a channel stand where.
type Counts struct {
	Channel   string `json:"channel"`
	Queued    int    `json:"queued"` // those that are being sent among them
	Delivered int    `json:"delivered"`
	Failed    int    `json:"failed"`
	Unknown   int    `json:"unknown"` // attempts of which nobody knows whether they arrived

	Answer   string    `json:"answer,omitempty"`  // the service's last one
	Answered time.Time `json:"answered,omitzero"` // when it came
}

// counts counts the messages of the channels, in their order.
func (o *outbox) counts(ctx context.Context, names []string) ([]Counts, error) {
	all := make([]Counts, len(names))
	err := o.history.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for i, name := range names {
			c := Counts{Channel: name}
			if err := tx.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE state IN ('queued', 'sending')),
				count(*) FILTER (WHERE state = 'delivered'), count(*) FILTER (WHERE state = 'failed'), coalesce(sum(unknown), 0)
				FROM notices WHERE channel = ?`, name).Scan(&c.Queued, &c.Delivered, &c.Failed, &c.Unknown); err != nil {
				return err
			}
			var changed int64
			err := tx.QueryRowContext(ctx, `SELECT answer, changed FROM notices WHERE channel = ? AND answer <> '' ORDER BY changed DESC, id DESC LIMIT 1`, name).
				Scan(&c.Answer, &changed)
			switch {
			case err == nil:
				c.Answered = time.Unix(0, changed)
			case !errors.Is(err, sql.ErrNoRows):
				return err
			}
			all[i] = c
		}
		return nil
	})
	return all, err
}
