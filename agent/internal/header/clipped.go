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
// holds at most. Mostly they are short, which is decided where the call is inlined.
func isClipped(text []byte, buffer int) bool {
	return len(text) >= buffer-aroundText-morePriority && written(text) <= buffer-aroundText
}

// aroundText is what else is in a buffer, in bytes: the priority, the stamp and a byte that ends it.
const aroundText = priorityBytes + len("Jan  5 01:31:41 ") + 1

// written returns how many bytes a program sent of what BusyBox' syslogd wrote, which has "^A" for a control character.
func written(text []byte) int {
	n := len(text)
	for {
		at := bytes.IndexByte(text, '^')
		if at < 0 || at+1 == len(text) {
			return n
		}
		if c := text[at+1]; '@' <= c && c <= '_' {
			n--
		}
		text = text[at+1:]
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
