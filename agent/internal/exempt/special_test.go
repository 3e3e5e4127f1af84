package exempt

import (
	"net/netip"
	"testing"
)

func TestSpecial(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1/32": true, "10.1.2.3/32": true, "192.168.1.0/24": true, "172.31.255.255/32": true, "172.32.0.0/32": false,
		"169.254.1.1/32": true, "224.0.0.1/32": true, "255.255.255.255/32": true, "203.0.113.7/32": true, "100.64.0.1/32": true,
		"::1/128": true, "fe80::/64": true, "fd00:1::/64": true, "2001:db8::/64": true, "ff02::1/128": true,
		"9.9.9.9/32": false, "2a00:1:2:3::/64": false, "9.0.0.0/8": false, "0.0.0.0/0": true, "8.0.0.0/6": true,
	} {
		if _, never := inSpecial(netip.MustParsePrefix(text), nil); never != want {
			t.Errorf("%s: never %t, want %t", text, never, want)
		}
	}
	named := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}
	if _, never := inSpecial(netip.MustParsePrefix("10.0.0.7/32"), named); never {
		t.Error("a network that the owner named is exempt all the same")
	}
	if _, never := inSpecial(netip.MustParsePrefix("10.0.0.0/16"), named); !never {
		t.Error("a network is banned of which the owner named only a part")
	}
}
