package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// changesOf returns what can be changed in a source, in the order of a seed.
func changesOf(t *testing.T, source string, seed uint64) (order []string) {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "door.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := mutations(root, &target{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range shuffled(all, seed) {
		order = append(order, m.identity())
	}
	return order
}

const (
	door = `
func open(key, lock int) bool {
	if key == lock && key == lock {
		return true
	}
	return key > 3 || lock < 5
}
`
	bell = `
func ring(n int) bool { return n+1 > 7 }
`
)

// What a commit adds takes its places between the changes that were possible before, which keep
// their order; so it is known of nearly all of a sample what became of it before.
func TestCodeThatComesLeavesTheOrderOfTheRest(t *testing.T) {
	for seed := range uint64(20) {
		before := changesOf(t, "package door\n"+door, seed)
		after := changesOf(t, "package door\n"+bell+door, seed)
		rest := slices.DeleteFunc(slices.Clone(after), func(id string) bool { return !slices.Contains(before, id) })
		if len(after) == len(before) || !slices.Equal(rest, before) {
			t.Errorf("seed %d: %q became %q", seed, before, after)
		}
	}
}

// Two equal comparisons of one line are two changes.
func TestChangesOfOneLineAreTold(t *testing.T) {
	all := changesOf(t, "package door\n"+door, 1)
	slices.Sort(all)
	if distinct := slices.Compact(slices.Clone(all)); len(distinct) != len(all) {
		t.Errorf("%d of %d changes have a name of their own: %q", len(distinct), len(all), all)
	}
}

// Another seed tries others first.
func TestASeedDrawsTheOrder(t *testing.T) {
	source := "package door\n" + door
	if one, other := changesOf(t, source, 1), changesOf(t, source, 2); slices.Equal(one, other) {
		t.Errorf("seeds 1 and 2 both give %q", one)
	}
}
