package detect

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/rule"
	"github.com/pialert/pialert/pkg/attack"
)

// The rules for firewalls, which owners put in use themselves, hold their examples, and an address is told of
// by the ports that it tried.
func TestPortProbes(t *testing.T) {
	t.Parallel()
	rules, err := LoadWithExamples(os.DirFS("../../../packaging/agent/rules"))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(rules.User()); n != 4 {
		t.Fatalf("%d rules for firewalls, want 4", n)
	}
	for _, failure := range Test(rules, rules.User()) {
		t.Error(failure)
	}
	var found []attack.Event
	engine, err := New(Options{Rules: rules, Location: time.UTC, Emit: func(e *attack.Event, _ uint64) { found = append(found, *e) }})
	if err != nil {
		t.Fatal(err)
	}
	source, err := NewSource("kern.log", rule.TypeAuto, "")
	if err != nil {
		t.Fatal(err)
	}
	drop := func(from string, port int, minute int) {
		engine.Feed(source, fmt.Appendf(nil, "Jan 31 12:%02d:00 web kernel: IN=eth0 OUT= MAC= SRC=%s DST=192.0.2.1 LEN=60 TOS=0x00 PREC=0x00 TTL=51 ID=1 PROTO=TCP SPT=40000 DPT=%d WINDOW=1 RES=0x00 SYN URGP=0 \n",
			minute, from, port), now)
	}
	for range 50 {
		drop("203.0.113.1", 443, 0) // one port again and again
	}
	for port := range 4 {
		drop("203.0.113.2", port, 0)
	}
	drop("203.0.113.2", 4, 20) // the fifth much later
	if len(found) > 0 {
		t.Fatalf("too few ports are events: %+v", found)
	}
	for port := range 12 {
		drop("198.51.100.7", port, 20)
	}
	if len(found) != 2 || found[0].Count != 5 || found[0].Kind != attack.PortProbe || found[0].SourceIP != netip.MustParseAddr("198.51.100.7") {
		t.Errorf("12 ports are %+v, want two events of 5 ports", found)
	}
	addr := netip.MustParseAddr("2001:db8::")
	var p ports
	for i := range 3 * maxProbers {
		raw := addr.As16()
		raw[4], raw[5] = byte(i>>8), byte(i)
		p.hit(netip.AddrFrom16(raw), "22", 0)
	}
	if len(p.known) != maxProbers {
		t.Errorf("%d networks are remembered, want %d", len(p.known), maxProbers)
	}
}
