package main

import (
	"testing"
	"time"
)

func TestParseWhen(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 10, 25, 12, 30, 0, 0, zone) // a day of 25 hours
	for text, want := range map[string]string{
		"8h":                   "2026-10-25T04:30:00+01:00",
		"90m":                  "2026-10-25T11:00:00+01:00",
		"2d":                   "2026-10-23T12:30:00+02:00",
		"today":                "2026-10-25T00:00:00+02:00",
		"yesterday":            "2026-10-24T00:00:00+02:00",
		"2026-03-01":           "2026-03-01T00:00:00+01:00",
		"2026-07-01T18:04":     "2026-07-01T18:04:00+02:00",
		"2026-07-01 18:04:09":  "2026-07-01T18:04:09+02:00",
		"2026-07-01T18:04:09Z": "2026-07-01T20:04:09+02:00",
	} {
		if got, err := parseWhen(text, now); err != nil || got.In(zone).Format(time.RFC3339) != want {
			t.Errorf("%s: %v, error %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"-8h", "soon", "2026-13-01", "70000d", "8", "18:04"} {
		if got, err := parseWhen(text, now); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}
