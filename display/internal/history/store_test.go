package history

import (
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// A transaction whose work fails leaves nothing, and the next one goes on.
func TestAFailedTransactionIsRolledBack(t *testing.T) {
	t.Parallel()
	s, err := openStore(filepath.Join(t.TempDir(), "history.db"), time.Unix(1_790_000_000, 0), listBytes(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	add := func(name string) error {
		return s.exec(`INSERT INTO numbers (name, value) VALUES (?, 1)`, name)
	}
	broken := errors.New("broken")
	if err := s.transaction(func() error { return errors.Join(add("lost"), broken) }); !errors.Is(err, broken) {
		t.Errorf("error %v, want that of the work", err)
	}
	if err := s.transaction(func() error { return add("kept") }); err != nil {
		t.Fatal(err)
	}
	if lost, err := s.number(`SELECT count(*) FROM numbers WHERE name = 'lost'`); lost != 0 || err != nil {
		t.Errorf("%d rows of the failed one are there, error %v", lost, err)
	}
	if kept, err := s.number(`SELECT count(*) FROM numbers WHERE name = 'kept'`); kept != 1 || err != nil {
		t.Errorf("%d rows of the next one are there, error %v", kept, err)
	}
}
