package weblog

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"github.com/pialert/pialert/agent/internal/value"
)

// clients remembers the IPv4 addresses of the last clients by their text: who visits a site asks it for many things.
type clients [1024]struct {
	low, high uint64 // the text, its first byte lowest
	length    int32  // of the text
	addr      uint32
}

// read returns the IPv4 address in front of the first space of a line, and how long its text is: 0 if there is none. It
// looks for the space in 16 bytes at once, and leaves out of them what is behind the address:
//
//	line     "7.1.2.9 - - [20/"
//	spaces    00 00 00 00 00 00 00 80    of the first one the high bit, as that of the lower eight bytes is here
//	text     "7.1.2.9" 00                the bytes before it
func (c *clients) read(line []byte) (addr netip.Addr, length int) {
	if len(line) < 16 {
		return netip.Addr{}, 0
	}
	low, high := binary.LittleEndian.Uint64(line), binary.LittleEndian.Uint64(line[8:])
	if end := spaces(low); end != 0 {
		low, high, length = low&before(end), 0, bits.TrailingZeros64(end)/8
	} else if end := spaces(high); end != 0 {
		high, length = high&before(end), 8+bits.TrailingZeros64(end)/8
	}
	last := &c[(low^high*0x9e3779b97f4a7c15)*0x9e3779b97f4a7c15>>54] // of 1024 places
	if last.low == low && last.high == high && int(last.length) == length {
		return value.FromWords(0, 0xffff<<32|uint64(last.addr)), length
	}
	addr, ok := value.IPv4(line[:length])
	if !ok {
		return netip.Addr{}, 0
	}
	_, words := value.Words(addr)
	last.low, last.high, last.length, last.addr = low, high, int32(length), uint32(words)
	return addr, length
}

// spaces sets the high bit of the first byte that is a space, and perhaps of bytes behind it.
func spaces(x uint64) uint64 {
	x ^= 0x2020202020202020
	return (x - 0x0101010101010101) &^ x & 0x8080808080808080
}

// before returns a mask of the bytes before the first one that has its high bit set.
func before(x uint64) uint64 { return x&-x>>7 - 1 }
