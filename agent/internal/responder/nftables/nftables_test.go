package nftables_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pialert/pialert/agent/internal/responder/nftables"
	"github.com/pialert/pialert/agent/internal/value"
)

// host is a machine of its own: a network namespace with some addresses on its loopback.
type host struct {
	t     *testing.T
	name  string
	netns int
}

func boot(t *testing.T) *host {
	t.Helper()
	h := &host{t: t, name: fmt.Sprintf("nft%d", time.Now().UnixNano())}
	h.must("ip", "netns", "add", h.name)
	t.Cleanup(func() { exec.Command("ip", "netns", "del", h.name).Run() })
	h.run("ip link set lo up; ip -6 addr add 2a00:9::1/128 dev lo nodad; ip -6 addr add 2a00:1:2:3::8/128 dev lo nodad; ip -6 addr add 2a00:1:2:3::7/128 dev lo nodad; ip -6 addr add 2a00:1:2:4::1/128 dev lo nodad")
	fd, err := unix.Open("/var/run/netns/"+h.name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	h.netns = fd
	return h
}

func (h *host) must(name string, args ...string) string {
	h.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		h.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// run runs a shell command on the host.
func (h *host) run(command string) string {
	h.t.Helper()
	return h.must("ip", "netns", "exec", h.name, "sh", "-ec", command)
}

// inside runs do on the host, on a thread of its own.
func (h *host) inside(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never back: the thread ends with the goroutine
		if err := unix.Setns(h.netns, unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- do()
	}()
	return <-done
}

// reaches says whether packets from an address reach the host.
func (h *host) reaches(from string) bool {
	h.t.Helper()
	source := netip.MustParseAddr(from)
	to := "127.0.0.1"
	if source.Is6() {
		to = "2a00:9::1"
	}
	err := h.inside(func() error {
		listener, err := net.Listen("tcp", net.JoinHostPort(to, "0"))
		if err != nil {
			h.t.Error(err)
			return err
		}
		defer listener.Close()
		dialer := net.Dialer{Timeout: 300 * time.Millisecond, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))}
		conn, err := dialer.Dial("tcp", listener.Addr().String())
		if err == nil {
			conn.Close()
		}
		return err
	})
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			h.t.Errorf("from %s: %v", from, err)
		}
	}
	return err == nil
}

func (h *host) wants(reaches bool, from ...string) {
	h.t.Helper()
	for _, one := range from {
		if h.reaches(one) != reaches {
			h.t.Errorf("packets of %s reach the host: %t, want %t", one, !reaches, reaches)
		}
	}
}

func ban(target string, until time.Time) nftables.Ban {
	return nftables.Ban{Target: netip.MustParsePrefix(target), Until: until}
}

func TestBannedPacketsStop(t *testing.T) {
	h, now := boot(t), time.Now()
	table := nftables.New(nftables.Options{NetNS: h.netns})
	h.wants(true, "127.0.0.2", "2a00:1:2:3::7")
	hour := now.Add(time.Hour)
	changed, err := table.Sync([]nftables.Ban{ban("127.0.0.2/32", hour), ban("2a00:1:2:3::/64", hour), ban("127.9.0.0/24", hour)}, value.Networks{}, now)
	if err != nil || changed != 3 {
		t.Fatalf("%d changed, %v", changed, err)
	}
	h.wants(false, "127.0.0.2", "2a00:1:2:3::7", "127.9.0.7")
	h.wants(true, "127.0.0.3", "2a00:1:2:4::1", "127.9.1.7")
	if packets, bytes, err := table.Dropped(); err != nil || packets < 3 || bytes < 100 {
		t.Errorf("%d packets of %d bytes dropped, %v", packets, bytes, err)
	}
	if changed, err := table.Sync([]nftables.Ban{ban("127.0.0.2/32", hour)}, value.Networks{}, now); err != nil || changed != 2 {
		t.Fatalf("%d changed, %v", changed, err)
	}
	h.wants(false, "127.0.0.2")
	h.wants(true, "127.9.0.7", "2a00:1:2:3::7")
	if err := table.Remove(); err != nil {
		t.Fatal(err)
	}
	h.wants(true, "127.0.0.2")
	if out := h.run("nft list tables"); strings.Contains(out, "pialert") {
		t.Errorf("a table is left: %s", out)
	}
}

func TestAllowedPacketsPass(t *testing.T) {
	h, now := boot(t), time.Now()
	table := nftables.New(nftables.Options{NetNS: h.netns})
	allow := value.NewNetworks(netip.MustParsePrefix("127.0.0.2/32"), netip.MustParsePrefix("127.0.0.0/30"), netip.MustParsePrefix("2a00:1:2:3::7/128"))
	_, err := table.Sync([]nftables.Ban{ban("127.0.0.0/8", now.Add(time.Hour)), ban("2a00:1:2:3::/64", now.Add(time.Hour))}, allow, now)
	if err != nil {
		t.Fatal(err)
	}
	h.wants(true, "127.0.0.2", "127.0.0.3", "2a00:1:2:3::7")
	h.wants(false, "127.0.0.9", "2a00:1:2:3::8")
}

