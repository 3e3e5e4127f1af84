package value

// Digit says whether c is a decimal digit.
func Digit(c byte) bool { return c-'0' < 10 }

// Uint reads a decimal number of at most 18 digits.
func Uint(b []byte) (n uint64, ok bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if !Digit(c) {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// Int reads a decimal number up to a limit, with any number of leading zeros.
func Int(b []byte, limit int) (int, bool) {
	n := 0
	for _, c := range b {
		if !Digit(c) {
			return 0, false
		}
		if n = n*10 + int(c-'0'); n > limit {
			return 0, false
		}
	}
	return n, len(b) > 0
}

// Port reads a port from 1 to 65535.
func Port(b []byte) (uint16, bool) {
	n, ok := Int(b, 65535)
	return uint16(n), ok && n > 0
}
