package exempt

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
)

// An entry of utmp(5) on Linux: a short at 0 is 7 where somebody is logged in, 256 bytes at 76 are the host that he
// came from, and 16 further on its address; of an IPv4 one the first four, and the rest is 0.
const (
	utmpHost, utmpHostLength = 76, 256
	userProcess              = 7
)

// utmpLayout is how long an entry is, and where its address stands.
type utmpLayout struct{ size, address int }

// layoutOn returns the layout of a processor's. glibc keeps times of 32 bits in the file, for programs of 32 bits
// beside those of 64, but where there have never been any (its sysdeps/generic/utmp-size.h): on arm64.
func layoutOn(processor string) utmpLayout {
	if processor == "arm64" {
		return utmpLayout{400, 360}
	}
	return utmpLayout{384, 348}
}

// utmp reads who is logged in from where. An address is the unspecified one where only a name says from where;
// mosh writes its address in the place of the name alone: "192.0.2.7 via mosh [4711]".
func utmp(records []byte, layout utmpLayout) (all []netip.Addr) {
	for record := range slices.Chunk(records, layout.size) {
		if len(record) < layout.size || binary.NativeEndian.Uint16(record) != userProcess {
			continue
		}
		raw := [16]byte(record[layout.address : layout.address+16])
		addr := netip.AddrFrom16(raw)
		if [12]byte(raw[4:]) == [12]byte{} {
			addr = netip.AddrFrom4([4]byte(raw[:4]))
		}
		host, _, _ := bytes.Cut(record[utmpHost:utmpHost+utmpHostLength], []byte{0})
		word, _, _ := strings.Cut(string(host), " ")
		if said, err := netip.ParseAddr(word); err == nil && addr.IsUnspecified() {
			addr = said
		}
		if !addr.IsUnspecified() || isElsewhere(word) {
			all = append(all, addr)
		}
	}
	return all
}

// isElsewhere says whether utmp's host is another machine: not an X display (":0"), nor what tmux and screen write
// ("tmux(4711).%0", ":pts/1:S.0").
func isElsewhere(host string) bool {
	return host != "" && host[0] != ':' && !strings.ContainsAny(host, "(%")
}

// remoteHost reads one session of systemd-logind: the lines REMOTE= and REMOTE_HOST= say whether it is from
// elsewhere, and from where. The address is the unspecified one where that is a name (sshd_config's UseDNS).
func remoteHost(session []byte) (addr netip.Addr, remote bool) {
	addr = netip.IPv6Unspecified()
	for line := range strings.Lines(string(session)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch key {
		case "REMOTE":
			remote = remote || value == "1"
		case "REMOTE_HOST":
			if said, err := netip.ParseAddr(value); err == nil {
				addr, remote = said, true
			}
		}
	}
	return addr, remote
}
