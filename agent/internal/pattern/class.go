package pattern

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"regexp/syntax"
	"unicode/utf8"
)

// class is a set of characters. A byte that is not UTF-8 is the character U+FFFD, one byte
// wide, as it is for regexp.
type class struct {
	// one has the ASCII characters of the set, and, where it has every character beyond ASCII,
	// the bytes of those too: a run of them can then be taken byte by byte.
	one    [256]bool
	ranges []rune // pairs of first and last
	mixed  bool   // the set has some characters beyond ASCII, but not all
	high   bool   // the set has characters beyond ASCII
	stop   int    // the only character that is not in the set, if there is just one; -1 otherwise
}

func isClass(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true
	case syntax.OpLiteral:
		return len(re.Rune) == 1 && re.Flags&syntax.FoldCase == 0
	}
	return false
}

func classOf(re *syntax.Regexp) *class {
	switch re.Op {
	case syntax.OpAnyChar:
		return newClass([]rune{0, utf8.MaxRune})
	case syntax.OpAnyCharNotNL:
		return newClass([]rune{0, '\n' - 1, '\n' + 1, utf8.MaxRune})
	case syntax.OpLiteral:
		return newClass([]rune{re.Rune[0], re.Rune[0]})
	}
	return newClass(re.Rune)
}

func newClass(ranges []rune) *class {
	c := &class{ranges: ranges, stop: -1}
	all := false
	for i := 0; i+1 < len(ranges); i += 2 {
		for r := ranges[i]; r <= min(ranges[i+1], utf8.RuneSelf-1); r++ {
			c.one[r] = true
		}
		c.high = c.high || ranges[i+1] >= utf8.RuneSelf
		all = all || ranges[i] <= utf8.RuneSelf && ranges[i+1] == utf8.MaxRune
	}
	c.mixed = c.high && !all
	absent := 0
	for b := range c.one {
		if b >= utf8.RuneSelf {
			c.one[b] = all
		}
		if !c.one[b] {
			absent++
			c.stop = b
		}
	}
	if absent != 1 {
		c.stop = -1
	}
	return c
}

// printable says whether the set has every byte above the space, as \S has.
func (c *class) printable() bool {
	for b := int(' ') + 1; b < len(c.one); b++ {
		if !c.one[b] {
			return false
		}
	}
	return true
}

// printableRun returns where the first byte up to the space stands, or less: only eights of bytes
// are looked at. A byte x of an eight is below 0x21 if x - 0x21 borrows and x has no high bit:
//
//	x        0x2f  0x20  0x41  0xe4
//	x-0x21   0x0e  0xff  0x20  0xc3   (without borrows from the right, which come after a hit only)
//	&^x      0x00  0xdf  0x20  0x03
//	&0x80    0     0x80  0     0
func printableRun(text []byte, at, limit int) int {
	const spaces, high = 0x2121212121212121, 0x8080808080808080
	for ; at+8 <= limit; at += 8 {
		x := binary.LittleEndian.Uint64(text[at:])
		if hit := (x - spaces) & ^x & high; hit != 0 {
			return at + bits.TrailingZeros64(hit)/8
		}
	}
	return at
}

// after returns the position after the character at the given one, or -1 if that is not in
// the set.
func (c *class) after(text []byte, at int) int {
	if at >= len(text) {
		return -1
	}
	if text[at] < utf8.RuneSelf {
		if c.one[text[at]] {
			return at + 1
		}
		return -1
	}
	if !c.high {
		return -1
	}
	r, size := utf8.DecodeRune(text[at:])
	for i := 0; i+1 < len(c.ranges); i += 2 {
		if c.ranges[i] <= r && r <= c.ranges[i+1] {
			return at + size
		}
	}
	return -1
}

// run returns where the longest run of characters of the set ends, of at most the given number
// of them if that is not negative.
func (c *class) run(text []byte, at, most int) int {
	if most < 0 && !c.mixed {
		if c.stop >= 0 {
			if n := bytes.IndexByte(text[at:], byte(c.stop)); n >= 0 {
				return at + n
			}
			return len(text)
		}
		for at < len(text) && c.one[text[at]] {
			at++
		}
		return at
	}
	for ; most != 0; most-- {
		next := c.after(text, at)
		if next < 0 {
			break
		}
		at = next
	}
	return at
}

// width returns the length of the character at a position, 1 at the end of the text.
func width(text []byte, at int) int {
	if at >= len(text) || text[at] < utf8.RuneSelf {
		return 1
	}
	_, size := utf8.DecodeRune(text[at:])
	return size
}

// before returns the start of the character that ends at a position. Where characters start does
// not depend on where reading began: no byte that can start a character stands within one.
func before(text []byte, at int) int {
	if text[at-1] < utf8.RuneSelf {
		return at - 1
	}
	_, size := utf8.DecodeLastRune(text[:at])
	return at - size
}
