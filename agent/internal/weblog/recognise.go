package weblog

import (
	"bytes"

	"github.com/pialert/pialert/agent/internal/value"
)

// IsError says whether a line starts as error logs of Apache ("[Wed Oct 11 14:32:52") and nginx
// ("2025/01/31 12:00:00 [error] ") do.
func IsError(line []byte) bool {
	if len(line) > 22 && line[0] == '[' && value.Month(line[5:]) > 0 && value.IsTime(line[12:]) {
		return true
	}
	return len(line) > 21 && line[4] == '/' && line[7] == '/' && line[10] == ' ' && line[20] == '[' &&
		value.IsDigits(line[:4]) && value.IsTime(line[11:])
}

// IsAccess says whether a line has "[dd/Mmm/YYYY:HH:MM:SS" and a quoted field, as every usual
// format of access logs has, or is a request in JSON.
func IsAccess(line []byte) bool {
	if len(line) > 0 && line[0] == '{' {
		var a Access
		return a.JSON(line)
	}
	at := bytes.IndexByte(line, '[')
	for at >= 0 && at+21 < len(line) {
		date := line[at+1:]
		if date[2] == '/' && date[6] == '/' && date[11] == ':' && value.Month(date[3:]) > 0 && value.IsTime(date[12:]) {
			return bytes.IndexByte(line, '"') >= 0
		}
		next := bytes.IndexByte(date, '[')
		if next < 0 {
			return false
		}
		at += 1 + next
	}
	return false
}
