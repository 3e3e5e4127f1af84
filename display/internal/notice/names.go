package notice

import (
	"cmp"
	"maps"
	"slices"

	"github.com/pialert/pialert/display/internal/notice/channel"
)

// maxNames bounds the names of one table; the others are counted together.
const maxNames = 64

const others = "others"

// names counts by name. The most frequent ones stay where there are too many.
type names map[string]uint64

func (n names) add(name string, count uint64) {
	if name == "" {
		return
	}
	if _, ok := n[name]; !ok && len(n) >= maxNames {
		least := slices.MinFunc(slices.Collect(maps.Keys(n)), func(a, b string) int {
			if a == others || b == others { // it is never the least
				return cmp.Compare(b2i(a == others), b2i(b == others))
			}
			return cmp.Or(cmp.Compare(n[a], n[b]), cmp.Compare(a, b))
		})
		n[others] += n[least]
		delete(n, least)
	}
	n[name] += count
}

// rows returns the most frequent names, the most first.
func (n names) rows(most int) []channel.Row {
	var rows []channel.Row
	for name, count := range n {
		rows = append(rows, channel.Row{Name: name, Count: count})
	}
	slices.SortFunc(rows, func(a, b channel.Row) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	return rows[:min(most, len(rows))]
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
