package main

import (
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pialert/pialert/agent/internal/detect/login"
)

// What two scans teach is known together, also before the agent was ever started; a damaged file is an error that names it.
func TestLearning(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "agent")
	alice := login.Known{Service: "sshd", User: "alice", Network: netip.MustParsePrefix("198.51.100.0/24"), Last: 100}
	bob := login.Known{Service: "sshd", User: "bob", Network: netip.MustParsePrefix("2001:db8::/64"), Last: 50}
	for _, found := range [][]login.Known{{alice}, {bob}, {{Service: alice.Service, User: alice.User, Network: alice.Network, Last: 90}}} {
		if err := learn(state, found, io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	known, err := learned(state)
	if diff := cmp.Diff([]login.Known{alice, bob}, known, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	if err := os.WriteFile(filepath.Join(state, learnedFile), []byte("no JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := learned(state); err == nil {
		t.Error("a damaged file is read")
	}
}
