package install

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// example is a command that the documents show, and how it is run here.
type example struct {
	shown string // as it stands there
	run   string // what is typed instead where it names what a reader has to fill in; the same if empty
	want  string // expression that the output must match
}

// Where a command of the documents is run, if not by its example.
const (
	byQuickStart = "quick start" // see quickStart
	byPairing    = "pairing"     // run keeps on while the other end joins
	byGate       = "gate"        // it builds or tests this repository, or another test of .ci/run does the same
)

// examples are all commands of the documents, in an order in which they work.
var examples = []example{
	{"make", byGate, ""},
	{"make demo", byGate, ""},
	{"make test", byGate, ""},
	{"make check", byGate, ""},
	{"make docs", byGate, ""},
	{"make packages", byGate, ""},
	{"make images", byGate, ""},
	{"make bench", byGate, ""},
	{"make crash-test", byGate, ""},
	{"make case", byGate, ""},
	{"make mutate", byGate, ""},
	{"make profile", byGate, ""},
	{"make rules", byGate, ""},
	{"make hostile", byGate, ""},
	{"make release", byGate, ""},
	{"sudo pialert-display notices test phone", byGate, ""},
	{"sudo pialert-display web password", byGate, ""},
	{"sudo pialert-display web fingerprint", byGate, ""},
	{"sudo systemctl restart pialert-display", byGate, ""},
	{"ssh -N -L 9480:127.0.0.1:9480 pi@raspberrypi", byGate, ""},
	{"pialert-agent responder", byGate, ""},
	{"pialert-agent scan --learn", byGate, ""},
	{"pialert-agent scan --format json", byGate, ""},
	{"pialert-agent status", byGate, ""},
	{"sudo systemctl enable --now pialert-responder", byGate, ""},
	{"sudo systemctl reload pialert-agent", byGate, ""},
	{"sudo pialert-agent bans", byGate, ""},
	{"sudo pialert-agent ban 203.0.113.9 --for 1d", byGate, ""},
	{"sudo pialert-agent unban 203.0.113.9", byGate, ""},
	{"sudo pialert-agent bans pause 5m", byGate, ""},
	{"sudo pialert-agent bans flush", byGate, ""},
	{"sudo pialert-agent responder remove", byGate, ""},
	{"sudo pialert-agent responses check", byGate, ""},
	{"sudo pialert-agent responses confirm", byGate, ""},
	{"sudo mkdir -p /etc/systemd/system/pialert-responder.service.d", byGate, ""},
	{"pialert-agent responder unit | sudo tee /etc/systemd/system/pialert-responder.service.d/backends.conf", byGate, ""},
	{"sudo systemctl daemon-reload", byGate, ""},
	{"sudo systemctl restart pialert-responder", byGate, ""},
	{"sudo systemctl edit pialert-agent-syslog.socket", byGate, ""},
	{"sudo systemctl enable --now pialert-agent-syslog.socket", byGate, ""},
	{"echo net.core.rmem_max=8388608 | sudo tee /etc/sysctl.d/60-pialert.conf && sudo sysctl --system", byGate, ""},
	{"make proto", byGate, ""},
	{"sudo pialert-agent rotate-key", byGate, ""},
	{"sudo pialert-agent unpair DISPLAY", byGate, ""},
	{"sudo tar -C /var/lib/pialert/display -c fleet | ssh pi2 sudo tar -C /var/lib/pialert/display -x", byGate, ""},
	{"sudo pialert-display fleet forget office", byGate, ""},
	{"make bench", byGate, ""},
	{"make crash-test", byGate, ""},
	{"go -C test run ./bench -only scan -sshd FILE -access FILE", byGate, ""},
	{"go -C test test -run '^$' -bench LineToLight -benchtime 1000x ./e2e", byGate, ""},
	{"go -C test test ./intake -run TestKillsUnderLoad -kills 200", byGate, ""},
	{"go test ./agent/internal/...", byGate, ""},
	{"GODEBUG=asyncpreemptoff=1 GOMAXPROCS=1 GOGC=off valgrind --tool=callgrind build/pialert-agent scan --summary FILE", byGate, ""},

	{"sudo apt install ./pialert-agent_*_amd64.deb", byQuickStart, ""},
	{"sudo pialert-agent config check", byQuickStart, ""},
	{"sudo systemctl enable --now pialert-agent", byQuickStart, ""},
	{"sudo apt install ./pialert-display_*_arm64.deb", byQuickStart, ""},
	{"sudo pialert-display demo --driver blinkt", byQuickStart, ""},
	{"sudo systemctl enable --now pialert-display", byQuickStart, ""},

	{"sudo pialert-display status", "", `(?m)^ssh-a .*\n(?s:.*)^web1 +up`},
	{"sudo pialert-agent status", "", `auth\.log`},
	{"sudo pialert-agent fire ssh_login", "", `^fired 1`},
	{"sudo pialert-agent scan /var/log/auth.log", "", `203\.0\.113\.7`},
	{"pialert-agent scan FILE", "pialert-agent scan /var/log/auth.log", `203\.0\.113\.7`},
	{"pialert-agent explain 'LINE'", "pialert-agent explain '" + failedLine + "'", `sshd-failed-password`},
	{"go run ./agent explain 'LINE'", "pialert-agent explain '" + failedLine + "'", `sshd-failed-password`},
	{"go run ./agent rules test", "pialert-agent rules test", `all hold`},
	{"pialert-agent rules coverage", "", `sshd`},
	{"pialert-agent rules coverage sshd", "", `sshd`},
	{"pialert-agent rules list", "", `sshd-failed-password +ssh_login`},
	{"pialert-agent rules show ID", "pialert-agent rules show sshd-failed-password", `(?m)^pattern: `},
	{"sudo systemctl stop pialert-display", "", ``},
	{"sudo pialert-display run --driver blinkt --vcd pins.vcd",
		"sed s,/display,/vcd,g /etc/pialert/display.yaml > vcd.yaml; printf 'state: /root/vcd\\ncontrol: /root/vcd.sock\\nmetrics: \"\"\\nweb: {listen: \"\"}\\n' >> vcd.yaml; " +
			"timeout 2 pialert-display run --driver none --vcd pins.vcd --config vcd.yaml; grep tm1637_clk pins.vcd", `tm1637_clk`},
	{"sudo systemctl start pialert-display", "", ``},

	{"pialert-agent rules test --rules mine.yaml", "", `all hold`},
	{"sudo cp mine.yaml /etc/pialert/rules.d/", "", ``},
	{"sudo systemctl reload pialert-agent", "", ``},

	// The display listens, the agent dials: throwaway ones beside those that run.
	{"sudo pialert-display pair", byPairing, "pialert-display pair --config dialled.yaml"},
	{"sudo pialert-agent join", "echo TOKEN | pialert-agent join - --config dialling.yaml", `the link works`},

	// The display comes by SSH.
	{"sudo systemctl restart pialert-agent", "printf 'link:\\n  dial: ssh\\n' >> /etc/pialert/agent.yaml; systemctl restart pialert-agent", ``},
	{"sudo -u pialert-display ssh-keygen -t ed25519 -f /var/lib/pialert/display/.ssh/id_ed25519 -N ''", "", `SHA256`},
	{`restrict,command="pialert-agent relay" ssh-ed25519 AAAA... pialert-display`,
		`useradd --create-home eve && install -d -o eve -m 0700 ~eve/.ssh && echo "restrict,command=\"pialert-agent relay\" ` +
			`$(cat /var/lib/pialert/display/.ssh/id_ed25519.pub)" > ~eve/.ssh/authorized_keys && chown eve ~eve/.ssh/authorized_keys`, ``},
	{"sudo -u pialert-display ssh USER@SERVER </dev/null",
		"sudo -u pialert-display ssh -o StrictHostKeyChecking=accept-new eve@192.0.2.10 </dev/null", `added`},
	{"sudo pialert-agent pair --address ssh://USER@SERVER", byPairing, "pialert-agent pair --address ssh://eve@192.0.2.10"},
	{"sudo -u pialert-display pialert-display join", "echo TOKEN | sudo -u pialert-display pialert-display join -", `at ssh://eve@192\.0\.2\.10; the link works`},
	{"sudo pialert-agent pair", byQuickStart, ""},
	{"sudo pialert-display join", byQuickStart, ""},
	{"sudo pialert-display fleet init --server tls://nats.example.org:4222", "", `Written: nats`},
	{"sudo pialert-display fleet add web2", "", `sudo pialert-agent join pialertfleet1-`},
	{"pialert-display fleet status", "", `\d agents?: `},
	{"sudo pialert-display fleet remove web2", "", `revoked 1 credential of web2`},
	{"sudo pialert-display fleet init", "", `Written: nats`},
	{"pialert-display fleet status --format json", "", `"versions"`},
	{"pialert-agent status --format json", "", `"sources"`},
	{"pialert-agent scan --format json --summary FILE", "pialert-agent scan --format json --summary /var/log/auth.log", `"attempts"`},
	{"pialert-agent rules list --format json", "", `"sshd-failed-password"`},
	{"pialert-agent scan --format json FILE", "pialert-agent scan --format json /var/log/auth.log", `"kind":"ssh_login"`},
	{"pialert-agent rules show --format json ID", "pialert-agent rules show --format json sshd-failed-password", `"pattern"`},
	{"pialert-agent rules test --format json", "", `"failures": \[\]`},
	{"pialert-agent rules coverage --format json", "", `"sshd"`},
	{"pialert-agent config show --format json", "", `"logs"`},
	{"pialert-agent peers --format json", "", `"peers"`},
	{"pialert-display peers --format json", "", `"name": "web1"`},
	{"pialert-display export --format json", "", `"kind":"ssh_login"`},
	{"pialert-agent responses check --format json", "", ``},
	{"pialert-agent bans --format json", byGate, ""},
	{"pialert-display events --format json", "", `"kind":"ssh_login"`},
	{"pialert-display top --format json users", "", `"attempts"`},
	{"pialert-display notices list --format json", "", ``},
	{"pialert-display config show --format json", "", `"lamps"`},
	{"pialert-agent explain --format json LINE", "pialert-agent explain --format json '" + failedLine + "'", `"rule": "sshd-failed-password"`},
	{"pialert-agent config check --format json", "", `"good": true`},
	{"pialert-display config check --format json", "", `"good": true`},
	{"pialert-agent version --format json", "", `"go1`},
	{"pialert-display version --format json", "", `"go1`},
	{"pialert-display status --format json", "", `"lamps"`},
	{"pialert-display today --format json", "", `"lamps"`},
	{"sudo pialert-display lamps --count today --write", "", `(?s)wrote these into .*count: today`},
	{"sudo tar -C / -czpf pialert-backup.tar.gz etc/pialert var/lib/pialert/display", "", ``},
	{"sudo tar -C / -xzpf pialert-backup.tar.gz",
		"systemctl stop pialert-display && rm -r /etc/pialert/display.yaml /var/lib/pialert/display && tar -C / -xzpf pialert-backup.tar.gz && systemctl start pialert-display && " +
			"stat -c '%U:%G %a' /etc/pialert/display.yaml /var/lib/pialert/display /var/lib/pialert/*/peers.json",
		`^root:pialert-display 640\npialert-display:pialert-display 700\npialert-agent:pialert-agent 600\npialert-display:pialert-display 600\n`},
	{"sudo pialert-display backup /var/backups/pialert.db", "", `^/var/backups/pialert.db: \d+ bytes\n$`},
	{"sudo pialert-display restore /var/backups/pialert.db",
		"systemctl stop pialert-display && pialert-display restore /var/backups/pialert.db && rm /var/backups/pialert.db && systemctl start pialert-display",
		`(?m)^restored$`},
	{"sudo systemctl restart fail2ban", "systemctl cat ssh >/dev/null", ``}, // not ours, and not installed

}

