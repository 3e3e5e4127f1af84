package history

import (
	"net/netip"
	"testing"
)

// One name alone is looked for as lists write it, with its length; a network of several names is not.
func TestExactly(t *testing.T) {
	for _, one := range []struct {
		filter Filter
		what   nameKind
		want   string
	}{
		{Filter{User: "root"}, userNames, "\x04root"},
		{Filter{Source: netip.MustParsePrefix("192.0.2.7/32")}, addressNames, "\x04\xc0\x00\x02\x07"},
		{Filter{Source: netip.MustParsePrefix("::ffff:192.0.2.7/128")}, addressNames, "\x04\xc0\x00\x02\x07"},
		{Filter{Source: netip.MustParsePrefix("192.0.2.0/25")}, addressNames, ""},
		{Filter{Source: netip.MustParsePrefix("192.0.2.0/24")}, networkNames, "\x03\xc0\x00\x02"},
		{Filter{Source: netip.MustParsePrefix("192.0.2.0/24")}, addressNames, ""},
		{Filter{Source: netip.MustParsePrefix("192.0.0.0/16")}, networkNames, ""},
		{Filter{Source: netip.MustParsePrefix("2001:db8::/64")}, networkNames, "\x08\x20\x01\x0d\xb8\x00\x00\x00\x00"},
		{Filter{Source: netip.MustParsePrefix("2001:db8::/48")}, networkNames, ""},
	} {
		if got := string(one.filter.exactly(one.what)); got != one.want {
			t.Errorf("%+v of %d is written %q, want %q", one.filter, one.what, got, one.want)
		}
	}
}

// A list may have a name if it has it or left out some, and not because another one ends as it does.
func TestMayHave(t *testing.T) {
	list := func(names ...string) []byte {
		l := make(nameList)
		for _, name := range names {
			l.of(group{1, 1}).add(name, Sum{1, 1})
		}
		return l.append(nil)
	}
	exact, in := []byte("\x04root"), func(name []byte) bool { return string(name) == "root" }
	for _, one := range []struct {
		list []byte
		want bool
	}{
		{list("admin", "root"), true}, {list("admin", ""), true}, {list("admin", "uproot"), false}, {nil, false},
	} {
		found, out := find(one.list, exact)
		if a, b := out || len(found) > 0, mayHave(one.list, in); a != one.want || b != one.want {
			t.Errorf("%q: %v by its bytes, %v by its names, want %v", one.list, a, b, one.want)
		}
	}
}
