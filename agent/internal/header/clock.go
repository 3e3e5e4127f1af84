package header

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/pialert/pialert/agent/internal/value"
)

// Clock reads stamps. It keeps the last day that it worked out, since the next line is nearly
// always of the same.
type Clock struct {
	Location *time.Location // of stamps without a zone
	Year     int            // of the first line without a year; 0 means the latest year that is not in the future

	day      [6]byte  // "Jan  5" of the last RFC 3164 stamp
	midnight int64    // start of that day, in seconds since 1970
	until    int64    // the next line's observation before which the year holds; see bsd
	uneven   bool     // that day has no 24 hours
	stamp    stampKey // the last RFC 3164 stamp without a fraction, if it was of that day
	sec      int64    // what it means
	month    time.Month
	rolled   int // years since the first line, where the first line's year was given

	date date // of the last RFC 3339 stamp with a zone
}

// date is a day of a zone.
type date struct {
	day      [10]byte // "2025-01-31"
	zone     string   // "+01:00"; empty if no day is known
	midnight int64    // its start, in seconds since 1970
}

// Read returns the time of a stamp in seconds and nanoseconds since 1970. A stamp that names no
// possible time, or none at all, gives ok = false.
func (c *Clock) Read(s Stamp, observed time.Time) (sec int64, nsec int32, ok bool) {
	switch s.Form {
	case BSD:
		return c.bsd(s.Text, observed)
	case ISO:
		return c.iso(s.Text)
	case Asctime:
		day := s.Text[4:]
		at := s.Text[bytes.IndexByte(s.Text, ':')-2:]
		t := time.Date(yearOf(s.Text[len(s.Text)-4:]), value.Month(day), dayOf(day), two(at), two(at[3:]), two(at[6:]), 0, c.Location)
		return t.Unix(), 0, possible(t)
	case YearFirst, YearThird:
		hour := bytes.IndexByte(s.Text, ':') - 2
		year, day := s.Text, s.Text[len("2025 "):]
		if s.Form == YearThird {
			year, day = s.Text[hour-len("2025 "):], s.Text
		}
		at := s.Text[hour:]
		var nsec int32
		if len(at) > 8 {
			nsec = nanoseconds(at[9:])
		}
		t := time.Date(yearOf(year), value.Month(day), dayOf(day), two(at), two(at[3:]), two(at[6:]), 0, c.Location)
		return t.Unix(), nsec, possible(t)
	case TAI64N:
		return tai64n(s.Text)
	case Slashed:
		at := s.Text
		t := time.Date(yearOf(at), time.Month(two(at[5:])), two(at[8:]), two(at[11:]), two(at[14:]), two(at[17:]), 0, c.Location)
		return t.Unix(), 0, possible(t)
	case Epoch:
		seconds, fraction, _ := bytes.Cut(s.Text, []byte("."))
		n, ok := value.Uint(seconds)
		return int64(n), nanoseconds(fraction), ok
	case DayFirst:
		at := s.Text
		t := time.Date(yearOf(at[7:]), value.Month(at[3:]), two(at), two(at[12:]), two(at[15:]), two(at[18:]), 0, c.Location)
		return t.Unix(), nanoseconds(at[21:24]), possible(t)
	case Compact:
		at := s.Text
		t := time.Date(2000+two(at), time.Month(two(at[2:])), two(at[4:]), hourOf(at[7:]), two(at[10:]), two(at[13:]), 0, c.Location)
		return t.Unix(), 0, possible(t)
	case Dashed:
		at := s.Text
		t := time.Date(yearOf(at[7:]), value.Month(at[3:]), two(at), two(at[12:]), two(at[15:]), two(at[18:]), 0, time.UTC)
		east := int64(two(at[22:]))*3600 + int64(two(at[24:]))*60
		if at[21] == '-' {
			east = -east
		}
		return t.Unix() - east, 0, possible(t)
	}
	return 0, 0, false
}

// stampKey is the stampBytes of a stamp, to be compared at once.
type stampKey struct{ front, back uint64 }

func keyOf(text []byte) stampKey {
	return stampKey{binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[stampBytes-8:])}
}

func dayOf(text []byte) int {
	day := 0
	for _, c := range text[4:6] {
		if value.Digit(c) {
			day = day*10 + int(c-'0')
		}
	}
	return day
}

func yearOf(text []byte) int { return two(text)*100 + two(text[2:]) }

