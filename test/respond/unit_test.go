package respond

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pialert/pialert/packaging/demo/program"
)

// The unit may do what its backends need and little else, whichever they are.
func TestTheUnitIsConfined(t *testing.T) {
	t.Parallel()
	const most = 2.0 // of 10, as systemd-analyze security counts
	packaged, err := os.ReadFile("../../packaging/agent/pialert-responder.service")
	if err != nil {
		t.Fatal(err)
	}
	backends := map[string]string{
		"nftables":   "nftables: {}",
		"hosts_deny": "hosts_deny: {}",
		"routeros":   `routeros: [{address: "192.0.2.1:8729", user: pialert, password_file: /etc/pialert/router, certificate: "sha256:` + strings.Repeat("0", 64) + `"}]`,
	}
	for _, test := range []struct {
		used   []string
		has    []string
		hasNot []string
	}{
		{[]string{"nftables"}, []string{"CAP_NET_ADMIN", "AF_NETLINK"}, []string{"CAP_DAC", "AF_INET", "/etc"}},
		{[]string{"hosts_deny"}, []string{"ReadWritePaths=/etc\n"}, []string{"CAP_NET", "AF_INET", "AF_NETLINK"}},
		{[]string{"routeros"}, []string{"AF_INET", "IPAddressAllow=192.0.2.1\n"}, []string{"CAP_", "/etc", "AF_NETLINK"}},
		{[]string{"nftables", "hosts_deny", "routeros"}, nil, nil},
	} {
		config := "name: web1\nresponses:\n"
		for name, how := range backends {
			if slices.Contains(test.used, name) {
				config += "  " + how + "\n"
			} else if name == "nftables" {
				config += "  nftables: null\n"
			}
		}
		dir := t.TempDir()
		path := filepath.Join(dir, "agent.yaml")
		if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		drop, err := program.Run(t.Context(), exec.Command(programs.Agent, "responder", "unit", "--config", path))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range test.has {
			if !strings.Contains(drop, text) {
				t.Errorf("%q: the drop-in has no %q:\n%s", test.used, text, drop)
			}
		}
		for _, text := range test.hasNot {
			if strings.Contains(drop, text) {
				t.Errorf("%q: the drop-in has %q:\n%s", test.used, text, drop)
			}
		}
		unit := filepath.Join(dir, "pialert-responder.service")
		if err := os.WriteFile(unit, fmt.Appendf(nil, "%s\n%s", packaged, drop), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("systemd-analyze", "security", "--no-pager", "--offline=true", unit).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		level := regexp.MustCompile(`Overall exposure level for \S+: ([\d.]+)`).FindSubmatch(out)
		if level == nil {
			t.Fatalf("no level in\n%s", out)
		}
		exposure, err := strconv.ParseFloat(string(level[1]), 64)
		if err != nil || exposure > most {
			t.Errorf("%q: its exposure is %s, want %v or less", test.used, level[1], most)
		}
	}
}
