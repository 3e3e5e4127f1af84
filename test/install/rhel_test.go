package install

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// rhel is a root with the log files that Red Hat's systems have, with their modes.
const rhel = `set -e
rm -f /var/log/auth.log /var/log/mail.log
install -m 0600 /dev/null /var/log/secure
install -m 0600 /dev/null /var/log/maillog
install -d -m 0700 /var/log/httpd && touch /var/log/httpd/access_log
mkdir -p /run/systemd/journal
`

// TestOnRedHatsModes installs with rpm where logs are root's alone. The journal is read instead of
// /var/log/secure, what cannot be read is said with the one command that helps, and the user that
// the package made is the one whose rights count, though root asks.
func TestOnRedHatsModes(t *testing.T) {
	t.Parallel()
	out, err := in(t, rhel+`
		getent passwd pialert-agent >/dev/null && id -nG pialert-agent
		stat -c %U:%a /var/lib/pialert/agent
		pialert-agent config check
		echo; pialert-agent config show | grep '^#'`, filepath.Join(packages, "pialert-agent-"+version+"-1.x86_64.rpm"))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"systemd-journal", "pialert-agent:700", "/etc/pialert/agent.yaml is good",
		"auto is journal: /var/log/secure may not be read, and there is a journal",
		"warning: /var/log/httpd/*_log: /var/log/httpd may not be read by this user; on this system: sudo install -D -m 0644 -t " +
			"/etc/systemd/system/pialert-agent.service.d /usr/share/pialert-agent/read-all-logs.conf && sudo systemctl daemon-reload && sudo systemctl restart pialert-agent",
		"# auto is journal", "# /var/log/nginx/*.log: nothing is there yet",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if strings.Contains(out, "warning: /var/log/nginx") || strings.Contains(out, "maillog") {
		t.Errorf("it warns of what is not there, or would read mail twice:\n%s", out)
	}
}

// TestTheDisplaysRPM installs it; what it recommends has Red Hat's names.
func TestTheDisplaysRPM(t *testing.T) {
	t.Parallel()
	path := filepath.Join(packages, "pialert-display-"+version+"-1.x86_64.rpm")
	if got := run(t, "rpm", "-qp", "--nosignature", "--recommends", path); got != "openssh-clients\n" {
		t.Errorf("it recommends %q", got)
	}
	if out, err := in(t, "pialert-display config check && id -nG pialert-display", path); err != nil || !strings.Contains(out, "gpio") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestTheAgentsRPMTakesBansBack removes it where somebody is banned.
func TestTheAgentsRPMTakesBansBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(packages, "pialert-agent-"+version+"-1.x86_64.rpm")
	if out, err := in(t, someBan+"\nrpm -e pialert-agent\n"+noBan, path); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// rootsLog runs the very command that config check names for a log which only root may read; then
// what is written there counts.
func rootsLog(m *machine) {
	m.must("install -d -m 0700 /var/log/httpd && install -m 0600 /dev/null /var/log/httpd/access_log")
	_, fix, ok := strings.Cut(m.must("pialert-agent config check"), "/var/log/httpd may not be read by this user; on this system: ")
	if !ok {
		m.Fatal("config check does not say that /var/log/httpd cannot be read")
	}
	fix, _, _ = strings.Cut(fix, "\n")
	m.must(fix)
	if out := m.must("pialert-agent config check"); strings.Contains(out, "warning") {
		m.Errorf("once it is done the check says\n%s", out)
	}
	before := m.total()
	m.await("the service", func() error { _, err := m.run("systemctl is-active pialert-agent"); return err })
	m.must(`echo '203.0.113.9 - - ['"$(date '+%d/%b/%Y:%H:%M:%S %z')"'] "GET /.env HTTP/1.1" 404 196 "-" "curl/8"' >> /var/log/httpd/access_log`)
	m.await("the probe", func() error {
		if total := m.total(); total != before+1 {
			return fmt.Errorf("the display counts %d, want %d\n%s", total, before+1, m.must("pialert-agent status"))
		}
		return nil
	})
	m.must("rm -r /var/log/httpd /etc/systemd/system/pialert-agent.service.d && systemctl daemon-reload && systemctl restart pialert-agent")
}

// rootsHand runs the display as root by hand, which leaves nothing that the service cannot write.
func rootsHand(m *machine) {
	m.must("systemctl stop pialert-display && (timeout 3 pialert-display run --driver none || true)")
	if out := m.must("find /var/lib/pialert/display ! -user pialert-display"); out != "" {
		m.Errorf("these are root's:\n%s", out)
	}
	m.must("systemctl start pialert-display")
	m.await("the display", func() error { _, err := m.run("pialert-display status"); return err })
	// Somebody did it with an older version, or with cp.
	m.must("systemctl stop pialert-display && chown root: /var/lib/pialert/display/history.db")
	out, err := m.run("pialert-display run --driver none")
	if err == nil || !strings.Contains(out, "history.db belongs to root, and this runs as pialert-display") || !strings.Contains(out, "hint: sudo chown -R pialert-display: /var/lib/pialert/display") {
		m.Errorf("with a file of root's: %v\n%s", err, out)
	}
	m.must("chown -R pialert-display: /var/lib/pialert/display && systemctl start pialert-display")
	m.await("the display again", func() error { _, err := m.run("pialert-display status"); return err })
}
