package history

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// pragmas, in an order that matters. Automatic vacuum must be chosen before the first page is
// written, and would write to a file that has some, which may stand on a full disk.
var pragmas = [...]string{
	"busy_timeout=1000",
	autoVacuum,
	"journal_mode=WAL",
	"synchronous=FULL",
	"journal_size_limit=4194304",
	"cache_size=-1024",
	"temp_store=MEMORY",
	"trusted_schema=OFF",
	"cell_size_check=ON",
}

const autoVacuum = "auto_vacuum=INCREMENTAL"

// alone is the pragma of a connection that nobody can read beside: set before WAL, it keeps the
// WAL's index in memory instead of in a file (https://sqlite.org/wal.html#noshm), so that a disk
// that is full at the start can still be read.
const alone = "locking_mode=EXCLUSIVE"

// openStore opens or creates the file and its tables. now, in the history's zone, is when a file of
// an earlier version is upgraded, of which progress is told if it is not nil; lists of names take so many bytes.
func openStore(path string, now time.Time, lists int, progress Progress) (*store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	s, err := openWith(path, now, lists, progress, pragmas[:])
	if noRoom(err) {
		return openWith(path, now, lists, progress, append([]string{pragmas[0], alone}, pragmas[1:]...))
	}
	if err != nil {
		return nil, err
	}
	if s.readers, err = openReaders(path); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func openWith(path string, now time.Time, lists int, progress Progress, pragmas []string) (*store, error) {
	s, err := connect(path)
	if err != nil {
		return nil, err
	}
	s.listBytes, s.progress = lists, progress
	err = s.prepare(pragmas, now)
	if err == nil {
		s.file, err = os.Stat(path)
		s.wal, _ = os.Stat(path + "-wal")
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *store) prepare(pragmas []string, now time.Time) error {
	for _, pragma := range pragmas {
		if pragma == autoVacuum {
			if pages, err := s.number("PRAGMA page_count"); err != nil || pages > 0 {
				continue // an error here is met again by the next pragma
			}
		}
		if err := s.exec("PRAGMA " + pragma); err != nil {
			return err
		}
	}
	found, err := s.number("PRAGMA user_version")
	if err != nil {
		return err
	}
	if found < 0 || found > version {
		return fmt.Errorf("a later version of this program made it (format %d, this program knows %d); install that version", found, version)
	}
	for v := found; v < version; v++ {
		err := s.transaction(func() error {
			err := s.exec(fmt.Sprintf("%s PRAGMA user_version=%d", upgrades[v], v+1))
			switch {
			case err == nil && v == 6:
				err = s.fillNames(now)
			case err == nil && v == 7:
				err = s.takeRollups(now)
			case err == nil && v == 8:
				err = s.makeMonths(now)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := errors.Join(s.nameKinds(), s.pruneMarks(), s.loadListed(now.Location()), s.followZone(now)); err != nil {
		return err
	}
	s.insert, err = s.conn.PrepareContext(context.Background(), `INSERT INTO events
		(id, agent, epoch, sequence, arrived, logged, observed, kind, severity, test, count, rule, source, host, port, user, log, detail, machine)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`)
	return err
}
