package file

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The kernel has no inotify instance left for this user: files are followed nevertheless. The limit
// is that of a user namespace of the test's own, so that it ends with the process (namespaces(7),
// /proc/sys/user; for the first namespace it is fs.inotify.max_user_instances).
func TestNoInotifyInstanceLeft(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, limit, want string }{
		{"none", "0", "cannot use inotify"},
		{"the last one", "1", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			child := exec.CommandContext(t.Context(), "unshare", "--user", "--map-root-user", "sh", "-ec",
				`echo $0 > /proc/sys/user/max_inotify_instances; exec "$@"`,
				test.limit, os.Args[0], "-test.run=^TestRun$", "-test.count=1", "-test.v")
			child.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
			out, err := child.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "--- PASS: TestRun ") || !strings.Contains(string(out), test.want) ||
				test.want == "" && strings.Contains(string(out), "inotify") {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}
