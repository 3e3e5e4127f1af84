package exempt

import (
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pialert/pialert/agent/internal/value"
)

// session is an entry of utmp(5) of somebody who is logged in from an address.
func session(addr string) []byte { return sessionOn(runtime.GOARCH, addr) }

func sessionOn(processor, addr string) []byte {
	layout := layoutOn(processor)
	record := make([]byte, layout.size)
	binary.NativeEndian.PutUint16(record, 7)
	copy(record[layout.address:], netip.MustParseAddr(addr).AsSlice())
	return record
}

// glibc's struct utmp has 384 bytes on x86 and 32-bit ARM and 400 on arm64 (its test tst-utmp-size says so).
func TestEntriesOfProcessors(t *testing.T) {
	t.Parallel()
	for processor, size := range map[string]int{"amd64": 384, "arm": 384, "arm64": 400} {
		records := append(sessionOn(processor, "5.6.7.8"), sessionOn(processor, "2a00:5::6")...)
		if len(records) != 2*size {
			t.Errorf("%s: an entry has %d bytes", processor, len(records)/2)
		}
		found := utmp(records, layoutOn(processor))
		if len(found) != 2 || found[0].String() != "5.6.7.8" || found[1].String() != "2a00:5::6" {
			t.Errorf("%s: %v", processor, found)
		}
	}
}

func TestWhoIsExempt(t *testing.T) {
	gone := session("8.8.8.8")
	binary.NativeEndian.PutUint16(gone, 8) // DEAD_PROCESS
	now := time.Now()
	l := New(Options{
		Allow:   func() value.Networks { return value.NewNetworks(netip.MustParsePrefix("203.0.114.0/24")) },
		Include: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")},
		Root: fstest.MapFS{
			"proc/net/route":                         {Data: []byte("Iface\tDestination\tGateway\tFlags\neth0\t00000000\t" + "010A0A09\t0003\n")},
			"proc/net/ipv6_route":                    {Data: []byte("00000000000000000000000000000000 00 00000000000000000000000000000000 00 2a000001000200030000000000000001 00000400 00000001 00000000 00000003 eth0\n")},
			"etc/resolv.conf":                        {Data: []byte("# mine\nnameserver 9.9.9.9\nnameserver fe80::1%eth0\nsearch example.org\n")},
			"run/systemd/resolve/resolv.conf":        {Data: []byte("nameserver 9.9.9.10\n")},
			"run/NetworkManager/no-stub-resolv.conf": {Data: []byte("nameserver 9.9.9.11\n")},
			"run/utmp":                               {Data: append(append(session("5.6.7.8"), session("2a00:5::6")...), gone...)},
			"run/systemd/sessions/12":                {Data: []byte("# systemd\nUID=0\nREMOTE=1\nREMOTE_HOST=7.7.7.7\n")},
			"run/systemd/sessions/c1":                {Data: []byte("UID=0\nREMOTE=0\n")},
			"run/systemd/sessions/odd":               {Data: []byte("REMOTE_HOST=host.example.org\n")},
		},
		Own: func() ([]net.Addr, error) {
			return []net.Addr{&net.IPNet{IP: net.IPv4(1, 2, 3, 4), Mask: net.CIDRMask(24, 32)}}, nil
		},
		Peers: func() []netip.Addr {
			return []netip.Addr{netip.MustParseAddr("6.6.6.6"), netip.MustParseAddr("2a00:6::6")}
		},
		Now: func() time.Time { return now },
	})
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Fatal("the routes of this test are those of a little-endian machine")
	}
	for source, want := range map[string]string{
		"203.0.114.7/32":  "it is in responses.allow",
		"1.2.3.4/32":      "it is this machine's own",
		"1.2.3.0/24":      "it is this machine's own",
		"9.10.10.1/32":    "it is a gateway",
		"2a00:1:2:3::/64": "it is a gateway",
		"9.9.9.9/32":      "it is a resolver",
		"9.9.9.10/32":     "it is a resolver",
		"9.9.9.11/32":     "it is a resolver",
		"5.6.7.8/32":      "somebody is logged in from there",
		"2a00:5::/64":     "somebody is logged in from there",
		"7.7.7.7/32":      "somebody is logged in from there",
		"6.6.6.6/32":      "a display is there",
		"2a00:6::/64":     "a display is there",
		"10.0.1.1/32":     "a private network",
		"10.0.0.7/32":     "",
		"8.8.8.8/32":      "",
		"1.2.3.5/32":      "",
		"2a00:1:2:4::/64": "",
		"0.0.0.0/0":       "no address of a host",
		"2a00:5::/32":     "somebody is logged in from there",
	} {
		why, exempt := l.Why(netip.MustParsePrefix(source))
		if why != want || exempt != (want != "") {
			t.Errorf("%s: %q, want %q", source, why, want)
		}
	}
}

