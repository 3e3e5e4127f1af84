package notice

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/pialert/pialert/display/internal/notice/channel"
)

// maxUnknown is how often a message is sent again though it may have arrived.
const maxUnknown = 1

// State says where a message in the outbox stands.
type State string

// The states. A message begins queued, is sending from when it is handed over until its service answers, and ends delivered or
// failed.
const (
	Queued    State = "queued"
	Sending   State = "sending"
	Delivered State = "delivered"
	Failed    State = "failed"
)

// Bounds of what the outbox keeps of messages that are through.
const (
	keepEntries = 10_000
	keepFor     = 30 * 24 * time.Hour
)

// schema holds the outbox, and what the rules remember beside the cursor that it belongs to. Times
// are nanoseconds since 1970.
const schema = `
CREATE TABLE IF NOT EXISTS notices (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	channel  TEXT NOT NULL,
	state    TEXT NOT NULL,
	created  INTEGER NOT NULL,
	attempts INTEGER NOT NULL, -- those that a service's asking to wait did not end
	unknown  INTEGER NOT NULL, -- attempts of which nobody knows whether they arrived
	next     INTEGER NOT NULL, -- time of the next attempt
	changed  INTEGER NOT NULL,
	answer   TEXT NOT NULL,
	message  BLOB NOT NULL,
	waited   INTEGER NOT NULL DEFAULT 0 -- nanoseconds that the display ran while it was queued
) STRICT;
CREATE INDEX IF NOT EXISTS notices_waiting ON notices (state, channel, next);
CREATE INDEX IF NOT EXISTS notices_health ON notices (channel, state, changed, created);
CREATE TABLE IF NOT EXISTS notice_state (
	one    INTEGER PRIMARY KEY CHECK (one = 1),
	cursor INTEGER NOT NULL,
	rules  BLOB NOT NULL
) STRICT;`

// Entry is one message in the outbox.
type Entry struct {
	ID       int64     `json:"id"`
	Channel  string    `json:"channel"`
	State    State     `json:"state"`
	Created  time.Time `json:"created"`
	Attempts int       `json:"attempts"`
	Unknown  int       `json:"unknown,omitempty"` // attempts of which nobody knows whether they arrived
	Next     time.Time `json:"next,omitzero"`     // of the next attempt, while queued
	Changed  time.Time `json:"changed"`
	Answer   string    `json:"answer,omitempty"` // the service's last one
	Subject  string    `json:"subject"`

	message channel.Message
}

// outbox keeps messages until they are through.
type outbox struct {
	history History
	daily   int
	keep    time.Duration
	zone    *time.Location
}

// open makes the tables, and returns the cursor and what the rules remember as JSON; the cursor is
// below 0 where nothing was kept. Messages that a crash left sending are queued again: nobody knows whether
// they arrived. Those of which that was so before are given up, and counted.
func (o *outbox) open(ctx context.Context) (cursor int64, rules []byte, givenUp int64, err error) {
	cursor = -1
	err = o.history.Update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, schema); err != nil {
			return err
		}
		if err := upgrade(ctx, tx); err != nil {
			return err
		}
		crashed := func(state, which string) (int64, error) {
			result, err := tx.ExecContext(ctx, `UPDATE notices SET unknown = unknown + 1, state = ?,
				answer = 'it may or may not have arrived: the display ended meanwhile' WHERE state = 'sending' AND unknown `+which, state, maxUnknown)
			if err != nil {
				return 0, err
			}
			return result.RowsAffected()
		}
		var err error
		if givenUp, err = crashed("failed", ">= ?"); err != nil {
			return err
		}
		if _, err = crashed("queued", "< ?"); err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `SELECT cursor, rules FROM notice_state`).Scan(&cursor, &rules)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return cursor, rules, givenUp, err
}

