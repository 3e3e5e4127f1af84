package exempt

import (
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/pialert/pialert/pkg/private"
)

// Where a display was connected from is known after a restart, before it comes back, until it is somewhere
// else or no longer paired.
func TestDisplaysAreRemembered(t *testing.T) {
	state, logger := t.TempDir(), slog.New(slog.DiscardHandler)
	paired := map[string]bool{"pi": true, "office": true}
	seen := func(want ...string) {
		t.Helper()
		var got []string
		for _, addr := range RememberDisplays(state, logger).Addresses(func(name string) bool { return paired[name] }) {
			got = append(got, addr.String())
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("seen at %q, want %q", got, want)
		}
	}
	seen()
	d := RememberDisplays(state, logger)
	d.Note("pi", "203.0.113.7:50000")
	d.Note("office", "[::ffff:203.0.113.8]:50000")
	d.Note("office", "relay") // by SSH: it has no address here
	seen("203.0.113.7", "203.0.113.8")
	d.Note("pi", "[2001:db8::7]:50001")
	seen("2001:db8::7", "203.0.113.8")
	paired["office"] = false
	seen("2001:db8::7")
	for _, damaged := range []string{"{", "null", `{"pi": "nowhere"}`} {
		if err := private.Dir(state).Write(displaysFile, []byte(damaged)); err != nil {
			t.Fatal(err)
		}
		seen()
		RememberDisplays(state, logger).Note("pi", netip.MustParseAddrPort("203.0.113.9:1").String())
		seen("203.0.113.9")
	}
	if err := os.RemoveAll(state); err != nil {
		t.Fatal(err)
	}
	RememberDisplays(state, logger).Note("pi", "203.0.113.7:1") // told, and nothing else
}
