package install

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestInstalled takes both packages through their life on one machine. Each step needs the ones
// before it.
func TestInstalled(t *testing.T) {
	t.Parallel()
	m := boot(t)
	for _, program := range []string{"pialert-agent", "pialert-display"} {
		path := deb(program, "amd64")
		m.put(path, "/root/"+path[strings.LastIndex(path, "/")+1:])
	}
	before := m.files()
	for _, step := range []struct {
		name string
		do   func(*machine)
	}{
		{"the quick start of the README", quickStart},
		{"a failed login is counted", failedLogin},
		{"the units are confined", confined},
		{"metrics", metrics},
		{"reports of a group", reports},
		{"a kill", killed},
		{"a network that comes late", lateNetwork},
		{"a Debian without auth.log", withoutAuthLog},
		{"a reload", reload},
		{"a log that only root may read", rootsLog},
		{"root's hand", rootsHand},
		{"an upgrade keeps state", upgrade},
		{"every command of the documents", documented},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.do(&machine{TB: t, init: m.init}) }) {
			t.FailNow()
		}
	}
	t.Run("a removal keeps state and configuration", func(t *testing.T) {
		m := &machine{TB: t, init: m.init}
		m.must(someBan)
		m.must("apt-get remove -y pialert-agent pialert-display")
		m.must(noBan)
		m.must("test -e /var/lib/pialert/agent/peers.json && test -e /etc/pialert/display.yaml")
		if out, err := m.run("pgrep -l pialert"); err == nil {
			t.Errorf("these still run: %s", out)
		}
	})
	t.Run("a purge leaves nothing", func(t *testing.T) {
		m := &machine{TB: t, init: m.init}
		m.must("apt-get purge -y pialert-agent pialert-display")
		for _, path := range m.files() {
			if !slices.Contains(before, path) {
				t.Errorf("%s is left behind", path)
			}
		}
		if out, err := m.run("getent passwd pialert-agent pialert-display; getent group pialert-agent pialert-display gpio"); out != "" {
			t.Errorf("users or groups are left behind: %s %v", out, err)
		}
	})
	t.Run("the archive for other systems", func(t *testing.T) { archive(&machine{TB: t, init: m.init}) })
}

// What a responder may have left in force when its package goes, and that it is gone.
const (
	someBan = "printf '# mine\\n# BEGIN PiAlert: bans, kept by pialert-responder; write your own lines elsewhere\\nsshd: 203.0.113.7\\n# END PiAlert\\n' > /etc/hosts.deny"
	noBan   = "test \"$(cat /etc/hosts.deny)\" = '# mine' && rm /etc/hosts.deny"
)

// archive installs from the tar archive.
func archive(m *machine) {
	name := "pialert-" + version + "-amd64"
	m.put(filepath.Join(packages, name+".tar.gz"), "/root/archive.tar.gz")
	if out := m.must("tar -xzf archive.tar.gz && " + name + "/install.sh agent && " + name + "/install.sh display"); !strings.Contains(out, "pair it next: sudo pialert-agent pair\n") {
		m.Errorf("the installer says\n%s", out)
	}
	for _, want := range []string{
		"/usr/local/bin/pialert-agent version", "pialert-display config check",
		"systemctl is-enabled pialert-agent pialert-display",
		"id -nG pialert-agent | grep -w adm", "id -nG pialert-display | grep -w gpio",
		"test $(stat -c %U:%a /var/lib/pialert/agent) = pialert-agent:700",
		"systemd-analyze verify --man=no pialert-agent.service pialert-display.service pialert-responder.service",
		"test -e /usr/local/share/doc/pialert-agent/docs/operate.md && test -e /usr/local/share/doc/pialert-agent/CONTRIBUTING.md",
	} {
		m.must(want)
	}
	m.must(someBan)
	m.must(name + "/uninstall.sh agent && " + noBan + " && test -e /etc/pialert/agent.yaml && test -d /var/lib/pialert/agent && ! test -e /usr/local/bin/pialert-agent")
	if out := m.must(name + "/uninstall.sh agent --purge && " + name + "/uninstall.sh display --purge"); strings.Contains(out, "not found") {
		m.Errorf("the uninstaller says\n%s", out)
	}
	if left, _ := m.run("find /usr/local /etc /var/lib -name '*pialert*'; getent passwd pialert-agent pialert-display"); left != "" {
		m.Errorf("the uninstaller leaves behind:\n%s", left)
	}
}

// metrics compares what the example dashboard and alerts ask for with what the programs serve.
func metrics(m *machine) {
	var asked []string
	for _, file := range []string{"docs/grafana.json", "docs/alerts.yaml"} {
		asked = append(asked, regexp.MustCompile(`\bpialert_[a-z_]+`).FindAllString(read(m, filepath.Join(repository, file)), -1)...)
	}
	if len(asked) == 0 {
		m.Fatal("dashboard and alerts ask for nothing")
	}
	m.await("the metrics", func() error {
		served := m.get("9477/metrics") + m.get("9478/metrics")
		for _, name := range asked {
			if !strings.Contains(served, "# TYPE "+name+" ") {
				return fmt.Errorf("nobody serves %s", name)
			}
		}
		return nil
	})
	for _, port := range []string{"9477", "9478"} {
		if out := m.get(port + "/healthz"); !strings.Contains(out, " 200 OK") {
			m.Errorf("the health of port %s: %s", port, out)
		}
	}
}

