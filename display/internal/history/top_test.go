package history

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Names of every length, with zeros at either end, are ranked as a plain map ranks them.
func TestTallies(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		tallies, plain := newTallies(), map[string]uint64{}
		for range random.IntN(600) {
			name := make([]byte, 1+random.IntN(10))
			for i := range name {
				name[i] = byte(random.IntN(2) * random.IntN(256))
			}
			attempts := uint64(random.IntN(3))
			tallies.addBytes(name, attempts)
			plain[string(name)] += attempts
		}
		var want []Tally
		for name, attempts := range plain {
			if attempts > 0 {
				want = append(want, Tally{name, attempts})
			}
		}
		slices.SortFunc(want, func(a, b Tally) int {
			return cmp.Or(cmp.Compare(b.Attempts, a.Attempts), strings.Compare(a.Name, b.Name))
		})
		for _, limit := range []int{-1, 0, 1, 10, len(want), shortList, shortList + 1, 10_000} {
			if got, want := tallies.list(limit), want[:min(max(limit, 0), len(want))]; !slices.Equal(got, want) {
				t.Fatalf("the first %d are\n%s\nwant\n%s", limit, fmt.Sprint(got), fmt.Sprint(want))
			}
		}
	}
}