// Whatever stands in the allow list, up to the whole internet and thousands of a CDN's networks, the table holds it, and
// is found intact when it is read back.
func TestAllowLists(t *testing.T) {
	var many []string
	for i := range 5000 {
		many = append(many, fmt.Sprintf("%d.%d.%d.0/24", 20+i>>12, i>>4&255, i<<4&255))
	}
	for name, allow := range map[string][]string{
		"all of IPv4": {"0.0.0.0/0"}, "all of IPv6": {"::/0"}, "all of both, and a part": {"0.0.0.0/0", "::/0", "10.0.0.0/8"},
		"halves": {"128.0.0.0/1", "0.0.0.0/1"}, "first and last": {"0.0.0.0/32", "::/128", "255.255.255.255/32", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
		"neighbours and twice": {"9.128.0.0/9", "9.0.0.0/9", "9.9.9.9/32", "9.9.9.9/32"}, "bits behind the network": {"9.9.9.9/8"}, "many": many,
	} {
		t.Run(name, func(t *testing.T) { // not parallel: the library numbers the sets of a process without a lock
			h, now := boot(t), time.Now()
			table := nftables.New(nftables.Options{NetNS: h.netns})
			var list []netip.Prefix
			for _, one := range allow {
				list = append(list, netip.MustParsePrefix(one))
			}
			bans := []nftables.Ban{ban("127.0.0.2/32", now.Add(time.Hour))}
			for i := range 3 {
				if changed, err := table.Sync(bans, value.NewNetworks(list...), now); err != nil || changed > 0 && i > 0 {
					t.Fatalf("look %d: %d changed, %v", i, changed, err)
				}
			}
			allowed := strings.HasPrefix(allow[0], "0.0.0.0/0") || name == "halves"
			h.wants(allowed, "127.0.0.2")
		})
	}
}

// The kernel ends a ban by itself, without anybody's help.
func TestBansEndByThemselves(t *testing.T) {
	h, now := boot(t), time.Now()
	table := nftables.New(nftables.Options{NetNS: h.netns})
	if _, err := table.Sync([]nftables.Ban{ban("127.0.0.2/32", now.Add(3*time.Second))}, value.Networks{}, now); err != nil {
		t.Fatal(err)
	}
	h.wants(false, "127.0.0.2")
	for h.run("nft list set inet pialert ban4"); strings.Contains(h.run("nft list set inet pialert ban4"), "127.0.0.2"); {
		if time.Since(now) > time.Minute {
			t.Fatal("the ban of three seconds lasts a minute")
		}
	}
	h.wants(true, "127.0.0.2")
}

// A ban that is given again lasts as it says now, longer or shorter.
func TestANewEndHolds(t *testing.T) {
	h, now := boot(t), time.Now()
	table := nftables.New(nftables.Options{NetNS: h.netns})
	for _, until := range []time.Duration{time.Hour, 5 * time.Hour, 20 * time.Minute} {
		for _, give := range []func(b nftables.Ban) error{
			func(b nftables.Ban) error { _, err := table.Sync([]nftables.Ban{b}, value.Networks{}, now); return err },
			func(b nftables.Ban) error { b.Until = b.Until.Add(time.Minute); return table.Add(b, now) },
		} {
			if err := give(ban("127.0.0.2/32", now.Add(until))); err != nil {
				t.Fatal(err)
			}
		}
		out := h.run("nft list set inet pialert ban4")
		want := map[time.Duration]string{time.Hour: "expires 1h", 5 * time.Hour: "expires 5h", 20 * time.Minute: "expires 2"}[until]
		if strings.Count(out, "127.0.0.2") != 1 || !strings.Contains(out, want) {
			t.Errorf("banned until %s from now, but %s", until, out)
		}
	}
}

// Whatever others do to the table, the next Sync makes it right; their own tables stay as they are.
func TestForeignChangesAreRepaired(t *testing.T) {
	h, now := boot(t), time.Now()
	h.run("nft add table inet filter; nft add chain inet filter input '{ type filter hook input priority 0; policy accept; }'; nft add rule inet filter input counter")
	foreign := h.run("nft list table inet filter")
	table := nftables.New(nftables.Options{NetNS: h.netns, Forward: true})
	bans := []nftables.Ban{ban("127.0.0.2/32", now.Add(time.Hour)), ban("127.9.0.0/24", now.Add(time.Hour)), ban("2a00:1:2:3::/64", now.Add(time.Hour))}
	allow := value.NewNetworks(netip.MustParsePrefix("127.0.0.100/32"))
	for _, spoil := range []string{
		"true",
		"nft delete table inet pialert",
		"nft flush set inet pialert ban4",
		"nft delete element inet pialert net4 '{ 127.9.0.0/24 }'",
		"nft add element inet pialert ban4 '{ 127.0.0.3 }'",
		"nft flush set inet pialert allow4",
		"nft flush chain inet pialert input",
		"nft insert rule inet pialert input accept",
		"nft delete chain inet pialert forward",
		"nft add chain inet pialert more",
		"nft add set inet pialert more '{ type ipv4_addr; }'",
		"nft 'add chain inet pialert input { policy drop; }'",
	} {
		if strings.Contains(spoil, "pialert") {
			h.run(spoil)
		}
		if _, err := table.Sync(bans, allow, now); err != nil {
			t.Errorf("after %q: %v", spoil, err)
			continue
		}
		if changed, err := table.Sync(bans, allow, now); err != nil || changed != 0 {
			t.Errorf("after %q: a second look changes %d, %v", spoil, changed, err)
		}
		h.wants(false, "127.0.0.2", "127.9.0.7", "2a00:1:2:3::7")
		h.wants(true, "127.0.0.3")
		if t.Failed() {
			t.Fatalf("after %q:\n%s", spoil, h.run("nft list table inet pialert"))
		}
	}
	if now := h.run("nft list table inet filter | sed 's/packets [0-9]* bytes [0-9]*/packets 0 bytes 0/'"); now != strings.ReplaceAll(foreign, "\r", "") {
		t.Errorf("another table was\n%s\nand is\n%s", foreign, now)
	}
}

// Two bans beside each other keep their own ends: nothing is merged.
func TestNeighboursKeepTheirEnds(t *testing.T) {
	h, now := boot(t), time.Now()
	table := nftables.New(nftables.Options{NetNS: h.netns})
	if _, err := table.Sync([]nftables.Ban{ban("127.5.0.0/25", now.Add(10*time.Hour)), ban("127.5.0.128/25", now.Add(30*time.Minute))}, value.Networks{}, now); err != nil {
		t.Fatal(err)
	}
	out := h.run("nft list set inet pialert net4")
	if !strings.Contains(out, "127.5.0.0/25 timeout") || !strings.Contains(out, "127.5.0.128/25 timeout") {
		t.Errorf("got %s", out)
	}
	if changed, err := table.Sync([]nftables.Ban{ban("127.5.0.0/25", now.Add(10*time.Hour)), ban("127.5.0.128/25", now.Add(30*time.Minute))}, value.Networks{}, now); err != nil || changed != 0 {
		t.Errorf("read back, %d differ, %v", changed, err)
	}
}

func TestManyBans(t *testing.T) {
	h, now := boot(t), time.Now()
	table := nftables.New(nftables.Options{NetNS: h.netns})
	var bans []nftables.Ban
	for i := range 20_000 {
		bans = append(bans, nftables.Ban{
			Target: netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 1}), 32), Until: now.Add(time.Hour),
		})
	}
	if changed, err := table.Sync(bans, value.Networks{}, now); err != nil || changed != 20_000 {
		t.Fatalf("%d changed, %v", changed, err)
	}
	if n := strings.Count(h.run("nft list set inet pialert ban4"), "expires"); n != 20_000 {
		t.Errorf("%d bans in force", n)
	}
	if changed, err := table.Sync(bans[:10_000], value.Networks{}, time.Now()); err != nil || changed != 10_000 {
		t.Errorf("%d changed, %v", changed, err)
	}
}

