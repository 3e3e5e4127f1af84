package animate

// Segment bits, as the TM1637 counts them (datasheet, "Display register": SEG1 to SEG8).
//
//	 -A-
//	F   B
//	 -G-
//	E   C
//	 -D-
const (
	SegmentA uint8 = 1 << iota
	SegmentB
	SegmentC
	SegmentD
	SegmentE
	SegmentF
	SegmentG
)

// font is every character that seven segments can show without being taken for another. Letters
// have the one case that is readable; Word folds to it.
var font = [128]uint8{
	'0': 0x3f, '1': 0x06, '2': 0x5b, '3': 0x4f, '4': 0x66,
	'5': 0x6d, '6': 0x7d, '7': 0x07, '8': 0x7f, '9': 0x6f,
	'-': SegmentG, '_': SegmentD, '=': SegmentD | SegmentG,
	'A': 0x77, 'b': 0x7c, 'C': 0x39, 'c': 0x58, 'd': 0x5e, 'E': 0x79, 'F': 0x71, 'G': 0x3d,
	'H': 0x76, 'h': 0x74, 'I': 0x06, 'i': 0x04, 'J': 0x1e, 'L': 0x38, 'n': 0x54, 'O': 0x3f,
	'o': 0x5c, 'P': 0x73, 'q': 0x67, 'r': 0x50, 'S': 0x6d, 't': 0x78, 'U': 0x3e, 'u': 0x1c,
	'y': 0x6e,
}

// glyph returns the segments of a character, in its own case or else the other.
func glyph(char byte) (segments uint8, ok bool) {
	if char == ' ' {
		return 0, true
	}
	if char >= 128 {
		return 0, false
	}
	if font[char] == 0 && (char >= 'A' && char <= 'Z' || char >= 'a' && char <= 'z') {
		char ^= 'a' - 'A'
	}
	return font[char], font[char] != 0
}

// Word returns a word of up to four characters, in the middle of the cells. ok is false if the
// word is longer or has a character that seven segments cannot show.
func Word(word string) (cells [Cells]uint8, ok bool) {
	if len(word) > Cells {
		return cells, false
	}
	indent := (Cells - len(word)) / 2
	for i := range len(word) {
		if cells[indent+i], ok = glyph(word[i]); !ok {
			return [Cells]uint8{}, false
		}
	}
	return cells, true
}

// Total returns a total in four cells: up to 9999 as it is, above in scientific form, always
// with as many digits as fit and never rounded up, so that the device never claims more than
// there was.
//
//	0 to 9999                  "   0" to "9999"
//	10,000 to 99,999,999,999   "10E3" to "99E9", two digits before the E
//	from 100,000,000,000       "1E11" to "1E19", which is where uint64 ends
func Total(n uint64) (cells [Cells]uint8) {
	for i, char := range format(n) {
		cells[i] = font[char] // a space has no segments
	}
	return cells
}

func format(n uint64) (text [Cells]byte) {
	length, lead := 1, n
	for lead >= 10 {
		lead /= 10
		length++
	}
	switch {
	case length <= 4:
		text = [Cells]byte{' ', ' ', ' ', '0' + byte(n%10)}
		for i := Cells - 2; n >= 10; i-- {
			n /= 10
			text[i] = '0' + byte(n%10)
		}
	case length <= 11:
		for n >= 100 {
			n /= 10
		}
		text = [Cells]byte{'0' + byte(n/10), '0' + byte(n%10), 'E', '0' + byte(length-2)}
	default:
		text = [Cells]byte{'0' + byte(lead), 'E', '1', '0' + byte(length-11)}
	}
	return text
}

// clock returns hours and minutes with their leading zeros.
func clock(hour, minute int) [Cells]uint8 {
	return [Cells]uint8{
		font['0'+hour/10], font['0'+hour%10], font['0'+minute/10], font['0'+minute%10],
	}
}
