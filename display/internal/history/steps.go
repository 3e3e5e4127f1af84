package history

import "time"

// A step begins where the clock on the wall says so: hours of a zone that is half an hour off UTC
// begin at half past. That way every step lies in one day, of 23, 24 or 25 hours.

// steps are the lengths of roll-ups in seconds, and how long they are kept.
var steps = [...]struct {
	long int64
	kept time.Duration // 0 is for ever
}{
	{60, 49 * time.Hour},
	{600, 15 * 24 * time.Hour},
	{3600, 0},
}

const hour = 3600 // seconds

// startOf returns when the step began that t is in, in Unix time.
func startOf(t time.Time, long int64) int64 {
	_, ahead := t.Zone()
	wall := t.Unix() + int64(ahead)
	return wall - ((wall%long)+long)%long - int64(ahead)
}

const (
	minute  = 60
	dayLong = 86400 // the step's name; days have 23, 24 or 25 hours
)

// startOfDay returns the midnight before a time of the history's zone, in Unix time.
func startOfDay(t time.Time) int64 {
	year, month, day := t.Date()
	return time.Date(year, month, day, 0, 0, 0, 0, t.Location()).Unix()
}

// dayOf returns the day of a time as the file writes it: 20261120.
func dayOf(t time.Time) int {
	year, month, day := t.Date()
	return year*10000 + int(month)*100 + day
}

// midnight returns when a day of the file began, in Unix time; the day 0 began in 1970.
func midnight(day int64, zone *time.Location) int64 {
	if day == 0 {
		return 0
	}
	return startOf(time.Date(int(day/10000), time.Month(day/100%100), int(day%100), 0, 0, 0, 0, zone), hour)
}
