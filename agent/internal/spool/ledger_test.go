package spool

import (
	"slices"
	"testing"
)

func TestLoseCountsEachNumberOnce(t *testing.T) {
	t.Parallel()
	l := ledger{released: 10}
	for _, step := range []struct {
		name               string
		first, last        uint64
		attempts           uint64
		events, altogether uint64
		gaps               []gap
	}{
		{"delivered already", 1, 10, 5, 0, 0, nil},
		{"partly delivered", 5, 12, 3, 2, 3, []gap{{11, 12, 3}}},
		{"again", 11, 12, 3, 2, 3, []gap{{11, 12, 3}}},
		{"further on", 20, 29, 7, 12, 10, []gap{{11, 12, 3}, {20, 29, 7}}},
		{"around both", 11, 30, 0, 20, 10, []gap{{11, 30, 10}}},
		{"next to it", 31, 31, 1, 21, 11, []gap{{11, 31, 11}}},
	} {
		l.lose(step.first, step.last, step.attempts)
		if l.lost != (Loss{step.events, step.altogether}) || !slices.Equal(l.gaps, step.gaps) {
			t.Errorf("%s: lost %+v with gaps %v, want %d and %d with %v", step.name, l.lost, l.gaps,
				step.events, step.altogether, step.gaps)
		}
	}
	for n := uint64(100); n < 100+4*maxGaps; n += 2 {
		l.lose(n, n, 0)
	}
	if len(l.gaps) != maxGaps || l.gaps[maxGaps-1].last != 98+4*maxGaps {
		t.Errorf("%d gaps, the last %v", len(l.gaps), l.gaps[len(l.gaps)-1])
	}
}
