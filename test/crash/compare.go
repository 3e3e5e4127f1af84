package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the display's history is an SQLite file

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/pkg/attack"
)

// compare waits until the display has counted all that was written, stops both programs, and
// looks every number up in the history. It returns the display's total.
func compare(ctx context.Context, v *victims, written uint64) (counted uint64, err error) {
	settling, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	var wrong error
	err = program.Poll(settling, func() error {
		status, err := v.pair.DisplayStatus(settling)
		if err != nil {
			return err
		}
		counted = status.Kinds[attack.SSHLogin]
		if counted < written {
			return fmt.Errorf("%d of %d are counted", counted, written)
		}
		if counted != written || status.Total != written || status.Lit() != written {
			wrong = fmt.Errorf("%d were written, the kind's total is %d, the grand total %d, the lamps' %d",
				written, counted, status.Total, status.Lit())
		}
		return nil
	})
	err = errors.Join(err, wrong)
	// The agent first: what it still has to tell, it tells before it goes.
	err = errors.Join(err, v.agent.Stop(settling), v.display.Stop(settling))
	return counted, errors.Join(err, lookUp(ctx, filepath.Join(v.pair.Dir, "display", "history.db"), written))
}

// lookUp returns an error that names the numbers which the history does not hold exactly once.
func lookUp(ctx context.Context, path string, written uint64) error {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, "SELECT user, sum(count) FROM events WHERE kind = ? GROUP BY user", int64(attack.SSHLogin))
	if err != nil {
		return fmt.Errorf("cannot read the history: %w", err)
	}
	defer rows.Close()
	times := make(map[string]uint64)
	for rows.Next() {
		var user []byte
		var count uint64
		if err := rows.Scan(&user, &count); err != nil {
			return fmt.Errorf("cannot read the history: %w", err)
		}
		times[string(user)] = count
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("cannot read the history: %w", err)
	}
	var wrong []string
	for n := uint64(1); n <= written; n++ {
		if got := times[userOf(n)]; got != 1 {
			wrong = append(wrong, fmt.Sprintf("%s %d times", userOf(n), got))
		}
		delete(times, userOf(n))
	}
	for user, count := range times {
		wrong = append(wrong, fmt.Sprintf("%q, which was never written, %d times", user, count))
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("the history holds %d numbers wrongly: %s", len(wrong), strings.Join(wrong[:min(len(wrong), 20)], ", "))
}
