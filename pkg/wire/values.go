package wire

import (
	"fmt"
	"net/netip"

	"github.com/pialert/pialert/pkg/attack"
)

func decodeAddr(raw []byte) (netip.Addr, error) {
	if len(raw) == 0 {
		return netip.Addr{}, nil
	}
	addr, ok := netip.AddrFromSlice(raw)
	if !ok {
		return netip.Addr{}, invalid("an address has %d bytes, not 4 or 16", len(raw))
	}
	return addr, nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{attack.ErrInvalid}, args...)...)
}
