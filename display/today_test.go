package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

func TestTodayPrintsTheDaySoFar(t *testing.T) {
	t.Parallel()
	s := serve(t, func(*Config) {})
	s.commit(logins(7)...)
	probe := login(10)
	probe.Kind, probe.User, probe.Count = attack.HTTPProbe, "", 4
	probe.Detail = attack.HTTP{Method: "GET", Target: "/.env"}
	s.commit(probe)
	var today Today
	if err := json.Unmarshal([]byte(s.must("today", "--format", "json")), &today); err != nil {
		t.Fatal(err)
	}
	lamps := map[string]uint64{}
	for _, l := range today.Lamps {
		lamps[l.Name] = l.Attempts
		if sum(l.Hours) != l.Attempts || len(l.Hours) != 24 {
			t.Errorf("%s: %d hours with %d attempts", l.Name, len(l.Hours), sum(l.Hours))
		}
	}
	if today.Attempts != 11 || lamps["ssh-b"] != 7 || lamps["web"] != 4 || today.Usual != nil {
		t.Errorf("%+v", today)
	}
	if top := today.Top["targets"]; len(top) != 1 || top[0].Name != "/.env" || top[0].Attempts != 4 {
		t.Errorf("targets %+v", top)
	}
	if out := s.must("today"); !strings.Contains(out, "11 attempts") || !strings.Contains(out, "/.env") {
		t.Errorf("printed %s", out)
	}
}

// What is usual by now is that of the hours before, and of the present one in proportion; on a day of
// 25 hours, too.
func TestUntil(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	bounds := hoursOf(time.Date(2026, 10, 25, 0, 0, 0, 0, zone))
	hours := make([]uint64, len(bounds)-1)
	for i := range hours {
		hours[i] = 8
	}
	if got := until(time.Date(2026, 10, 25, 12, 15, 0, 0, zone), bounds, hours); len(hours) != 25 || got != 13*8+2 {
		t.Errorf("%d hours, %v by a quarter past twelve; want 25 and 106", len(hours), got)
	}
}

// The hours below the bars are those of the clock on the wall, on days of 23, 24 and 25 hours.
func TestHourAxis(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for day, want := range map[time.Time]string{
		time.Date(2026, 3, 29, 0, 0, 0, 0, zone):  "0    6     12    18",
		time.Date(2026, 3, 30, 0, 0, 0, 0, zone):  "0     6     12    18",
		time.Date(2026, 10, 25, 0, 0, 0, 0, zone): "0      6     12    18",
	} {
		if got := hourAxis(day); got != want {
			t.Errorf("on %s: %q, want %q", day.Format(time.DateOnly), got, want)
		}
	}
}
