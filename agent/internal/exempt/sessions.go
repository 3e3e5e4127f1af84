package exempt

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
)

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
