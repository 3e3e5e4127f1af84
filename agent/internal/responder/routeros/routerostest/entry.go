package routerostest

import (
	"strings"
	"time"
)

// Entry is one of an address list.
type Entry struct {
	ID, List, Address, Comment string
	Ends                       time.Time // zero lasts for ever, and over a restart
	Disabled                   bool
}

func pathOf(address string) string {
	if strings.Contains(address, ":") {
		return path6
	}
	return path4
}

const (
	path4 = "/ip/firewall/address-list"
	path6 = "/ipv6/firewall/address-list"
)
