// Package plural puts numbers before nouns: "1 log", "2 logs", "3 entries".
package plural

import (
	"fmt"
	"strings"
)

// Count writes a number with its noun, which is given for one.
func Count[N ~int | ~uint64 | ~int64](n N, noun string) string {
	return fmt.Sprintf("%d %s", n, Noun(n, noun))
}

// Noun returns a noun as it stands behind a number. The nouns are this project's own; it knows no irregular ones.
func Noun[N ~int | ~uint64 | ~int64](n N, noun string) string {
	stem, y := strings.CutSuffix(noun, "y")
	switch {
	case n == 1:
		return noun
	case y && !strings.HasSuffix(stem, "a"): // a day is no entry
		return stem + "ies"
	case strings.HasSuffix(noun, "s"):
		return noun + "es"
	}
	return noun + "s"
}