// Whether somebody is logged in from elsewhere, on which it depends whether enforcing begins with a trial: by each of
// the places that say so, also where they say a name instead of an address.
func TestWhoIsLoggedInFromElsewhere(t *testing.T) {
	t.Parallel()
	named := func(host string) []byte {
		record := session("0.0.0.0")
		copy(record[76:], host)
		return record
	}
	console := session("0.0.0.0")
	left := session("5.6.7.8")
	binary.NativeEndian.PutUint16(left, 8) // DEAD_PROCESS
	const sessions = "run/systemd/sessions/1"
	for _, test := range []struct {
		name, path string
		content    []byte
		want       bool
		exempt     string // an address that is, then
	}{
		{"nobody", "run/utmp", nil, false, ""},
		{"at the console", "run/utmp", console, false, ""},
		{"at the display", "run/utmp", named(":0"), false, ""},
		{"in tmux", "run/utmp", named("tmux(4711).%0"), false, ""},
		{"in screen", "run/utmp", named(":pts/1:S.0"), false, ""},
		{"who has left", "run/utmp", left, false, ""},
		{"half a record", "run/utmp", session("5.6.7.8")[:383], false, ""},
		{"by SSH", "run/utmp", session("5.6.7.8"), true, "5.6.7.8/32"},
		{"by SSH and IPv6", "run/utmp", session("2a00:5::6"), true, "2a00:5::/64"},
		{"by mosh", "run/utmp", named("5.6.7.8 via mosh [4711]"), true, "5.6.7.8/32"},
		{"from a name", "run/utmp", named("home.example.org"), true, ""},
		{"by SSH, after others", "run/utmp", append(append(console, left...), session("5.6.7.8")...), true, "5.6.7.8/32"},
		{"logind: at the console", sessions, []byte("UID=0\nREMOTE=0\n"), false, ""},
		{"logind: by SSH", sessions, []byte("UID=0\nREMOTE=1\nREMOTE_HOST=5.6.7.8\n"), true, "5.6.7.8/32"},
		{"logind: by SSH and IPv6", sessions, []byte("REMOTE=1\nREMOTE_HOST=2a00:5::6\n"), true, "2a00:5::/64"},
		{"logind: from a name", sessions, []byte("REMOTE=1\nREMOTE_HOST=home.example.org\n"), true, ""},
		{"logind: from nowhere", sessions, []byte("REMOTE=1\n"), true, ""},
		{"another file of logind's", "run/systemd/seats/1", []byte("REMOTE=1\nREMOTE_HOST=5.6.7.8\n"), false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := New(Options{
				Allow: func() value.Networks { return value.Networks{} }, Root: fstest.MapFS{test.path: {Data: test.content}}, Now: time.Now,
				Own: func() ([]net.Addr, error) { return nil, nil }, Peers: func() []netip.Addr { return nil },
			})
			if got := l.Remote(); got != test.want {
				t.Errorf("logged in from elsewhere: %t, want %t", got, test.want)
			}
			for _, source := range []string{"5.6.7.8/32", "2a00:5::/64"} {
				if _, exempt := l.Why(netip.MustParsePrefix(source)); exempt != (source == test.exempt) {
					t.Errorf("%s is exempt: %t", source, exempt)
				}
			}
		})
	}
}

// Who logs in is exempt within seconds, and who leaves is not for long.
func TestItLooksAgain(t *testing.T) {
	now := time.Now()
	root := fstest.MapFS{}
	l := New(Options{
		Allow: func() value.Networks { return value.Networks{} },
		Root:  root, Own: func() ([]net.Addr, error) { return nil, nil }, Peers: func() []netip.Addr { return nil }, Now: func() time.Time { return now },
	})
	source := netip.MustParsePrefix("5.6.7.8/32")
	for _, here := range []bool{false, true, false} {
		delete(root, "run/utmp")
		if here {
			root["run/utmp"] = &fstest.MapFile{Data: session("5.6.7.8")}
		}
		now = now.Add(staleAfter)
		if _, exempt := l.Why(source); exempt != here {
			t.Errorf("logged in: %t, exempt: %t", here, exempt)
		}
	}
	root["run/utmp"] = &fstest.MapFile{Data: session("5.6.7.8")}
	now = now.AddDate(-10, 0, 0) // a clock that was ahead
	if _, exempt := l.Why(source); !exempt {
		t.Error("a clock that goes back keeps what was seen before it")
	}
}
