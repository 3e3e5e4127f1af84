package containers

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
)

// host is a machine with podman. Its containers share a network namespace of their own.
type host struct {
	t          *testing.T
	ctx        context.Context
	dir, netns string
}

func boot(t *testing.T) *host {
	t.Helper()
	dir, err := os.MkdirTemp("", "podman") // podman's own folders have long names; t.TempDir's are longer
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 3*time.Minute) // logs are asked for when the test has ended
	h := &host{t: t, ctx: ctx, dir: dir, netns: filepath.Base(dir)}
	h.sh("ip", "netns", "add", h.netns)
	h.sh("ip", "netns", "exec", h.netns, "ip", "link", "set", "lo", "up")
	t.Cleanup(func() {
		h.ctx = context.Background()
		h.podman("rm", "--all", "--force", "--volumes", "--time", "0")
		h.sh("ip", "netns", "del", h.netns)
		os.RemoveAll(dir)
		cancel()
	})
	for _, folder := range []string{"log", "agent", "display", "bans"} {
		h.must(os.Mkdir(h.path(folder), 0o755))
	}
	h.must(os.Chown(h.path("agent"), 65532, 65532))
	h.must(os.Chown(h.path("display"), 65532, 65532))
	h.write("log/auth.log", "")
	return h
}

func (h *host) path(name string) string { return filepath.Join(h.dir, name) }

func (h *host) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) write(name, text string) {
	h.t.Helper()
	h.must(os.WriteFile(h.path(name), []byte(text), 0o644))
}

func (h *host) try(name string, args ...string) (string, error) {
	out, err := exec.CommandContext(h.ctx, name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %v: %w\n%s", name, args, err, out)
	}
	return string(out), nil
}

func (h *host) sh(name string, args ...string) string {
	h.t.Helper()
	out, err := h.try(name, args...)
	h.must(err)
	return out
}

// engine is podman on a machine without systemd, with its storage in the test's folder.
func (h *host) engine(args []string) []string {
	return append([]string{"--storage-driver=vfs", "--root", h.path("storage"), "--runroot", h.path("run"),
		"--cgroup-manager=cgroupfs", "--runtime=runc", "--log-level=error"}, args...)
}

func (h *host) podman(args ...string) string {
	h.t.Helper()
	return h.sh("podman", h.engine(args)...)
}

// container starts a container as docs/containers.md says: read-only, with no capability but those
// given.
func (h *host) container(name, image string, options []string, command ...string) {
	h.t.Helper()
	h.podman(append([]string{"run", "--detach", "--quiet", "--name", name, "--network", "ns:/run/netns/" + h.netns,
		"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000", "--read-only", "--read-only-tmpfs=false",
		"--cap-drop=all", "--security-opt=no-new-privileges", "--stop-timeout=1"}, append(append(options, "oci:"+image), command...)...)...)
	h.t.Cleanup(func() {
		if h.t.Failed() {
			out, _ := h.try("podman", h.engine([]string{"logs", name})...)
			h.t.Logf("%s wrote:\n%s", name, out)
		}
	})
}

func (h *host) agent(version string, options ...string) {
	h.t.Helper()
	h.container("agent", filepath.Join(version, "pialert-agent"), append(options, "--volume", h.path("log")+":/var/log:ro",
		"--volume", h.path("agent")+":/var/lib/pialert/agent", "--volume", h.path("agent.yaml")+":/etc/pialert/agent.yaml:ro"))
}

func (h *host) display(version string) {
	h.t.Helper()
	h.container("display", filepath.Join(version, "pialert-display"), []string{
		"--volume", h.path("display") + ":/var/lib/pialert/display", "--volume", h.path("display.yaml") + ":/etc/pialert/display.yaml:ro"})
}

// stop asks a container to end, and tells its exit code: 137 if it had to be killed after a second.
func (h *host) stop(name string) string {
	h.t.Helper()
	h.podman("stop", name)
	code := strings.TrimSpace(h.podman("inspect", "--format", "{{.State.ExitCode}}", name))
	h.podman("rm", "--volumes", name)
	return code
}

// attack appends failed logins to the host's log.
func (h *host) attack(first, n int) {
	h.t.Helper()
	f, err := os.OpenFile(h.path("log/auth.log"), os.O_APPEND|os.O_WRONLY, 0)
	h.must(err)
	defer f.Close()
	for i := range n {
		fmt.Fprintf(f, "%s web1 sshd[%d]: Failed password for root from 192.0.2.7 port %d ssh2\n",
			time.Now().Format(time.RFC3339Nano), first+i, first+i)
	}
}

// total waits until the display has counted n attempts.
func (h *host) total(n int) {
	h.t.Helper()
	h.must(program.Poll(h.ctx, func() error {
		out, err := h.try("podman", h.engine([]string{"exec", "display", "pialert-display", "status", "--format", "json"})...)
		if err != nil {
			return err
		}
		var status struct{ Total int }
		if err := json.Unmarshal([]byte(out), &status); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		if status.Total != n {
			return fmt.Errorf("the display counts %d, want %d", status.Total, n)
		}
		return nil
	}))
}

