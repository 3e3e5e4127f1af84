package header

import "github.com/pialert/pialert/agent/internal/value"

// Form is a way to write the time at the start of a line.
type Form uint8

// The forms.
const (
	None      Form = iota
	BSD            // RFC 3164: "Jan  5 01:31:41", no year and no zone
	ISO            // RFC 3339 and its relatives: "2025-01-31T12:00:00.123456+01:00"
	Asctime        // "Fri Jan 19 12:20:33 2007"
	TAI64N         // "@400000004c91b044077a9e94", daemontools
	Slashed        // "2025/01/31 12:00:00", Go's log package
	Dashed         // "31-Jan-2025 12:00:00 +0100", PHP
	DayFirst       // "31 Jan 2025 12:00:00.123", Redis
	Epoch          // "1738324800.123456", journalctl
	Compact        // "130131  9:00:00", MySQL to 5.6 and MariaDB to 10.0
	YearFirst      // "2025 Jan 31 12:00:00", syslog-ng's ts-format(full)
	YearThird      // "Jan 31 2025 12:00:00", Cisco's service timestamps with year, templates that copy them
)

// Stamp is the time of a line, not yet read.
type Stamp struct {
	Form Form
	Text []byte
}

// stampLength returns how many bytes at the start of a line are a stamp, and its form.
func stampLength(line []byte) (int, Form) {
	if len(line) < 14 {
		return 0, None
	}
	switch c := line[0]; {
	case 'A' <= c && c <= 'Z':
		if line[3] != ' ' {
			return 0, None
		}
		if length := bsdLength(line); length > 0 && value.Month(line) > 0 {
			return length, BSD
		}
		if end := 4 + bsdLength(line[4:]); end > 4+13 && len(line) >= end+5 && value.Month(line[4:]) > 0 && line[end] == ' ' && value.IsDigits(line[end+1:end+5]) {
			return end + 5, Asctime
		}
		if length := yearThirdLength(line); length > 0 && value.Month(line) > 0 {
			return length, YearThird
		}
	case '0' <= c && c <= '9':
		if length := isoLength(line); length > 0 {
			return length, ISO
		}
		if isCompact(line) {
			return 15, Compact
		}
		if len(line) > 20 && line[4] == ' ' && line[8] == ' ' && value.IsDigits(line[:4]) && value.Month(line[5:]) > 0 {
			if length := bsdLength(line[5:]); length > 0 {
				return 5 + length, YearFirst
			}
		}
	case c == '@':
		if len(line) >= 25 && hexDigits(line[1:25]) {
			return 25, TAI64N
		}
	}
	return 0, None
}

// bsdLength returns the length of "Mmm dd HH:MM:SS" with an optional fraction. 0 means that it is none.
func bsdLength(line []byte) int {
	at := dayEnd(line)
	if at == 0 || len(line) < at+9 || line[at] != ' ' || !value.IsTime(line[at+1:]) {
		return 0
	}
	return fraction(line, at+9)
}

// yearThirdLength returns the length of "Mmm dd YYYY HH:MM:SS" with an optional fraction. 0 means that it is none.
func yearThirdLength(line []byte) int {
	at := dayEnd(line)
	if at == 0 || len(line) < at+14 || line[at] != ' ' || !value.IsDigits(line[at+1:at+5]) || line[at+5] != ' ' || !value.IsTime(line[at+6:]) {
		return 0
	}
	return fraction(line, at+14)
}

// dayEnd returns where the day of "Mmm dd" ends, which is padded with a space or a zero or not at all. 0 means that there is none.
func dayEnd(line []byte) int {
	at := 4
	if line[at] == ' ' {
		at++
	}
	if !value.Digit(line[at]) {
		return 0
	}
	at++
	if value.Digit(line[at]) {
		at++
	}
	return at
}

// isoLength returns the length of "YYYY-MM-DD", "T" or a space, "HH:MM:SS", and what there is of
// fraction and zone.
func isoLength(line []byte) int {
	if len(line) < 19 || line[4] != '-' || line[7] != '-' || line[10] != 'T' && line[10] != ' ' && line[10] != '_' || !value.IsDigits(line[:4]) ||
		!value.IsDigits(line[5:7]) || !value.IsDigits(line[8:10]) || !value.IsTime(line[11:]) && !isPaddedTime(line[10:]) {
		return 0
	}
	at := fraction(line, 19)
	if at < len(line) && line[at] == 'Z' {
		return at + 1
	}
	if at+5 <= len(line) && (line[at] == '+' || line[at] == '-') && value.IsDigits(line[at+1:at+3]) {
		if line[at+3] == ':' && at+6 <= len(line) && value.IsDigits(line[at+4:at+6]) {
			return at + 6
		}
		if value.IsDigits(line[at+3 : at+5]) {
			return at + 5
		}
	}
	return at
}

// isPaddedTime says whether text starts with "  9:00:00", as MariaDB writes hours.
func isPaddedTime(text []byte) bool {
	return text[0] == ' ' && text[1] == ' ' && value.Digit(text[2]) && text[3] == ':' && value.IsDigits(text[4:6]) && text[6] == ':' && value.IsDigits(text[7:9])
}

// isCompact says whether text starts with "130131  9:00:00 ".
func isCompact(text []byte) bool {
	return len(text) > 15 && value.IsDigits(text[:6]) && text[6] == ' ' && text[15] == ' ' && (value.IsTime(text[7:]) || isPaddedTime(text[6:]))
}

// fraction returns where the fraction of a second that may start at the given place ends.
func fraction(line []byte, at int) int {
	if at+1 < len(line) && (line[at] == '.' || line[at] == ',') && value.Digit(line[at+1]) {
		at++
		for at < len(line) && value.Digit(line[at]) {
			at++
		}
	}
	return at
}

func hexDigits(text []byte) bool {
	for _, c := range text {
		if !value.Digit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

// hourOf reads an hour that may be padded with a blank.
func hourOf(text []byte) int {
	if text[0] == ' ' {
		return int(text[1] - '0')
	}
	return two(text)
}

func two(text []byte) int { return int(text[0]-'0')*10 + int(text[1]-'0') }
