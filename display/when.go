package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// whenHelp says what --since and --until take.
const whenHelp = "8h, 2d, today, yesterday, 2026-11-20, 2026-11-20T18:04 or a time of RFC 3339"

// parseWhen reads a moment of the past, in the zone of now: so long ago, the beginning of a day, or
// a time.
func parseWhen(text string, now time.Time) (time.Time, error) {
	year, month, day := now.Date()
	midnight := func(day int) time.Time { return time.Date(year, month, day, 0, 0, 0, 0, now.Location()) }
	switch text {
	case "":
		return time.Time{}, nil
	case "now":
		return now, nil
	case "today":
		return midnight(day), nil
	case "yesterday":
		return midnight(day - 1), nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.AddDate(0, 0, -int(n)), nil
		}
	}
	if long, err := time.ParseDuration(text); err == nil && long >= 0 {
		return now.Add(-long), nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateTime} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time: use %s", text, whenHelp)
}
