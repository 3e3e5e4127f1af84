package link

import (
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/pialert/pialert/pkg/pairing"
)

// Interface is a network interface, as far as it matters here.
type Interface struct {
	Name      string
	Addresses []netip.Addr
}

// Interfaces returns the network interfaces that are up.
func Interfaces() ([]Interface, error) {
	system, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var all []Interface
	for _, i := range system {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		found := Interface{Name: i.Name}
		addresses, err := i.Addrs()
		if err != nil {
			return nil, err
		}
		for _, address := range addresses {
			if prefix, err := netip.ParsePrefix(address.String()); err == nil {
				found.Addresses = append(found.Addresses, prefix.Addr().Unmap())
			}
		}
		all = append(all, found)
	}
	return all, nil
}

// Reachable returns the addresses under which others may reach a listener that is told to
// listen on the address listen: itself, or those of the interfaces if it has no host. Public ones
// come first; public says whether there is any.
func Reachable(listen string, interfaces []Interface) (addresses []string, public bool) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, false
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "" || err == nil && ip.IsUnspecified():
	case err != nil:
		return []string{listen}, true // a name: its owner knows
	default:
		return []string{listen}, isPublic(ip)
	}
	var far, near []string
	for _, i := range interfaces {
		if isVirtual(i.Name) {
			continue
		}
		for _, ip := range i.Addresses {
			address := net.JoinHostPort(ip.String(), port)
			switch {
			case !ip.IsGlobalUnicast() || slices.Contains(far, address) || slices.Contains(near, address):
			case isPublic(ip):
				far = append(far, address)
			default:
				near = append(near, address)
			}
		}
	}
	addresses = append(far, near...)
	return addresses[:min(len(addresses), pairing.MaxAddresses)], len(far) > 0
}

// isPublic says whether others than the neighbours can reach ip. It knows RFC 1918 and RFC 4193
// from netip, and the shared space of carriers (RFC 6598).
func isPublic(ip netip.Addr) bool {
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !carrierSpace.Contains(ip)
}

var carrierSpace = netip.MustParsePrefix("100.64.0.0/10")

// isVirtual says whether an interface leads to containers or virtual machines on this machine,
// by the names that Docker, libvirt and LXC give theirs.
func isVirtual(name string) bool {
	for _, prefix := range []string{"docker", "br-", "veth", "virbr", "lxc", "cni"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
