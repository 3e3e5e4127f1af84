package spool

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
)

// What is found to be damaged is noted once, until the next commit counts it as lost, and no more than the
// ledger can say: gaps that nobody can tell of any more are not kept.
func TestDamageIsNotedOnce(t *testing.T) {
	t.Parallel()
	s := open(t, Options{Dir: t.TempDir()})
	noted := func(want int) {
		t.Helper()
		if len(s.missing) != want {
			t.Errorf("%d gaps are noted, want %d: %v", len(s.missing), want, s.missing)
		}
	}
	s.miss(5, 4) // nothing
	noted(0)
	s.miss(5, 7)
	s.miss(5, 7)
	s.miss(6, 6)
	noted(1)
	s.miss(7, 8) // more than that
	noted(2)
	s.miss(9, 9) // one event alone
	noted(3)
	s.missing = nil
	s.ledger.lose(5, 9, 0)
	s.miss(6, 8) // known to be lost
	noted(0)
	for n := range uint64(maxGaps + 10) {
		s.miss(100+2*n, 100+2*n)
	}
	noted(maxGaps)
}

// More damage than the ledger has gaps for is counted when the spool is opened, and not again with the next commit.
func TestMuchDamageIsCountedOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Options{Dir: dir})
	for n := range 4 * maxGaps {
		commit(t, s, eventsFrom(100+n, 1), nil)
	}
	path := s.segments[0].path
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n < 4*maxGaps-1; n += 2 { // every second one, but for the last
		copy(data[bytes.Index(data, fmt.Appendf(nil, "user-%d", 100+n)):], "USER")
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s = open(t, Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for range 2 {
		if events, _ := s.Dropped(); events != 2*maxGaps-1 {
			t.Errorf("%d events are counted as lost, want %d", events, 2*maxGaps-1)
		}
		commit(t, s, nil, nil)
	}
	if want := fmt.Sprintf(`msg="events in the spool were lost with the damage" events=%d`, 2*maxGaps-1); strings.Count(log.String(), want) != 1 {
		t.Errorf("the log says\n%s, want once %s", &log, want)
	}
}