// bsd reads a stamp without a year. Where the first year was given, it goes on across New Year;
// otherwise the year is the latest in which the line was not observed before it was written.
func (c *Clock) bsd(text []byte, observed time.Time) (int64, int32, bool) {
	now := observed.Unix()
	whole := len(text) == stampBytes // "Jan  5 01:31:41", as nearly every line has it
	if whole && keyOf(text) == c.stamp && now < c.until {
		return c.sec, 0, true
	}
	at := text[len("Jan  5 "):]
	if !whole {
		at = text[bytes.IndexByte(text, ':')-2:]
	}
	seconds := value.SecondOfDay(at)
	var nsec int32
	if len(at) > 8 {
		nsec = nanoseconds(at[9:])
	}
	if [6]byte(text) == c.day && now < c.until && !c.uneven {
		if whole {
			c.stamp, c.sec = keyOf(text), c.midnight+seconds
		}
		return c.midnight + seconds, nsec, true
	}
	c.stamp = stampKey{}
	month, day := value.Month(text), dayOf(text)
	if day < 1 || day > 31 {
		return 0, 0, false
	}
	year := c.yearFor(month, day, observed)
	midnight := time.Date(year, month, day, 0, 0, 0, 0, c.Location)
	if midnight.Month() != month { // 30 February
		return 0, 0, false
	}
	next := time.Date(year, month, day+1, 0, 0, 0, 0, c.Location)
	copy(c.day[:], text[:6])
	c.midnight, c.until = midnight.Unix(), now+3600
	c.uneven = next.Unix()-c.midnight != 24*3600
	if c.uneven {
		t := time.Date(year, month, day, two(at), two(at[3:]), two(at[6:]), 0, c.Location)
		return t.Unix(), nsec, true
	}
	return c.midnight + seconds, nsec, true
}

// ahead is how far a server's clock may be ahead of ours before a stamp is taken for last year's.
const ahead = 24 * time.Hour

// newYear is how far apart a line of December and the next one of January may be for the second
// to be of the next year.
const newYear = 31

func (c *Clock) yearFor(month time.Month, day int, observed time.Time) int {
	if c.Year == 0 {
		year := observed.In(c.Location).Year()
		if time.Date(year+1, month, day, 0, 0, 0, 0, c.Location).Before(observed.Add(ahead)) {
			return year + 1
		}
		for range 8 { // 29 February
			t := time.Date(year, month, day, 0, 0, 0, 0, c.Location)
			if t.Month() == month && t.Before(observed.Add(ahead)) {
				return year
			}
			year--
		}
		return observed.In(c.Location).Year()
	}
	if last := two2(c.day); c.month == time.December && month == time.January && 31-last+day <= newYear {
		c.rolled++
	} else if c.month == time.January && month == time.December && c.rolled > 0 && 31-day+last <= newYear {
		c.rolled--
	}
	c.month = month
	return c.Year + c.rolled
}

func two2(day [6]byte) int { return dayOf(day[:]) }

// iso reads a stamp with a year. Where it has no zone it is local time.
func (c *Clock) iso(text []byte) (int64, int32, bool) {
	clock := text[11:]
	end := fraction(text, 19)
	var nsec int32
	if end > 20 {
		nsec = nanoseconds(text[20:end])
	}
	hour, minute, second := hourOf(clock), two(clock[3:]), two(clock[6:])
	year, month, day := yearOf(text), time.Month(two(text[5:])), two(text[8:])
	if end == len(text) {
		location := c.Location
		if text[10] == '_' { // svlogd -tt
			location = time.UTC
		}
		t := time.Date(year, month, day, hour, minute, second, 0, location)
		return t.Unix(), nsec, possible(t)
	}
	since := int64(hour)*3600 + int64(minute)*60 + int64(second)
	zone := text[end:]
	if string(zone) == c.date.zone && [10]byte(text) == c.date.day {
		return c.date.midnight + since, nsec, true
	}
	midnight := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	offset := 0
	if zone[0] != 'Z' {
		offset = two(zone[1:])*3600 + two(zone[len(zone)-2:])*60
		if zone[0] == '-' {
			offset = -offset
		}
	}
	if possible(midnight) && possible(midnight.AddDate(0, 0, 5)) { // 99:99:99 is of the fifth day
		c.date = date{[10]byte(text), string(zone), midnight.Unix() - int64(offset)}
	}
	t := midnight.Add(time.Duration(since) * time.Second)
	return t.Unix() - int64(offset), nsec, possible(t)
}

func nanoseconds(fraction []byte) (n int32) {
	for i := range 9 {
		n *= 10
		if i < len(fraction) {
			n += int32(fraction[i] - '0')
		}
	}
	return n
}

// tai64n reads the label of https://cr.yp.to/libtai/tai64.html. TAI was 10 seconds ahead of UTC in
// 1970, which is all that multilog adds.
func tai64n(text []byte) (int64, int32, bool) {
	var sec, nsec uint64
	for i, c := range text[1:] {
		v := uint64(c - '0')
		if c > '9' {
			v = uint64(c|0x20-'a') + 10
		}
		if i < 16 {
			sec = sec<<4 | v
		} else {
			nsec = nsec<<4 | v
		}
	}
	t := time.Unix(int64(sec-1<<62)-10, 0)
	return t.Unix(), int32(min(nsec, 999_999_999)), sec >= 1<<62 && possible(t)
}

// possible bounds years as [attack.Event.Check] does, with a day to spare for zones.
func possible(t time.Time) bool {
	return t.After(time.Date(1990, 1, 2, 0, 0, 0, 0, time.UTC)) && t.Before(time.Date(2200, 12, 30, 0, 0, 0, 0, time.UTC))
}
