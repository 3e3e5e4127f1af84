package history

import (
	"context"
	"strings"

	sqlitelib "modernc.org/sqlite/lib"
)

// maxOthers bounds the rows that are carried over of each table that is no event's.
const maxOthers = 1 << 20

// ownTables are the tables of the history itself.
const ownTables = `'agents','marks','totals','events','numbers','rollups','named','lists','stored'`

// copyOthers carries the tables that [History.Update] made over to a new file, as far as they can
// be read. It fails only if it cannot write.
func copyOthers(from, to *store) error {
	ctx := context.Background()
	definitions := map[string]string{}
	var name, definition string
	// The errors say what is known already: the file is damaged.
	_ = from.each(ctx, `SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'
		AND name NOT IN (`+ownTables+`) AND sql LIKE 'CREATE TABLE %'`,
		[]any{&name, &definition}, func() { definitions[name] = definition })
	for name, definition := range definitions {
		if to.exec(definition) != nil {
			continue // a flipped bit in it
		}
		if err := copyTable(from, to, `"`+strings.ReplaceAll(name, `"`, `""`)+`"`); err != nil {
			return err
		}
	}
	return nil
}

// copyTable copies rows until the first that cannot be read.
func copyTable(from, to *store, table string) error {
	rows, err := from.conn.QueryContext(context.Background(), "SELECT * FROM "+table+" LIMIT ?", maxOthers)
	if err != nil {
		return nil //nolint:nilerr // the table cannot be read
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil || len(columns) == 0 {
		return nil //nolint:nilerr // the same
	}
	row, targets := make([]any, len(columns)), make([]any, len(columns))
	for i := range row {
		targets[i] = &row[i]
	}
	insert := "INSERT OR IGNORE INTO " + table + " VALUES (?" + strings.Repeat(",?", len(columns)-1) + ")"
	for rows.Next() && rows.Scan(targets...) == nil {
		switch err := to.exec(insert, row...); resultCode(err) {
		case sqlitelib.SQLITE_FULL, sqlitelib.SQLITE_IOERR:
			return err
		}
	}
	return nil
}
