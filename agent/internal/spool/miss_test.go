package spool

import "testing"

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
