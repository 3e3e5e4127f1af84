package responder

import (
	"log/slog"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/pialert/pialert/agent/internal/value"
)

// BenchmarkDesired chooses what should be in force of 20,000 bans beside an allow list of 10,000 networks, which holds up
// decisions.
func BenchmarkDesired(b *testing.B) {
	var allow []netip.Prefix
	for i := range 10_000 {
		allow = append(allow, netip.PrefixFrom(netip.AddrFrom4([4]byte{20 + byte(i>>12), byte(i >> 4), byte(i << 4)}), 24))
	}
	networks := value.NewNetworks(allow...)
	r, err := Open(Options{
		Path: filepath.Join(b.TempDir(), "bans.db"), Bounds: DefaultBounds(), Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Allow: func() value.Networks { return networks },
	})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	now := time.Now()
	for i := range 20_000 {
		target := netip.PrefixFrom(netip.AddrFrom4([4]byte{80, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
		r.bans[target] = Ban{Target: target, Since: now, Until: now.Add(time.Hour)}
	}
	for b.Loop() {
		if bans, _ := r.desired(now); len(bans) != len(r.bans) {
			b.Fatalf("%d are desired", len(bans))
		}
	}
}
