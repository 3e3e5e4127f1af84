package exempt

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
)

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
