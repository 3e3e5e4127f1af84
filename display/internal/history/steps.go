package history

import "time"

// A step begins where the clock on the wall says so: hours of a zone that is half an hour off UTC
// begin at half past. That way every step lies in one day, of 23, 24 or 25 hours.

// The steps of roll-ups, in seconds.
const (
	minute     = 60
	tenMinutes = 600
	hour       = 3600
	dayLong    = 86400   // the step's name; days have 23, 24 or 25 hours
	monthLong  = 2678400 // the step's name; months have 28 to 31 days
)

// minutesListed is how long minutes are kept.
const minutesListed = 49 * time.Hour

// steps are the lengths of roll-ups from the shortest to the longest, and how long they are kept.
var steps = [...]struct {
	long int64
	kept time.Duration // 0 is for ever
}{
	{minute, minutesListed},
	{tenMinutes, 15 * 24 * time.Hour},
	{hour, 0},
	{dayLong, 0},
	{monthLong, 0},
}

// countedSteps is how many of them, the shortest, are counted of events; days and months are made of hours.
const countedSteps = 3

// startOf returns when the step began that t is in, in Unix time.
func startOf(t time.Time, long int64) int64 {
	switch long {
	case dayLong:
		return startOfDay(t)
	case monthLong:
		year, month, _ := t.Date()
		return time.Date(year, month, 1, 0, 0, 0, 0, t.Location()).Unix()
	}
	_, ahead := t.Zone()
	wall := t.Unix() + int64(ahead)
	return wall - ((wall%long)+long)%long - int64(ahead)
}

// endOf returns when the step ends that begins at start, in Unix time.
func endOf(start, long int64, zone *time.Location) int64 {
	switch long {
	case dayLong:
		return startOfDay(time.Unix(start, 0).In(zone).AddDate(0, 0, 1))
	case monthLong:
		return startOfDay(time.Unix(start, 0).In(zone).AddDate(0, 1, 0))
	}
	return start + long
}

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

// dayAt returns the day in which a step begins; what begins in 1970 is of unknown days.
func dayAt(start int64, zone *time.Location) int64 {
	if start < 2*86400 {
		return 0
	}
	return int64(dayOf(time.Unix(start, 0).In(zone)))
}

// midnight returns when a day of the file began, in Unix time; the day 0 began in 1970.
func midnight(day int64, zone *time.Location) int64 {
	if day == 0 {
		return 0
	}
	return startOfDay(time.Date(int(day/10000), time.Month(day/100%100), int(day%100), 12, 0, 0, 0, zone))
}

// stretch is a part of a span and the step that tells it.
type stretch struct{ step, since, until int64 }
