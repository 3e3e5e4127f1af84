package install

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What the fresh root holds besides what every Debian has: a system that boots, with a syslog, as
// Debian's installer makes it.
var (
	release  = "bookworm"
	contains = []string{"systemd-sysv", "dbus", "rsyslog", "sudo", "openssh-client", "openssh-server"}
)

// address is the machine's own, for tokens to name.
const address = "192.0.2.10"

// timeout is how long a test waits for what must happen.
const timeout = time.Minute

// machine is a booted Debian.
type machine struct {
	testing.TB
	init string // process id of its systemd
}

// boot boots a fresh Debian, which ends with the test.
func boot(t *testing.T) *machine {
	t.Helper()
	root, err := freshRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("testdata/boot")
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("unshare", "--mount", script, root, t.TempDir(), "web1", address)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := command.Wait(); err != nil {
			t.Errorf("the machine did not end well: %v\n%s", err, stderr.String())
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the machine does not boot: %v\n%s", err, stderr.String())
	}
	m := &machine{TB: t, init: strings.TrimSpace(line)}
	m.await("boot", func() error {
		out, err := m.run("systemctl is-system-running --wait")
		if strings.HasPrefix(out, "running") || strings.HasPrefix(out, "degraded") {
			return nil // degraded by units that no container can start
		}
		return err
	})
	return m
}

// freshRoot returns the folder of a Debian that nothing was done to.
func freshRoot(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = "/var/cache"
	}
	cache = filepath.Join(cache, "pialert")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(release + strings.Join(contains, ",")))
	root := filepath.Join(cache, fmt.Sprintf("debian-%s-%x", release, sum[:4]))
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	part := root + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "mmdebstrap", "--variant=minbase", "--mode=root", "--include="+strings.Join(contains, ","), release, part).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cannot make a fresh Debian: %w\n%s\nit takes mmdebstrap (apt-get install mmdebstrap) and a Debian mirror", err, out)
	}
	return root, os.Rename(part, root)
}

// command prepares a shell command in the machine, as root in /root.
func (m *machine) command(line string) *exec.Cmd {
	return exec.CommandContext(m.Context(), "nsenter", "--target", m.init, "--all", "--root", "--wd=/proc/"+m.init+"/root/root",
		"/usr/bin/env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8",
		"DEBIAN_FRONTEND=noninteractive", "/bin/bash", "-c", line)
}

// run runs a shell command and returns what it printed.
func (m *machine) run(line string) (string, error) {
	out, err := m.command(line).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", line, err, out)
	}
	return string(out), err
}

// must runs a shell command that has to succeed.
func (m *machine) must(line string) string {
	m.Helper()
	out, err := m.run(line)
	if err != nil {
		m.Fatalf("%v\n%s", err, m.journal())
	}
	return out
}

// journal is the end of the machine's, for messages of failed tests.
func (m *machine) journal() string {
	out, _ := m.run("journalctl -n 40 --no-pager")
	return out
}

// put copies a file of the host into the machine.
func (m *machine) put(from, to string) {
	m.Helper()
	file, err := os.Open(from)
	if err != nil {
		m.Fatal(err)
	}
	defer file.Close()
	m.write(file, to)
}

func (m *machine) write(content io.Reader, to string) {
	m.Helper()
	command := m.command("cat > " + to)
	command.Stdin = content
	if out, err := command.CombinedOutput(); err != nil {
		m.Fatalf("cannot write %s: %v\n%s", to, err, out)
	}
}

// await waits until a condition holds.
func (m *machine) await(what string, holds func() error) {
	m.Helper()
	ctx, cancel := context.WithTimeout(m.Context(), timeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := holds()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			m.Fatalf("%s: %v\n%s", what, errors.Join(err, ctx.Err()), m.journal())
		}
	}
}

// background is a command that goes on while others run.
type background struct {
	*exec.Cmd
	first string // the first line of its output
	rest  *bytes.Buffer
}

// start starts a command and waits for the first line of its output.
func (m *machine) start(line string) *background {
	m.Helper()
	b := &background{Cmd: m.command(line), rest: &bytes.Buffer{}}
	b.Stderr = b.rest
	stdout, err := b.StdoutPipe()
	if err != nil {
		m.Fatal(err)
	}
	if err := b.Start(); err != nil {
		m.Fatal(err)
	}
	if b.first, err = bufio.NewReader(stdout).ReadString('\n'); err != nil {
		b.Wait()
		m.Fatalf("%s printed nothing: %v\n%s", line, err, b.rest)
	}
	return b
}
