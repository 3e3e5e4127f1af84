package install

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// quickStart types what the README says under "Install", line by line, on one machine that is
// server and Pi at once. What it changes, because this machine is no Pi:
//
//   - the Pi's package is the one for this processor;
//   - join reads what pair printed on the server instead of asking for it;
//   - the lights are drawn in a terminal, or not at all, since there is no Blinkt!.
func quickStart(m *machine) {
	server, pi := installBlocks(m)
	type line = string
	var pair *background
	typed := func(commands []line) {
		m.Helper()
		for _, command := range commands {
			switch {
			case strings.Contains(command, "pialert-agent pair"):
				pair = m.start(command)
				continue
			case strings.HasSuffix(command, " join"):
				token := regexp.MustCompile(`pialert1-\S+`).FindString(pair.first)
				if token == "" {
					m.Fatalf("pair printed %q", pair.first)
				}
				command = "echo " + token + " | " + command + " -"
			case strings.Contains(command, "--driver blinkt"):
				command = strings.Replace(command, "blinkt", "terminal", 1)
			case strings.Contains(command, "enable --now pialert-display"):
				m.must("echo 'driver: none' >> /etc/pialert/display.yaml")
			}
			command = strings.ReplaceAll(command, "_arm64.deb", "_amd64.deb")
			m.must(command)
		}
	}
	if len(server) != 5 || len(pi) != 5 {
		m.Fatalf("the README has %d lines for the server and %d for the Pi, want 5 each", len(server), len(pi))
	}
	// pair waits on the server while the Pi joins.
	typed(server[:3])
	if out, err := m.run("systemctl is-active pialert-agent"); err == nil {
		m.Errorf("the agent runs before it is paired: %s", out)
	}
	typed(pi)
	if err := pair.Wait(); err != nil {
		m.Fatalf("pair: %v\n%s", err, pair.rest)
	}
	typed(server[3:])
	m.await("the test event", func() error {
		if d := m.display(); d.Tests != 1 || d.Total != 0 {
			return fmt.Errorf("the display counts %d tests and %d attacks, want 1 and 0", d.Tests, d.Total)
		}
		return nil
	})
}

// installBlocks returns the commands of the README's section "Install": the server's and the Pi's.
func installBlocks(m *machine) (server, pi []string) {
	m.Helper()
	text, err := os.ReadFile(repository + "/README.md")
	if err != nil {
		m.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Install\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var blocks [][]string
	inside := false
	for line := range strings.Lines(section) {
		command, code := strings.CutPrefix(line, "    ")
		if code && !inside {
			blocks = append(blocks, nil)
		}
		if inside = code; code {
			command, _, _ = strings.Cut(command, "   #")
			last := len(blocks) - 1
			blocks[last] = append(blocks[last], strings.TrimSpace(command))
		}
	}
	if len(blocks) != 2 {
		m.Fatalf("the README's section Install has %d blocks of commands, want the server's and the Pi's", len(blocks))
	}
	return blocks[0], blocks[1]
}
