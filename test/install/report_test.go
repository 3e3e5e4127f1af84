package install

import (
	"fmt"
	"strings"
)

// reports has a member of the group report, which nobody else may, and tries what else its socket would do.
func reports(m *machine) {
	m.must("useradd --no-create-home --groups pialert-report reporter && useradd --no-create-home stranger")
	as := func(user, line string) (string, error) {
		return m.run("cd / && setpriv --reuid " + user + " --regid " + user + " --init-groups " + line)
	}
	const report = "pialert-agent report ban --source-ip 203.0.113.99 --jail test --wait 5s"
	if out, err := as("reporter", report); err != nil {
		m.Errorf("a member of the group cannot report: %v %s", err, out)
	}
	if out, err := as("stranger", report); err == nil || !strings.Contains(out, "permission denied") {
		m.Errorf("a stranger reports: %v %s", err, out)
	}
	m.await("the ban", func() error {
		if out := m.must("pialert-agent status --format json"); !strings.Contains(out, `"ban": 1`) && !strings.Contains(out, `"ban":1`) {
			return fmt.Errorf("it says %s", out)
		}
		return nil
	})
	for _, path := range []string{"/status", "/fire", "/pair", "/peers", "/ban", "/reload", "/"} {
		for _, socket := range []struct{ path, answer string }{
			{"/run/pialert-agent/report/report.sock", "404"}, {"/run/pialert-agent/control.sock", "Permission denied"},
		} {
			out, _ := as("reporter", fmt.Sprintf(`perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new(%q) or die $!; print $s "POST %s HTTP/1.0\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"; print <$s>'`, socket.path, path))
			if !strings.Contains(out, socket.answer) {
				m.Errorf("a member asks %s at %s: %s", path, socket.path, out)
			}
		}
	}
	if out, err := m.run("journalctl -u pialert-agent | grep 'only root can report'"); err == nil {
		m.Errorf("the agent complains of its group: %s", out)
	}
	m.must("userdel reporter && userdel stranger")
}