// Whoever changes the table is noticed.
func TestWatch(t *testing.T) {
	h, now := boot(t), time.Now()
	table := nftables.New(nftables.Options{NetNS: h.netns})
	bans := []nftables.Ban{ban("127.0.0.2/32", now.Add(time.Hour))}
	if _, err := table.Sync(bans, value.Networks{}, now); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	changes := make(chan struct{}, 1000)
	done := make(chan error, 1)
	go func() { done <- table.Watch(ctx, func() { changes <- struct{}{} }) }()
	for seen := false; !seen; { // until it watches
		h.run("nft add table inet other; nft delete table inet other")
		select {
		case <-changes:
			seen = true
		case err := <-done:
			t.Fatalf("it ended: %v", err)
		default:
		}
	}
	h.run("nft flush ruleset")
	<-changes
	if _, err := table.Sync(bans, value.Networks{}, now); err != nil {
		t.Fatal(err)
	}
	h.wants(false, "127.0.0.2")
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAddNeedsToKnowTheTable(t *testing.T) {
	h := boot(t)
	table := nftables.New(nftables.Options{NetNS: h.netns})
	if err := table.Add(ban("127.0.0.2/32", time.Now().Add(time.Hour)), time.Now()); err == nil {
		t.Error("a ban was added to a table that nobody has read")
	}
	if out := h.run("nft list tables"); strings.Contains(out, "pialert") {
		t.Errorf("a table was made: %s", out)
	}
}