const failedLine = "Feb 10 09:00:00 web1 sshd[4711]: Failed password for root from 203.0.113.7 port 40022 ssh2"

// documented runs every command of the documents.
func documented(m *machine) {
	for name, content := range map[string]string{
		"mine.yaml":     codeBlock(m, "docs/rules.md", "/etc/pialert/rules.d/mine.yaml"),
		"dialled.yaml":  "name: desk\nstate: /root/dialled\ncontrol: /root/dialled.sock\nlink: {dial: agent, listen: '192.0.2.10:7484'}\n",
		"dialling.yaml": "name: web2\nstate: /root/dialling\ncontrol: /root/dialling.sock\nlink: {dial: agent}\n",
	} {
		m.write(strings.NewReader(content), name)
	}
	var pair *background
	for _, e := range examples {
		switch e.run {
		case byQuickStart, byGate:
			continue
		case byPairing:
			pair = m.start(e.want)
			continue
		case "":
			e.run = e.shown
		}
		if strings.Contains(e.run, "TOKEN") {
			e.run = strings.Replace(e.run, "TOKEN", regexp.MustCompile(`pialert1-\S+`).FindString(pair.first), 1)
			e.run += "; pialert-display peers > /dev/null"
		}
		out := m.must(e.run)
		if !regexp.MustCompile(e.want).MatchString(out) {
			m.Errorf("%s prints\n%s\nwhich has no %q", e.run, out, e.want)
		}
	}
	m.await("the link by SSH", func() error {
		if out, err := m.run("pialert-display peers"); err != nil || !regexp.MustCompile(`up since.*ssh://eve@`).MatchString(out) {
			return fmt.Errorf("it prints %s %v", out, err)
		}
		return nil
	})
	failedLogin(m)
	m.must("rm /etc/pialert/rules.d/mine.yaml") // the reader's own: a purge leaves it
}

