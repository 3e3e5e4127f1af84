package value

import (
	"encoding/binary"
	"math/bits"
)

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

// Leading reads the decimal number of less than eight digits that a text of eight bytes or more starts with, and says how
// many digits it has. It reads them all at once:
//
//	"4711]: F"    the text, its first byte lowest
//	4             as many bytes from the front are digits
//	00004711      these moved to the end: two digits, then four, then eight make one number
func Leading(text []byte) (n uint32, digits int) {
	x := binary.LittleEndian.Uint64(text) ^ 0x3030303030303030
	others := (x + 0x7676767676767676 | x) & 0x8080808080808080 // the high bit of each byte that was no digit
	digits = bits.TrailingZeros64(others) / 8
	if digits == 0 || digits == 8 {
		return 0, 0
	}
	x <<= 64 - 8*uint(digits)
	x = (x*10 + x>>8) & 0x00ff00ff00ff00ff
	x = (x*100 + x>>16) & 0x0000ffff0000ffff
	return uint32(x*10000 + x>>32), digits
}
