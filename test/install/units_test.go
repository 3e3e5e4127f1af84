package install

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// confined asks systemd how well the installed units are made and confined.
func confined(m *machine) {
	for _, unit := range []struct {
		name string
		most float64 // exposure, 0 to 10, as systemd-analyze security counts
	}{
		{"pialert-agent.service", 1.5},
		{"pialert-display.service", 2.0},
	} {
		// The keys of the back-off are newer than Debian 12, which ignores them.
		if out := m.must("systemd-analyze verify --man=no " + unit.name + " 2>&1"); out != "" {
			m.Errorf("%s", out)
		}
		out := m.must(fmt.Sprintf("systemd-analyze security --no-pager --offline=true /lib/systemd/system/%s", unit.name))
		level := regexp.MustCompile(`Overall exposure level for \S+: ([\d.]+)`).FindStringSubmatch(out)
		if level == nil {
			m.Fatalf("no level in\n%s", out)
		}
		if exposure, err := strconv.ParseFloat(level[1], 64); err != nil || exposure > unit.most {
			m.Errorf("%s has exposure %s, want %v or less\n%s", unit.name, level[1], unit.most, out)
		}
		m.Logf("%s: exposure %s", unit.name, level[1])
		// Outside of Type=notify the text stays empty.
		if text := m.must("systemctl show --property StatusText --value " + unit.name); len(text) < 2 {
			m.Errorf("%s tells systemd nothing", unit.name)
		}
	}
	// Who connects to the relay socket is one of all users of the machine.
	if out, err := m.run("grep -x ' *0 *0 *4294967295' /proc/$(systemctl show --property MainPID --value pialert-agent)/uid_map"); err != nil {
		m.Errorf("the agent cannot tell users apart: %v\n%s", err, out)
	}
}

// killed kills both services as a fault would, and expects systemd to bring them back.
func killed(m *machine) {
	total := m.total()
	m.must("systemctl kill --signal KILL pialert-agent pialert-display")
	m.await("the restart", func() error {
		for _, service := range []string{"pialert-agent", "pialert-display"} {
			if restarts := m.must("systemctl show --property NRestarts --value " + service); restarts == "0\n" {
				return fmt.Errorf("%s was not restarted", service)
			}
		}
		_, err := m.run("systemctl is-active pialert-agent pialert-display && pialert-display status")
		return err
	})
	// What was drawn but not written down yet comes again from the agent's spool.
	m.await("the count", func() error {
		if now := m.total(); now != total {
			return fmt.Errorf("the display counts %d after a kill, %d before", now, total)
		}
		return nil
	})
	failedLogin(m)
}

// lateNetwork starts the display while there is no network.
func lateNetwork(m *machine) {
	network := func(change string) { // with the host's ip: the machine has none
		m.Helper()
		out, err := exec.CommandContext(m.Context(), "nsenter", "--target", m.init, "--net",
			"ip", "address", change, address+"/24", "dev", "eth0").CombinedOutput()
		if err != nil {
			m.Fatalf("cannot %s the address: %v\n%s", change, err, out)
		}
	}
	network("delete")
	m.must("systemctl restart pialert-display") // returns when the display says that it is ready
	if out := m.must("pialert-display peers"); strings.Contains(out, "up since") {
		m.Errorf("without a network it prints\n%s", out)
	}
	network("add")
	m.await("the link", func() error {
		if out, err := m.run("pialert-display peers"); !strings.Contains(out, "up since") {
			return fmt.Errorf("it prints %s %v", out, err)
		}
		return nil
	})
	failedLogin(m)
}
