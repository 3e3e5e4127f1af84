package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"io/fs"
	"net"
	"net/netip"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pialert/pialert/agent/internal/policy"
)

// never protects from bans: special networks, the allow list, this machine and its way out, the
// displays, and whoever is logged in. It looks anew once what it knows is stale.
type never struct {
	allow   func() []netip.Prefix // the owner's list, as known now
	include []netip.Prefix
	root    fs.FS // the file system, for what the kernel and systemd say of routes and sessions
	own     func() ([]net.Addr, error)
	peers   func() []netip.Addr // addresses of the displays, as seen on the link
	now     func() time.Time

	mu      sync.Mutex
	known   []protected
	refresh time.Time
}

type protected struct {
	network netip.Prefix
	why     string
}

// staleAfter is for how long what was seen of the machine is believed.
const staleAfter = 5 * time.Second

// Why implements [policy.Never].
func (n *never) Why(source netip.Prefix) (string, bool) {
	if why, never := policy.Special(source, n.include); never {
		return why, true
	}
	if policy.Listed(source, n.allow()) {
		return "it is in responses.allow", true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if now := n.now(); !now.Before(n.refresh) || n.refresh.Sub(now) > staleAfter {
		n.known, n.refresh = n.look(), now.Add(staleAfter)
	}
	for _, one := range n.known {
		if one.network.Overlaps(source) {
			return one.why, true
		}
	}
	return "", false
}

// look finds out what must not be banned now. What cannot be read protects nobody.
func (n *never) look() (all []protected) {
	add := func(why string, addresses ...netip.Addr) {
		for _, addr := range addresses {
			if addr = addr.Unmap().WithZone(""); addr.IsValid() && !addr.IsUnspecified() {
				all = append(all, protected{netip.PrefixFrom(addr, addr.BitLen()), why})
			}
		}
	}
	if own, err := n.own(); err == nil {
		for _, one := range own {
			if prefix, err := netip.ParsePrefix(one.String()); err == nil {
				add("it is this machine's own", prefix.Addr())
			}
		}
	}
	add("a display is there", n.peers()...)
	add("it is a gateway", gateways4(n.read("proc/net/route"))...)
	add("it is a gateway", gateways6(n.read("proc/net/ipv6_route"))...)
	for _, path := range resolvConf {
		add("it is a resolver", resolvers(n.read(path))...)
	}
	add("somebody is logged in from there", n.sessions()...)
	return all
}

// sessions returns from where somebody is logged in now, by utmp(5) and by systemd-logind.
func (n *never) sessions() (all []netip.Addr) {
	all = utmp(n.read("run/utmp"))
	if sessions, err := fs.ReadDir(n.root, "run/systemd/sessions"); err == nil {
		for _, session := range sessions[:min(len(sessions), maxSessions)] {
			all = append(all, remoteHost(n.read(path.Join("run/systemd/sessions", session.Name()))))
		}
	}
	return slices.DeleteFunc(all, func(addr netip.Addr) bool { return !addr.IsValid() || addr.IsUnspecified() })
}

// remote says whether somebody is logged in from another machine.
func (n *never) remote() bool { return len(n.sessions()) > 0 }

const (
	maxSessions = 4096
	maxRead     = 4 << 20 // bytes of one file
)

func (n *never) read(name string) []byte {
	content, err := fs.ReadFile(n.root, name)
	if err != nil || len(content) > maxRead {
		return nil
	}
	return content
}

// gateways4 reads /proc/net/route (proc_net(5)): the third field of a line is the gateway, in
// hexadecimal and the machine's byte order.
func gateways4(table []byte) (all []netip.Addr) {
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		if raw, err := hex.DecodeString(fields[2]); err == nil && len(raw) == 4 {
			var network [4]byte
			binary.NativeEndian.PutUint32(network[:], binary.BigEndian.Uint32(raw))
			all = append(all, netip.AddrFrom4(network))
		}
	}
	return all
}

// gateways6 reads /proc/net/ipv6_route: the fifth field of a line is the next hop, in hexadecimal.
func gateways6(table []byte) (all []netip.Addr) {
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		if raw, err := hex.DecodeString(fields[4]); err == nil && len(raw) == 16 {
			all = append(all, netip.AddrFrom16([16]byte(raw)))
		}
	}
	return all
}

// resolvConf are the files that name resolvers. Where systemd-resolved or NetworkManager's dnsmasq answers on
// loopback, resolv.conf has that alone, and those that are asked stand in a file beside.
var resolvConf = []string{"etc/resolv.conf", "run/systemd/resolve/resolv.conf", "run/NetworkManager/no-stub-resolv.conf"}

// resolvers reads resolv.conf(5).
func resolvers(conf []byte) (all []netip.Addr) {
	for scanner := bufio.NewScanner(strings.NewReader(string(conf))); scanner.Scan(); {
		fields := strings.Fields(scanner.Text())
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if addr, err := netip.ParseAddr(fields[1]); err == nil {
			all = append(all, addr)
		}
	}
	return all
}

// The layout of an entry of utmp(5) on Linux: a short at 0 is 7 where somebody is logged in, and 16
// bytes at 348 are the address; of an IPv4 one the first four, and the rest is 0.
const (
	utmpSize    = 384
	utmpAddress = 348
	userProcess = 7
)

// utmp reads who is logged in from where.
func utmp(records []byte) (all []netip.Addr) {
	for record := range slices.Chunk(records, utmpSize) {
		if len(record) < utmpSize || binary.NativeEndian.Uint16(record) != userProcess {
			continue
		}
		raw := [16]byte(record[utmpAddress : utmpAddress+16])
		if [12]byte(raw[4:]) == [12]byte{} {
			all = append(all, netip.AddrFrom4([4]byte(raw[:4])))
		} else {
			all = append(all, netip.AddrFrom16(raw))
		}
	}
	return all
}

// remoteHost reads one session of systemd-logind: a line REMOTE_HOST= says where it is from.
func remoteHost(session []byte) netip.Addr {
	for line := range strings.Lines(string(session)) {
		if host, ok := strings.CutPrefix(strings.TrimSpace(line), "REMOTE_HOST="); ok {
			addr, _ := netip.ParseAddr(host)
			return addr
		}
	}
	return netip.Addr{}
}