// TestEveryCommandIsKnown compares the documents with the table above.
func TestEveryCommandIsKnown(t *testing.T) {
	t.Parallel()
	shown := map[string]string{} // the document it stands in
	for _, document := range documents(t) {
		for _, command := range commands(t, document) {
			shown[command] = document
		}
	}
	for command, document := range shown {
		if !slices.ContainsFunc(examples, func(e example) bool { return e.shown == command }) {
			t.Errorf("%s shows %q, which no test runs: add it to the examples", document, command)
		}
	}
	makefile, err := os.ReadFile(repository + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range examples {
		_, isShown := shown[e.shown]
		if !isShown && e.run != byGate {
			t.Errorf("no document shows %q any more", e.shown)
		}
		if target, ok := strings.CutPrefix(e.shown, "make "); ok && isShown && !strings.Contains(string(makefile), "\n"+target+":") {
			t.Errorf("there is no %q", e.shown)
		}
	}
}

// TestShownConfigurationsLoad runs config check on what the documents show of configurations.
func TestShownConfigurationsLoad(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, program := range []string{"pialert-agent", "pialert-display"} {
		run(t, "dpkg-deb", "--extract", deb(program, "amd64"), root)
	}
	checked := 0
	for _, document := range documents(t) {
		for _, block := range codeBlocks(t, document) {
			name := regexp.MustCompile(`^# /etc/pialert/(agent|display)\.yaml\n`).FindStringSubmatch(block)
			if name == nil {
				continue
			}
			path := filepath.Join(t.TempDir(), "shown.yaml")
			if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, filepath.Join(root, "usr/bin/pialert-"+name[1]), "config", "check", "--config", path)
			checked++
		}
	}
	if checked == 0 {
		t.Error("the documents show no configuration")
	}
}

