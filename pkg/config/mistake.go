package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Mistake is something in a file that cannot be used, with its place.
type Mistake struct {
	Line, Column int // from 1; a column is a rune
	Problem      string
}

func (m *Mistake) Error() string { return fmt.Sprintf("%d:%d: %s", m.Line, m.Column, m.Problem) }

// inOrder joins mistakes as a reader of the file meets them, below its name.
func inOrder(name string, mistakes []*Mistake) error {
	slices.SortStableFunc(mistakes, func(a, b *Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	var all []error
	for _, m := range mistakes {
		switch {
		case name == "":
			all = append(all, m)
		case m.Line == 0: // it is about what the file does not say
			all = append(all, fmt.Errorf("%s: %s", name, m.Problem))
		default:
			all = append(all, fmt.Errorf("%s:%w", name, m))
		}
	}
	return errors.Join(all...)
}

// Nearest returns the known word that one was meant to be, or nothing if none is near.
func Nearest(word string, known []string) (best string) {
	least := len(word)/3 + 2
	for _, name := range known {
		if n := distance(strings.ToLower(word), name); n < least {
			best, least = name, n
		}
	}
	return best
}

// Meant ends a sentence about an unknown word with the known one that is nearest, or with all if none is near.
func Meant(word string, known []string) string {
	if best := Nearest(word, known); best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	return "; there are " + strings.Join(known, ", ")
}

// distance is how many letters have to be put in, taken out, exchanged or swapped with their
// neighbour to make one word of another (optimal string alignment).
func distance(a, b string) int {
	before, last, row := []int(nil), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, append([]int(nil), last...)
	}
	return last[len(b)]
}

func shorten(text string) string {
	if len(text) > 40 {
		return fmt.Sprintf("%.40q…", text)
	}
	return fmt.Sprintf("%q", text)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
