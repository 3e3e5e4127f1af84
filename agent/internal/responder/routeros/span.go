package routeros

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// formatSpan writes a span as routers do, such as 1w2d3h4m5s, rounded up to seconds.
func formatSpan(d time.Duration) string {
	s := int64((d + time.Second - 1) / time.Second)
	var b strings.Builder
	for _, unit := range units {
		if n := s / unit.seconds; n > 0 {
			fmt.Fprintf(&b, "%d%c", n, unit.letter)
			s %= unit.seconds
		}
	}
	if b.Len() == 0 {
		return "1s" // none is for ever
	}
	return b.String()
}

var units = []struct {
	letter  byte
	seconds int64
}{{'w', 7 * 24 * 3600}, {'d', 24 * 3600}, {'h', 3600}, {'m', 60}, {'s', 1}}

// parseSpan reads 1w2d3h4m5s, and 1w2d03:04:05 as other versions write it.
func parseSpan(text string) (time.Duration, bool) {
	total, rest := int64(0), text
	for _, unit := range units {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if digits == 0 || digits > 9 || digits == len(rest) || rest[digits] != unit.letter {
			continue
		}
		n, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil {
			return 0, false
		}
		total, rest = total+n*unit.seconds, rest[digits+1:]
	}
	if clock := strings.Split(rest, ":"); len(clock) == 3 {
		for i, seconds := range []int64{3600, 60, 1} {
			n, err := strconv.ParseUint(clock[i], 10, 16)
			if err != nil {
				return 0, false
			}
			total += int64(n) * seconds
		}
		rest = ""
	}
	return time.Duration(total) * time.Second, rest == "" && text != "" && total < 1<<31
}
