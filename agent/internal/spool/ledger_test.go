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

// Numbers that may have been given before are forgotten once every consumer has gone on beyond the first of them, with numbers
// that were given since.
func TestWhenTheCutIsSettled(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		acked []uint64
		cut   uint64
	}{
		{nil, 5}, {[]uint64{4}, 5}, {[]uint64{5}, 0}, {[]uint64{7}, 0}, {[]uint64{8}, 5}, {[]uint64{7, 4}, 5}, {[]uint64{9, 7}, 5}, {[]uint64{6, 5}, 0},
	} {
		l := ledger{cut: 5}
		for _, acked := range test.acked {
			l.consumers = append(l.consumers, consumer{acked: acked})
		}
		if l.settleCut(8); l.cut != test.cut {
			t.Errorf("8 is due and %d are acknowledged: the cut is at %d, want %d", test.acked, l.cut, test.cut)
		}
	}
}

// What one consumer waits for is not delivered, and without consumers only what every former one had is.
func TestWhatIsDelivered(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		released uint64
		acked    []uint64
		want     uint64
	}{
		{3, nil, 3}, {3, []uint64{7}, 7}, {3, []uint64{7, 5, 9}, 5}, {6, []uint64{7, 5}, 6},
	} {
		l := ledger{released: test.released}
		for _, acked := range test.acked {
			l.consumers = append(l.consumers, consumer{acked: acked})
		}
		if got := l.delivered(); got != test.want {
			t.Errorf("released %d, acknowledged %d: %d are delivered, want %d", test.released, test.acked, got, test.want)
		}
	}
}