// get asks the machine's own web server at "PORT/PATH".
func (m *machine) get(url string) string {
	m.Helper()
	port, path, _ := strings.Cut(url, "/")
	return m.must(fmt.Sprintf(`exec 3<>/dev/tcp/127.0.0.1/%s && printf 'GET /%s HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3 && cat <&3`, port, path))
}

// files lists every file of the machine but those that the package manager and the system write
// while they work.
func (m *machine) files() []string {
	m.Helper()
	out := m.must(`find / -xdev \( -path /var/log -o -path /var/lib/apt -o -path /var/cache -o -path '/var/lib/dpkg/*-old' \
		-o -path /var/lib/systemd -o -path '/etc/*-' -o -path /etc/.pwd.lock -o -path /root -o -path /home \) -prune -o -print`)
	return strings.Split(strings.TrimSpace(out), "\n")
}

// failedLogin lets syslog write what sshd says about a failed login, and looks at the display.
func failedLogin(m *machine) {
	before := m.total()
	m.must(`logger -p auth.info -t 'sshd[4711]' 'Failed password for invalid user admin from 203.0.113.7 port 40022 ssh2'`)
	m.await("the line", func() error {
		_, err := m.run(`grep 203.0.113.7 /var/log/auth.log`)
		return err
	})
	m.await("the login on the display", func() error {
		if total := m.total(); total != before+1 {
			return fmt.Errorf("the display counts %d, want %d", total, before+1)
		}
		return nil
	})
}

// display is what status says of the display, as far as it matters here.
type display struct {
	Total uint64
	Tests uint64
	Lamps []struct {
		Name  string
		Total uint64
	}
}

func (m *machine) display() (d display) {
	m.Helper()
	if err := json.Unmarshal([]byte(m.must("pialert-display status --format json")), &d); err != nil {
		m.Fatal(err)
	}
	return d
}

// total is the display's count of attacks.
func (m *machine) total() uint64 { return m.display().Total }

// pid is the process id of a service.
func (m *machine) pid(service string) string {
	m.Helper()
	return m.must("systemctl show --property MainPID --value " + service)
}

// withoutAuthLog takes syslog away, as Debian 12 comes, and lets sshd's own words reach the journal
// alone. The only address that can attack the machine is its own.
func withoutAuthLog(m *machine) {
	m.must("cp /etc/pialert/agent.yaml /root/agent.yaml && echo 'ignore_self: false' >> /etc/pialert/agent.yaml")
	m.must("systemctl stop rsyslog.service syslog.socket && rm /var/log/auth.log && systemctl restart pialert-agent")
	before := m.total()
	if out, err := m.run("ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new mallory@" + address); err == nil {
		m.Fatalf("sshd let mallory in: %s", out)
	}
	m.await("the attempt in the journal", func() error {
		if total := m.total(); total != before+1 {
			return fmt.Errorf("the display counts %d, want %d", total, before+1)
		}
		return nil
	})
	m.must("cp /root/agent.yaml /etc/pialert/agent.yaml && systemctl start rsyslog && logger -p auth.info back")
	m.await("auth.log", func() error { _, err := m.run("test -e /var/log/auth.log"); return err })
	m.must("systemctl restart pialert-agent")
	failedLogin(m)
}

// reload changes a configuration for better and for worse.
func reload(m *machine) {
	pid := m.pid("pialert-display")
	lamps := `lamps: [{name: everything, color: red, led: 3}]`
	m.must(`cp /etc/pialert/display.yaml /root/display.yaml && echo '` + lamps + `' >> /etc/pialert/display.yaml && systemctl reload pialert-display`)
	m.await("the new lamp", func() error {
		if d := m.display(); len(d.Lamps) != 1 || d.Lamps[0].Total != d.Total {
			return fmt.Errorf("there are %+v", d.Lamps)
		}
		return nil
	})
	m.must(`echo 'driver: [' > /etc/pialert/display.yaml && systemctl reload pialert-display`)
	m.await("the complaint", func() error {
		_, err := m.run(`journalctl -u pialert-display | grep 'cannot reload the configuration; the old one stays'`)
		return err
	})
	m.must(`cat /root/display.yaml > /etc/pialert/display.yaml`) // which keeps its group
	if d := m.display(); len(d.Lamps) != 1 {
		m.Errorf("after a reload that failed there are %+v", d.Lamps)
	}
	m.must(`systemctl reload pialert-display`)
	m.await("the old lamps", func() error {
		if d := m.display(); len(d.Lamps) != 4 {
			return fmt.Errorf("there are %+v", d.Lamps)
		}
		return nil
	})
	if now := m.pid("pialert-display"); now != pid {
		m.Errorf("the display was restarted: %s, before %s", now, pid)
	}
}

// upgrade installs the same packages again, after a change of their configuration.
func upgrade(m *machine) {
	total, pid := m.total(), m.pid("pialert-agent")
	m.must("echo '# mine' >> /etc/pialert/agent.yaml")
	m.must("apt-get install -y --reinstall ./pialert-*.deb")
	m.must("grep -q '# mine' /etc/pialert/agent.yaml")
	m.await("the services", func() error {
		_, err := m.run("systemctl is-active pialert-agent pialert-display")
		return err
	})
	if now := m.pid("pialert-agent"); now == pid {
		m.Error("the agent was not restarted")
	}
	if now := m.total(); now != total {
		m.Errorf("the display counts %d after an upgrade, %d before", now, total)
	}
	failedLogin(m)
}
