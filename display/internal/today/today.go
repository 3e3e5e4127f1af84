// Package today compares the day so far with what is usual by this time of it.
//
// It promises that the hours are those of the clock on the wall, on days of 23 and 25 hours too, and that
// what is usual is the mean of the same weekday in the weeks before, of those that the history knows to
// their beginning. It asks for counts and keeps none.
package today

import (
	"context"
	"time"
)

// Day is what a day brought so far.
type Day struct {
	Begun    time.Time `json:"begun"` // midnight
	Now      time.Time `json:"now"`
	Attempts uint64    `json:"attempts"`
	Usual    *uint64   `json:"usual,omitempty"` // by this time, on the same weekday
	Weeks    int       `json:"weeks"`           // of which Usual is the mean
	Lamps    []Lamp    `json:"lamps"`
}

// Lamp is what a lamp counted on a day.
type Lamp struct {
	Name     string   `json:"name"`
	Color    string   `json:"color"`
	Attempts uint64   `json:"attempts"`
	Usual    *uint64  `json:"usual,omitempty"`
	Hours    []uint64 `json:"hours"` // of a day of 23, 24 or 25
}

// Counts says what was counted.
type Counts interface {
	// First returns since when anything is known, zero if nothing is.
	First(ctx context.Context) (time.Time, error)
	// Between returns what each lamp counted between consecutive bounds, and all attempts.
	Between(ctx context.Context, bounds []time.Time) (lamps [][]uint64, attempts []uint64, err error)
}

// weeksBack is how many weeks back it is looked what is usual.
const weeksBack = 4

// New looks at the day so far. The lamps have a name and a colour, and the zone is that of now.
func New(ctx context.Context, now time.Time, lamps []Lamp, counts Counts) (Day, error) {
	d := Day{Begun: midnight(now, 0), Now: now, Lamps: lamps}
	hours, attempts, err := counts.Between(ctx, hoursOf(d.Begun))
	if err != nil {
		return d, err
	}
	for i := range lamps {
		lamps[i].Hours, lamps[i].Attempts = hours[i], sum(hours[i])
	}
	d.Attempts = sum(attempts)
	return d, d.compare(ctx, counts)
}

// compare adds what is usual.
func (d *Day) compare(ctx context.Context, counts Counts) error {
	first, err := counts.First(ctx)
	if err != nil || first.IsZero() {
		return err
	}
	means, mean := make([]float64, len(d.Lamps)), 0.
	for d.Weeks < weeksBack {
		begun := midnight(d.Now, -7*(d.Weeks+1))
		if begun.Before(first) {
			break
		}
		bounds := hoursOf(begun)
		hours, attempts, err := counts.Between(ctx, bounds)
		if err != nil {
			return err
		}
		year, month, day := begun.Date()
		by := time.Date(year, month, day, d.Now.Hour(), d.Now.Minute(), 0, 0, d.Now.Location())
		for i := range means {
			means[i] += until(by, bounds, hours[i])
		}
		mean += until(by, bounds, attempts)
		d.Weeks++
	}
	if d.Weeks == 0 {
		return nil
	}
	of := func(sum float64) *uint64 {
		n := uint64(sum/float64(d.Weeks) + 0.5)
		return &n
	}
	for i := range d.Lamps {
		d.Lamps[i].Usual = of(means[i])
	}
	d.Usual = of(mean)
	return nil
}

// midnight returns the midnight before a time, some days away.
func midnight(t time.Time, days int) time.Time {
	year, month, day := t.Date()
	return time.Date(year, month, day+days, 0, 0, 0, 0, t.Location())
}

// hoursOf returns where the hours of a day begin, and its end.
func hoursOf(begun time.Time) (bounds []time.Time) {
	end := midnight(begun, 1)
	for at := begun; at.Before(end); at = at.Add(time.Hour) {
		bounds = append(bounds, at)
	}
	return append(bounds, end)
}

// until adds up what was counted before a time, of its hour in proportion.
func until(by time.Time, bounds []time.Time, hours []uint64) (n float64) {
	for i, count := range hours {
		long := bounds[i+1].Sub(bounds[i])
		n += float64(count) * min(max(by.Sub(bounds[i]).Seconds()/long.Seconds(), 0), 1)
	}
	return n
}

func sum(list []uint64) (n uint64) {
	for _, each := range list {
		n += each
	}
	return n
}
