package value

import (
	"net/netip"
	"testing"
)

// Addresses survive the way through two numbers; a mapped one comes back as IPv4.
func TestWords(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0.0.0.0", "192.0.2.7", "255.255.255.255", "::", "::1", "2001:db8:1:2:3:4:5:6", "::fffe:192.0.2.7", "ffff:ffff::ffff"} {
		addr := netip.MustParseAddr(text)
		high, low := Words(addr)
		raw := addr.As16()
		for i, b := range raw {
			word := high
			if i >= 8 {
				word = low
			}
			if byte(word>>(56-i%8*8)) != b {
				t.Errorf("%s: byte %d of %x %x is not %x", text, i, high, low, b)
			}
		}
		if got := FromWords(high, low); got != addr {
			t.Errorf("%s comes back as %s", text, got)
		}
	}
	if got := FromWords(Words(netip.MustParseAddr("::ffff:192.0.2.7"))); got != netip.MustParseAddr("192.0.2.7") {
		t.Errorf("a mapped address comes back as %s", got)
	}
}

// What is read as IPv4 is what netip reads, but for leading zeros.
func TestIPv4(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0.0.0.0", "1.2.3.4", "192.0.2.255", "255.255.255.255", "256.1.1.1", "1.2.3", "1.2.3.4.5", "1..2.3", "1.2.3.", ".1.2.3", "1.2.3.1000", "a.b.c.d"} {
		want, err := netip.ParseAddr(text)
		got, ok := IPv4([]byte(text))
		if ok != (err == nil) || got != want {
			t.Errorf("%s: %v, %v, want %v, %v", text, got, ok, want, err)
		}
	}
	if got, ok := IPv4([]byte("010.001.000.099")); !ok || got != netip.MustParseAddr("10.1.0.99") {
		t.Errorf("leading zeros: %v, %v", got, ok)
	}
}