func documents(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob(repository + "/docs/*.md")
	if err != nil || len(paths) == 0 {
		t.Fatal("no documents:", err)
	}
	return append(paths, repository+"/README.md", repository+"/CONTRIBUTING.md")
}

var (
	fenced  = regexp.MustCompile("(?ms)^```\\w*\n(.*?)^```$")
	inline  = regexp.MustCompile("`((?:sudo|make|go|pialert-agent|pialert-display) [^`]+)`")
	comment = regexp.MustCompile(`\s{2,}.*$`) // what stands behind a command says what it does
)

// commands returns what a document shows to be typed: the lines of indented blocks, and code in
// the text that is a whole command. Synopses such as `config check` are no commands.
func commands(t testing.TB, path string) []string {
	t.Helper()
	text := fenced.ReplaceAllString(read(t, path), "")
	var found []string
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			found = append(found, comment.ReplaceAllString(strings.TrimSpace(command), ""))
			continue
		}
		for _, match := range inline.FindAllStringSubmatch(line, -1) {
			found = append(found, match[1])
		}
	}
	return found
}

func codeBlocks(t testing.TB, path string) []string {
	t.Helper()
	var blocks []string
	for _, match := range fenced.FindAllStringSubmatch(read(t, path), -1) {
		blocks = append(blocks, match[1])
	}
	return blocks
}

// codeBlock returns the block whose first line names a file.
func codeBlock(t testing.TB, document, file string) string {
	t.Helper()
	for _, block := range codeBlocks(t, filepath.Join(repository, document)) {
		if strings.HasPrefix(block, "# "+file+"\n") {
			return block
		}
	}
	t.Fatalf("%s shows no %s", document, file)
	return ""
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
