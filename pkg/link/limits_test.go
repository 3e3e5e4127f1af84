package link

import (
	"net/netip"
	"testing"
)

// Where strangers crowd, anyone of them is cut short: if it were the oldest, a peer on a slow line
// would never get through.
func TestCrowdingHitsAtRandom(t *testing.T) {
	t.Parallel()
	var h handshakes
	begun := 0
	begin := func() (cut func() bool) {
		from := sourceAt(netip.AddrFrom4([4]byte{10, byte(begun >> 16), byte(begun >> 8), byte(begun)}))
		begun++
		ctx, _, end, err := h.begin(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(end)
		return func() bool { return ctx.Err() != nil }
	}
	var early []func() bool
	for range strangersRoom {
		early = append(early, begin())
	}
	const late = 50
	for range late {
		begin()
	}
	if len(h.strangers) != strangersRoom {
		t.Errorf("%d are under way, at most %d may be", len(h.strangers), strangersRoom)
	}
	oldest := 0
	for _, cut := range early[:late] {
		if cut() {
			oldest++
		}
	}
	if oldest == late {
		t.Errorf("the %d oldest were cut short", late)
	}
}
