package ignore

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWhoIsIgnored(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ignore.txt")
	if err := os.WriteFile(file, []byte("# ours\n198.51.100.0/24  # the office\n\nvpn.example.com\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	answers := map[string]string{"home.example.com": "203.0.113.7", "vpn.example.com": "2001:db8::7"}
	down := false
	list, err := New(Options{
		Entries: []string{"192.0.2.7", "192.0.2.128/25", "::ffff:203.0.113.200", "::ffff:203.0.113.210/127", "2001:db8:1::/48", "home.example.com", file},
		Self:    true,
		Lookup: func(_ context.Context, name string) ([]netip.Addr, error) {
			if down {
				return nil, errors.New("no name server answers")
			}
			return []netip.Addr{netip.MustParseAddr(answers[name])}, nil
		},
		Addresses: func() ([]netip.Prefix, error) { return []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string, want map[string]bool) {
		t.Helper()
		for text, ignored := range want {
			if list.Contains(netip.MustParseAddr(text)) != ignored {
				t.Errorf("%s: %s is ignored: %v, want %v", when, text, !ignored, ignored)
			}
		}
	}
	check("before anything was looked up", map[string]bool{"192.0.2.7": true, "203.0.113.7": false, "10.0.0.1": false})
	list.Refresh(t.Context())
	if unknown := list.Unknown(); unknown != nil {
		t.Errorf("unknown is %q", unknown)
	}
	all := map[string]bool{
		"192.0.2.7": true, "192.0.2.8": false, "192.0.2.200": true, "::ffff:192.0.2.7": true, "203.0.113.200": true, "2001:db8:1::9": true,
		"203.0.113.211": true, "203.0.113.212": false,
		"203.0.113.7": true, "198.51.100.9": true, "2001:db8::7": true, "2001:db8::8": false, "10.0.0.1": true, "10.0.0.2": false,
	}
	check("looked up", all)
	down = true
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	list.Refresh(t.Context())
	if unknown := list.Unknown(); len(unknown) != 3 || !slices.Contains(unknown, "open "+file+": no such file or directory") {
		t.Errorf("unknown is %q", unknown)
	}
	check("while nothing can be looked up", all)
	down, answers["home.example.com"] = false, "203.0.113.8"
	list.Refresh(t.Context())
	check("after the name moved", map[string]bool{"203.0.113.7": false, "203.0.113.8": true})
	if (*List)(nil).Contains(netip.MustParseAddr("192.0.2.7")) || list.Contains(netip.Addr{}) {
		t.Error("no list, or no address, is ignored")
	}
}

// What is too much is said, not left out in silence.
func TestTooMuch(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	long, large := filepath.Join(folder, "long"), filepath.Join(folder, "large")
	var lines []byte
	for i := range maxEntries {
		lines = fmt.Appendf(lines, "10.%d.%d.%d\n", i>>16, i>>8&255, i&255)
	}
	for path, content := range map[string][]byte{long: lines, large: make([]byte, maxFile+1)} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for entry, want := range map[string]string{long: "10001 entries are too many: the last 1 are left out", large: "it has more than 1048576 bytes"} {
		list, err := New(Options{Entries: []string{entry}})
		if err != nil {
			t.Fatal(err)
		}
		list.Refresh(t.Context())
		if unknown := list.Unknown(); len(unknown) != 1 || !strings.Contains(unknown[0], want) {
			t.Errorf("unknown is %q, want %q", unknown, want)
		}
		if entry == long && !list.Contains(netip.MustParseAddr("10.0.39.14")) { // 9,998
			t.Error("what had room is left out")
		}
	}
}

func TestEntriesThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for entry, ok := range map[string]bool{
		"192.0.2.1": true, "192.0.2.0/24": true, "2001:db8::/32": true, "home.example.com": true, "localhost": true, "/etc/hosts": true,
		"192.0.2.0/33": false, "192.0.2": false, "": false, "a b": false, "relative/file": false,
	} {
		if _, err := New(Options{Entries: []string{entry}}); (err == nil) != ok {
			t.Errorf("%q: error %v", entry, err)
		}
	}
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("192.0.2.7\nnot an address\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readFile(bad); err == nil {
		t.Error("a line that is none passes")
	}
}

func TestTheMachinesOwnAddresses(t *testing.T) {
	t.Parallel()
	list, err := New(Options{Self: true})
	if err != nil {
		t.Fatal(err)
	}
	list.Refresh(t.Context())
	if !list.Contains(netip.MustParseAddr("127.0.0.1")) {
		t.Error("127.0.0.1 is not one")
	}
}
