package main

import (
	"slices"
	"testing"
)

// What means nothing to the caller is left alone: values beside an error, a zero beside
// false, a capacity, and what is deferred.
func TestWhatIsChanged(t *testing.T) {
	for body, want := range map[string][]string{
		"func f() (int, error) { return 7, err }":                                   nil,
		"func f() (int, error) { return 7, errors.New(text) }":                      nil,
		"func f() (int, error) { return 7, nil }":                                   {"7 to 8"},
		"func f() (int, bool) { return 0, false }":                                  nil,
		"func f() (int, bool) { return 1, false }":                                  {"1 to 2"},
		"func f() (int, bool) { return 0, a < b }":                                  {"0 to 1", "< to <="},
		"func f() error { g(func() (int, bool) { return a, b == c }); return err }": {"== to !=", "call dropped"},
		"func f() { g(make([]byte, 1, 2+3)) }":                                      {"1 to 2", "call dropped"},
		"func f() { defer g(1); for a > b { n++; a = b } }":                         {"++ dropped", "> to >=", "assignment dropped"},
	} {
		all, err := inFile([]byte("package p\n" + body))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range all {
			got = append(got, m.what)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}
