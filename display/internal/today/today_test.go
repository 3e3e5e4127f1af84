package today

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// steady counts as many attempts in each hour of a day, of which the first lamp has all and the second one
// none.
type steady struct {
	first time.Time
	byDay map[string]uint64
	err   error
}

func (s steady) First(context.Context) (time.Time, error) { return s.first, nil }

func (s steady) Between(_ context.Context, bounds []time.Time) (lamps [][]uint64, attempts []uint64, err error) {
	for range bounds[1:] {
		attempts = append(attempts, s.byDay[bounds[0].Format(time.DateOnly)])
	}
	return [][]uint64{slices.Clone(attempts), make([]uint64, len(attempts))}, attempts, s.err
}

// What is usual is the mean of the same weekday by the same time, of the weeks that are known to their
// beginning and of four at most.
func TestUsual(t *testing.T) {
	t.Parallel()
	zone := berlin(t)
	now := time.Date(2026, 11, 22, 12, 30, 0, 0, zone)
	counted := map[string]uint64{"2026-11-22": 7, "2026-11-15": 8, "2026-11-08": 4, "2026-11-01": 2, "2026-10-25": 2, "2026-10-18": 1000, "2026-11-14": 1000}
	for since, want := range map[string]struct {
		weeks int
		usual uint64
	}{
		"2026-10-01": {4, 51}, // (8 + 4 + 2) * 12.5 and 2 * 13.5, on the day of 25 hours
		"2026-11-02": {2, 75},
		"2026-11-15": {1, 100},
		"2026-11-16": {0, 0},
	} {
		first, err := time.ParseInLocation(time.DateOnly, since, zone)
		if err != nil {
			t.Fatal(err)
		}
		d, err := New(t.Context(), now, []Lamp{{Name: "ssh"}, {Name: "web"}}, steady{first: first, byDay: counted})
		if err != nil || d.Weeks != want.weeks || d.Attempts != 7*24 || d.Lamps[0].Attempts != 7*24 || d.Lamps[1].Attempts != 0 {
			t.Errorf("known since %s: %+v, error %v", since, d, err)
		}
		switch {
		case want.weeks == 0:
			if d.Usual != nil || d.Lamps[0].Usual != nil {
				t.Errorf("known since %s: something is usual", since)
			}
		case d.Usual == nil || *d.Usual != want.usual || *d.Lamps[0].Usual != want.usual || *d.Lamps[1].Usual != 0:
			t.Errorf("known since %s: usual are %v, want %d", since, d.Usual, want.usual)
		}
	}
	if d, err := New(t.Context(), now, nil, steady{}); err != nil || d.Usual != nil {
		t.Errorf("where nothing is known: %+v, error %v", d, err)
	}
	failed := errors.New("the disk failed")
	if _, err := New(t.Context(), now, nil, steady{err: failed}); !errors.Is(err, failed) {
		t.Errorf("a history that cannot be read gives %v", err)
	}
}

// What is usual by now is that of the hours before, and of the present one in proportion; on a day of
// 25 hours, too.
func TestUntil(t *testing.T) {
	t.Parallel()
	zone := berlin(t)
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
	zone := berlin(t)
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

// Each hour so far has a bar, the least of them lower than the most; hours to come have none.
func TestText(t *testing.T) {
	t.Parallel()
	begun := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	usual := uint64(9)
	d := Day{Begun: begun, Now: begun.Add(4 * time.Hour), Attempts: 12, Usual: &usual, Weeks: 2, Lamps: []Lamp{
		{Name: "ssh", Color: "red", Attempts: 12, Hours: []uint64{0, 1, 3, 8, 0, 0}, Usual: &usual}, {Name: "web", Color: "green", Hours: make([]uint64, 6)},
	}}
	want := strings.Join([]string{
		"Sunday, 22 November 2026, 04:00   12 attempts, usually 9 by now (2 weeks)", "",
		"red:ssh        ·▁▃█·         12   usually 9",
		"green:web        ·····          0",
		"hour       0     6     12    18", "",
	}, "\n")
	if got := d.Text(func(color, line string) string { return color + ":" + line }); got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}
