package value

import (
	"encoding/binary"
	"time"
)

// IsTime says whether text starts with HH:MM:SS. It looks at the eight bytes at once:
//
//	text          1  2  :  3  4  :  5  6
//	^ 00:00:00    01 02 00 03 04 00 05 06    of a digit 0 to 9 is left, of a colon 0
//	+ room        77 78 7f 79 7a 7f 7b 7c    76, or 7f for a colon: the most that stays below 80
//	& 80 of each  00 00 00 00 00 00 00 00    whatever else stands there has reached it, before or now
func IsTime(text []byte) bool {
	if len(text) < 8 {
		return false
	}
	const zeros, room, high = 0x30303a30303a3030, 0x76767f76767f7676, 0x8080808080808080
	x := binary.LittleEndian.Uint64(text) ^ zeros
	return (x|(x+room))&high == 0
}

// SecondOfDay reads the HH:MM:SS that a text starts with. Of each two neighbours it makes ten times the first and the second,
// of all at once; of those the first, the fourth and the seventh are the hour, the minute and the second:
//
//	text           1  2  :  3  4  :  5  6
//	- 00000000     1  2 10  3  4 10  5  6
//	pairs         12 30 .. 34 .. .. 56 ..    none reaches 256
func SecondOfDay(text []byte) int64 {
	x := binary.LittleEndian.Uint64(text) - 0x3030303030303030
	x = x*10 + x>>8
	return int64(x&0xff)*3600 + int64(x>>24&0xff)*60 + int64(x>>48&0xff)
}

// IsDigits says whether text has nothing but decimal digits.
func IsDigits(text []byte) bool {
	for _, c := range text {
		if !Digit(c) {
			return false
		}
	}
	return true
}

// Month returns the month whose English short name text starts with, or 0.
func Month(text []byte) time.Month {
	const names = "JanFebMarAprMayJunJulAugSepOctNovDec"
	for i := 0; i < len(names); i += 3 {
		if text[0] == names[i] && text[1] == names[i+1] && text[2] == names[i+2] {
			return time.Month(i/3 + 1)
		}
	}
	return 0
}