// The agent reads the host's log, the display counts, both end when they are asked to, and newer
// images go on where the older ones stopped.
func TestCountsOverAnUpgrade(t *testing.T) {
	h := boot(t)
	h.write("agent.yaml", "name: web1\nmetrics: ''\nlink: {listen: '127.0.0.1:7483', relay: ''}\nlogs: [{path: /var/log/auth.log}]\n")
	h.write("display.yaml", "name: desk\nmetrics: ''\ndriver: none\nlook: {zone: Europe/Berlin}\n")
	h.agent(images)
	h.display(images)
	h.pair()
	h.attack(1000, 5)
	h.total(5)

	newer := h.path("newer") // podman takes no capital letters
	h.must(build(newer, "1.1.0"))
	if code := h.stop("agent"); code != "0" {
		t.Errorf("the agent ended with %s", code)
	}
	h.attack(2000, 7) // nobody looks
	if code := h.stop("display"); code != "0" {
		t.Errorf("the display ended with %s", code)
	}
	h.agent(newer)
	h.display(newer)
	h.attack(3000, 3)
	h.total(15)
	if out := h.podman("exec", "agent", "pialert-agent", "version"); !strings.Contains(out, "pialert-agent 1.1.0") {
		t.Errorf("the agent is %s", out)
	}
}

// pair pairs the running containers: the agent's invitation is handed to the display.
func (h *host) pair() {
	h.t.Helper()
	h.must(program.Poll(h.ctx, func() error {
		_, err := h.try("podman", h.engine([]string{"exec", "agent", "pialert-agent", "status"})...)
		return err
	}))
	p, err := program.Start(exec.Command("podman", h.engine([]string{"exec", "agent", "pialert-agent", "pair", "--yes", "--address", "127.0.0.1"})...))
	h.must(err)
	defer p.Kill()
	var token string
	h.must(p.Stdout.Await(h.ctx, func(text string) bool {
		token = regexp.MustCompile(`pialert1-\S+`).FindString(text)
		return token != "" && strings.Contains(text, token+"\n")
	}))
	h.podman("exec", "display", "pialert-display", "join", token)
}

// The responder of the agent's image bans in the network that it is given, with one capability, and
// listens to the agent's container.
func TestTheResponderBans(t *testing.T) {
	h := boot(t)
	h.write("agent.yaml", "name: web1\nmetrics: ''\nlink: {relay: ''}\nlogs: [{path: /var/log/auth.log}]\nresponses: {mode: enforce, nftables: {}}\n")
	h.must(os.Mkdir(h.path("sockets"), 0o755))
	sockets := h.path("sockets") + ":/run/pialert-responder"
	h.agent(images, "--volume", sockets)
	h.container("responder", filepath.Join(images, "pialert-agent"), []string{
		"--user=0:0", "--cap-add=NET_ADMIN", "--volume", sockets, "--volume", h.path("bans") + ":/var/lib/pialert/responder",
		"--volume", h.path("agent.yaml") + ":/etc/pialert/agent.yaml:ro"}, "responder")
	h.must(program.Poll(h.ctx, func() error {
		_, err := h.try("podman", h.engine([]string{"exec", "agent", "pialert-agent", "ban", "9.9.9.9", "--for", "1h"})...)
		return err
	}))
	if out := h.sh("ip", "netns", "exec", h.netns, "nft", "list", "set", "inet", "pialert", "ban4"); !strings.Contains(out, "9.9.9.9") {
		t.Errorf("in force is %s", out)
	}
	if code := h.stop("responder"); code != "0" {
		t.Errorf("the responder ended with %s", code)
	}
}

// The agent's image has no journalctl, and reads the host's journal all the same.
func TestReadsTheJournal(t *testing.T) {
	h := boot(t)
	h.write("agent.yaml", "name: web1\nmetrics: ''\nlink: {listen: '127.0.0.1:7483', relay: ''}\nlogs: [{path: journal, start: beginning}]\n")
	h.write("display.yaml", "name: desk\nmetrics: ''\ndriver: none\n")
	folder := h.path("log/journal/00112233445566778899aabbccddeeff")
	h.must(os.MkdirAll(folder, 0o755))
	var entries strings.Builder
	for i := range 5 {
		fmt.Fprintf(&entries, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n_UID=0\n_EXE=/usr/sbin/sshd\n_SYSTEMD_SLICE=system.slice\n"+
			"_HOSTNAME=web1\n_PID=%d\nSYSLOG_IDENTIFIER=sshd\nSYSLOG_FACILITY=10\nMESSAGE=Failed password for root from 192.0.2.7 port %d ssh2\n\n",
			time.Now().UnixMicro(), 1000+i, strings.Repeat("b0", 16), 4000+i, 4000+i)
	}
	write := exec.CommandContext(h.ctx, "/lib/systemd/systemd-journal-remote", "--output="+filepath.Join(folder, "system.journal"), "--split-mode=none", "-")
	write.Stdin = strings.NewReader(entries.String())
	if out, err := write.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	h.must(os.Chmod(filepath.Join(folder, "system.journal"), 0o640))
	h.agent(images, "--group-add=0")
	h.display(images)
	h.pair()
	h.total(5)
}
