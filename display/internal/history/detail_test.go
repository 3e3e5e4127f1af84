package history

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// FuzzDetail holds that whatever a damaged file has as a detail is refused or read, and that what is
// read is written back as the same.
func FuzzDetail(f *testing.F) {
	for _, d := range attack.Details() {
		f.Add(appendDetail(nil, d))
	}
	f.Add(appendDetail(nil, attack.Flood{
		Phase: attack.PhaseEnd, Network: netip.MustParsePrefix("2001:db8::/64"), Method: "POST", Requests: 700, Window: time.Minute,
	}))
	f.Add(appendDetail(nil, attack.HTTP{Method: "GET", Target: "/\xc0\xae", Status: 404, UserAgent: "x", Host: "y"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := decodeDetail(b)
		if err != nil || d == nil {
			return
		}
		again, err := decodeDetail(appendDetail(nil, d))
		if err != nil || again != d {
			t.Fatalf("%+v came back as %+v, error %v", d, again, err)
		}
	})
}
