package header

import "bytes"

// BusyBox' syslogd reads 255, 511 or 1023 bytes of what a program sends, as it was built
// (FEATURE_SYSLOGD_READ_BUFFER_SIZE, sysklogd/syslogd.c); musl's syslog() sends 1023. In front of program and message
// they count "<6>" to "<191>" and a stamp.
const (
	syslogdReads  = 256 // the smallest buffer of BusyBox' syslogd
	muslSends     = 1024
	priorityBytes = 3 // at least
	morePriority  = 2 // at most, beside those
)

// isClipped says whether program and message, up to the end of the line, are as long as what a buffer of this size
// holds at most. BusyBox writes a control character as "^A".
func isClipped(text []byte, buffer int) bool {
	most := buffer - 1 - priorityBytes - len("Jan  5 01:31:41 ")
	if len(text) < most-morePriority {
		return false
	}
	written := len(text)
	for rest := text; ; {
		at := bytes.IndexByte(rest, '^')
		if at < 0 || at+1 == len(rest) {
			return written <= most
		}
		if c := rest[at+1]; '@' <= c && c <= '_' {
			written--
		}
		rest = rest[at+1:]
	}
}

// clippedByBusyBox says whether what BusyBox' syslogd wrote behind the stamp, the host and the priority may be cut.
func clippedByBusyBox(text []byte) bool {
	for buffer := syslogdReads; buffer <= muslSends; buffer *= 2 {
		if isClipped(text, buffer) {
			return true
		}
	}
	return false
}