// upgrade adds what the table of an earlier version lacks.
func upgrade(ctx context.Context, tx *sql.Tx) error {
	var has bool
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM pragma_table_info('notices') WHERE name = 'waited'`).Scan(&has)
	if err == nil && !has {
		_, err = tx.ExecContext(ctx, `ALTER TABLE notices ADD COLUMN waited INTEGER NOT NULL DEFAULT 0`)
	}
	return err
}

// save writes the cursor, what the rules remember, and new messages, all or nothing. It returns how
// many messages the daily bound of their channel kept out.
func (o *outbox) save(ctx context.Context, cursor int64, rules []byte, messages []planned, now time.Time) (capped map[string]int, err error) {
	err = o.history.Update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		capped = map[string]int{}
		for _, one := range messages {
			for _, to := range one.to {
				ok, err := o.insert(ctx, tx, to, one.message, now)
				if err != nil {
					return err
				}
				if !ok {
					capped[to]++
				}
			}
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM notices WHERE state IN ('delivered', 'failed')
			AND (changed < ? OR id <= (SELECT max(id) FROM notices) - ?)`, now.Add(-keepFor).UnixNano(), keepEntries); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO notice_state (one, cursor, rules) VALUES (1, ?, ?)
			ON CONFLICT (one) DO UPDATE SET cursor = excluded.cursor, rules = excluded.rules`, cursor, rules)
		return err
	})
	return capped, err
}

// insert queues a message unless its channel has had its share of the day.
func (o *outbox) insert(ctx context.Context, tx *sql.Tx, to string, m channel.Message, now time.Time) (bool, error) {
	local := now.In(o.zone)
	midnight := Clock(0).on(local)
	var today int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM notices WHERE channel = ? AND created >= ? AND created <= ?`,
		to, midnight.UnixNano(), now.UnixNano()).Scan(&today); err != nil {
		return false, err
	}
	if today >= o.daily {
		return false, nil
	}
	if today == o.daily-1 {
		m.Lines = append(m.Lines, fmt.Sprintf("This is the last notice of the day by %s: its bound is %d.", to, o.daily))
	}
	text, err := json.Marshal(m)
	if err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO notices (channel, state, created, attempts, unknown, next, changed, answer, message)
		VALUES (?, 'queued', ?, 0, 0, ?, ?, '', ?)`, to, now.UnixNano(), now.UnixNano(), now.UnixNano(), text)
	return err == nil, err
}

// age tells what waits that the display ran for so long, and gives up what has waited for as long as it is kept: also
// that of a channel which could not be opened, or is no more. A clock that is set makes no difference. A power cut may undo it.
func (o *outbox) age(ctx context.Context, ran time.Duration, now time.Time) (givenUp int64, err error) {
	err = o.history.Note(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE notices SET waited = waited + ? WHERE state = 'queued'`, ran); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `UPDATE notices SET state = 'failed', changed = ?, answer = 'given up: ' || coalesce(nullif(answer, ''), 'there is no such channel')
			WHERE state = 'queued' AND waited >= ?`, now.UnixNano(), o.keep)
		if err == nil {
			givenUp, err = result.RowsAffected()
		}
		return err
	})
	return givenUp, err
}

const columns = `SELECT id, channel, state, created, attempts, unknown, next, changed, answer, message FROM notices `

// read returns entries.
func (o *outbox) read(ctx context.Context, where string, args ...any) (all []Entry, err error) {
	err = o.history.View(ctx, func(ctx context.Context, tx *sql.Tx) error {
		all = nil
		rows, err := tx.QueryContext(ctx, columns+where, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var e Entry
			var created, next, changed int64
			var text []byte
			if err := rows.Scan(&e.ID, &e.Channel, &e.State, &created, &e.Attempts, &e.Unknown, &next, &changed, &e.Answer, &text); err != nil {
				return err
			}
			if err := json.Unmarshal(text, &e.message); err != nil {
				e.message = channel.Message{Subject: "a message of another version"}
			}
			e.message.ID = fmt.Sprintf("notice%d", e.ID)
			e.Created, e.Changed, e.Subject = time.Unix(0, created), time.Unix(0, changed), e.message.Subject
			if e.State == Queued {
				e.Next = time.Unix(0, next)
			}
			all = append(all, e)
		}
		return rows.Err()
	})
	return all, err
}

// next returns the message that a channel has to send first.
func (o *outbox) next(ctx context.Context, name string) (Entry, bool, error) {
	all, err := o.read(ctx, `WHERE channel = ? AND state = 'queued' ORDER BY next, id LIMIT 1`, name)
	if err != nil || len(all) == 0 {
		return Entry{}, false, err
	}
	return all[0], true, nil
}

// handOver notes that a message is about to be handed over. It does not wait for the disk: a kill meanwhile would find the note
// made and nothing handed over. A power cut may undo it, and the message is sent again all the same.
func (o *outbox) handOver(ctx context.Context, id int64, now time.Time) error {
	return o.history.Note(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE notices SET state = 'sending', changed = ? WHERE id = ?`, now.UnixNano(), id)
		return err
	})
}

// settled sets what became of a message.
func (o *outbox) settled(ctx context.Context, e Entry, now time.Time) error {
	return o.history.Update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE notices SET state = ?, attempts = ?, unknown = ?, next = ?, changed = ?, answer = ? WHERE id = ?`,
			e.State, e.Attempts, e.Unknown, e.Next.UnixNano(), now.UnixNano(), e.Answer, e.ID)
		return err
	})
}

// errNoEntry says that an id is of no message that could be sent again.
var errNoEntry = errors.New("no failed or waiting notice has this id: see pialert-display notices list")

// retry queues a message that failed, or that waits for its next attempt, for now.
func (o *outbox) retry(ctx context.Context, id int64, now time.Time) error {
	var found int64
	err := o.history.Update(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE notices SET state = 'queued', attempts = 0, unknown = 0, waited = 0, created = ?, next = ?, changed = ?
			WHERE id = ? AND state IN ('failed', 'queued')`, now.UnixNano(), now.UnixNano(), now.UnixNano(), id)
		if err != nil {
			return err
		}
		found, err = result.RowsAffected()
		return err
	})
	if err == nil && found == 0 {
		return errNoEntry
	}
	return err
}
