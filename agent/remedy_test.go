package main

import (
	"os"
	"strings"
	"testing"
)

// What lets the service read a closed log is one line that can be pasted: membership in the group that may
// read it, else the drop-in that the package has.
func TestRemedy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, test := range []struct {
		mode os.FileMode
		gid  int
		want string
	}{
		{0o640, 4, "sudo usermod -aG adm pialert-agent && sudo systemctl restart pialert-agent"},
		{0o600, 4, "sudo install -D -m 0644 -t /etc/systemd/system/pialert-agent.service.d /usr/share/pialert-agent/read-all-logs.conf && sudo systemctl daemon-reload && sudo systemctl restart pialert-agent"},
	} {
		path := dir + "/log"
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, test.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(path, -1, test.gid); err != nil {
			if test.mode == 0o640 { // only root gives files away: then the drop-in is what is left
				continue
			}
		}
		if got := remedy(path); got != test.want || strings.Contains(got, "%!") {
			t.Errorf("mode %o: %s", test.mode, got)
		}
	}
}
