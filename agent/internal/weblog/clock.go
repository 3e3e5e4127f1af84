package weblog

import (
	"bytes"
	"time"

	"github.com/pialert/pialert/agent/internal/value"
)

// Clock reads the times of log lines. It remembers the last second it read, since neighbouring
// lines have the same. The zero Clock takes times without zone for UTC.
type Clock struct {
	Zone *time.Location // of times without zone, as error logs have them; nil is UTC

	second [32]byte // the text of the last time, without fraction
	length int
	time   time.Time
}

// Access reads the stamp of an access log: 02/Jan/2006:15:04:05 with a zone or without. In logs of
// JSON it may also be a time of RFC 3339, or seconds since 1970 with a fraction or without.
func (c *Clock) Access(stamp []byte) (time.Time, bool) {
	if t, ok := c.known(stamp); ok {
		return t, true
	}
	if t, ok := c.sameMinute(stamp); ok {
		return t, true
	}
	if len(stamp) >= 10 && stamp[2] != '/' {
		return c.json(stamp)
	}
	var f fields
	f.text = stamp
	day := f.day()
	f.byte('/')
	month := f.month()
	f.byte('/')
	year := f.year()
	f.byte(':')
	hour, minute, second := f.clock()
	if f.bad || len(f.text) <= 1 { // some formats leave out the zone, but not the space
		return c.remember(stamp, f, time.Date(year, month, day, hour, minute, second, 0, c.zone()))
	}
	f.byte(' ')
	east := f.offset()
	return c.remember(stamp, f, time.Date(year, month, day, hour, minute, second, 0, time.UTC).Add(-east))
}

// json reads the time of a log in JSON.
func (c *Clock) json(stamp []byte) (time.Time, bool) {
	if stamp[4] == '-' {
		t, err := time.Parse(time.RFC3339Nano, string(stamp))
		return t, err == nil
	}
	whole, fraction, _ := bytes.Cut(stamp, []byte("."))
	sec, ok := value.Uint(whole)
	if !ok || len(whole) > 13 || !value.IsDigits(fraction) {
		return time.Time{}, false
	}
	if len(whole) == 13 { // milliseconds
		return time.UnixMilli(int64(sec)), true
	}
	return time.Unix(int64(sec), 0), true
}

// Apache reads the stamp of an Apache error log: Mon Jan 02 15:04:05.000000 2006, where the
// fraction may be missing.
func (c *Clock) Apache(stamp []byte) (time.Time, bool) {
	const fraction = len("Mon Jan 02 15:04:05")
	var text [len("Mon Jan 02 15:04:05 2006")]byte
	nanoseconds := 0
	if len(stamp) > len(text) && stamp[fraction] == '.' {
		digits := stamp[fraction+1:]
		end := 0
		for scale := 100_000_000; end < len(digits) && digits[end] >= '0' && digits[end] <= '9'; end++ {
			nanoseconds += int(digits[end]-'0') * scale
			scale /= 10
		}
		if len(digits)-end != len(" 2006") {
			return time.Time{}, false
		}
		copy(text[copy(text[:], stamp[:fraction]):], digits[end:])
		stamp = text[:]
	}
	t, ok := c.known(stamp)
	if !ok {
		t, ok = c.apache(stamp)
	}
	return t.Add(time.Duration(nanoseconds)), ok
}

func (c *Clock) apache(stamp []byte) (time.Time, bool) {
	var f fields
	f.text = stamp
	f.skip(len("Mon "))
	month := f.month()
	f.byte(' ')
	day := f.day()
	f.byte(' ')
	hour, minute, second := f.clock()
	f.byte(' ')
	year := f.year()
	return c.remember(stamp, f, time.Date(year, month, day, hour, minute, second, 0, c.zone()))
}

// Nginx reads the stamp of an nginx error log: 2006/01/02 15:04:05.
func (c *Clock) Nginx(stamp []byte) (time.Time, bool) {
	if t, ok := c.known(stamp); ok {
		return t, true
	}
	var f fields
	f.text = stamp
	year := f.year()
	f.byte('/')
	month := f.number(2, 12)
	f.bad = f.bad || month == 0
	f.byte('/')
	day := f.day()
	f.byte(' ')
	hour, minute, second := f.clock()
	return c.remember(stamp, f, time.Date(year, time.Month(month), day, hour, minute, second, 0, c.zone()))
}

func (c *Clock) zone() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}

func (c *Clock) known(stamp []byte) (time.Time, bool) {
	if c.length > 0 && string(stamp) == string(c.second[:c.length]) {
		return c.time, true
	}
	return time.Time{}, false
}

// sameMinute reads the stamp of an access log that differs from the last one in its seconds only.
func (c *Clock) sameMinute(stamp []byte) (time.Time, bool) {
	const at = len("02/Jan/2006:15:04:")
	if len(stamp) < at+2 || len(stamp) != c.length || stamp[2] != '/' ||
		string(stamp[:at]) != string(c.second[:at]) || string(stamp[at+2:]) != string(c.second[at+2:c.length]) {
		return time.Time{}, false
	}
	was, digits := value.Int(c.second[at:at+2], 60)
	second, ok := value.Int(stamp[at:at+2], 60)
	if !digits || !ok { // a space may stand in place of a zero
		return time.Time{}, false
	}
	copy(c.second[at:], stamp[at:at+2])
	c.time = c.time.Add(time.Duration(second-was) * time.Second)
	return c.time, true
}

// remember returns what the fields of a stamp said, unless they said nonsense.
func (c *Clock) remember(stamp []byte, f fields, t time.Time) (time.Time, bool) {
	if f.bad {
		return time.Time{}, false
	}
	if len(stamp) <= len(c.second) {
		c.length = copy(c.second[:], stamp)
		c.time = t
	}
	return t, true
}

// fields takes the parts of a time one by one from the front of a text. After the first part
// that is not as it should be it is bad, and stays so.
type fields struct {
	text []byte
	bad  bool
}

func (f *fields) skip(n int) []byte {
	if f.bad = f.bad || len(f.text) < n; f.bad {
		return nil
	}
	part := f.text[:n]
	f.text = f.text[n:]
	return part
}

func (f *fields) byte(want byte) {
	part := f.skip(1)
	f.bad = f.bad || part[0] != want
}

// number reads a number of n characters, padded with a zero or a space, up to a limit.
func (f *fields) number(n, limit int) int {
	part := f.skip(n)
	if len(part) > 1 && part[0] == ' ' {
		part = part[1:]
	}
	number, ok := value.Int(part, limit)
	f.bad = f.bad || !ok
	return number
}

// year reads a year in which a log can have been written. Any other is a client's invention, in a
// line that only looks like one of ours.
func (f *fields) year() int {
	year := f.number(4, 2199)
	f.bad = f.bad || year < 1991
	return year
}

// day reads the day of a month. That a month has it is not asked: time.Date counts on.
func (f *fields) day() int {
	day := f.number(2, 31)
	f.bad = f.bad || day == 0
	return day
}

func (f *fields) clock() (hour, minute, second int) {
	hour = f.number(2, 23)
	f.byte(':')
	minute = f.number(2, 59)
	f.byte(':')
	second = f.number(2, 60) // leap seconds
	return hour, minute, second
}

func (f *fields) month() time.Month {
	const names = "JanFebMarAprMayJunJulAugSepOctNovDec"
	part := f.skip(3)
	for i := 0; i+3 <= len(names); i += 3 {
		if string(part) == names[i:i+3] {
			return time.Month(i/3 + 1)
		}
	}
	f.bad = true
	return 0
}

// offset reads +hhmm, the time that a zone is east of UTC.
func (f *fields) offset() time.Duration {
	sign := f.skip(1)
	minutes := f.number(2, 15)*60 + f.number(2, 59)
	if f.bad = f.bad || sign[0] != '+' && sign[0] != '-'; f.bad {
		return 0
	}
	if sign[0] == '-' {
		minutes = -minutes
	}
	return time.Duration(minutes) * time.Minute
}
