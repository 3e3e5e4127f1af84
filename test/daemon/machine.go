// Package daemon starts real daemons for end-to-end tests and attacks them with real clients.
//
// A [Machine] is a server of its own, made of Linux namespaces: it has its own host name, process
// numbers, loopback network, /dev/log, /run, /etc/ssh, /etc/apache2 and /var/log. On it run
// Debian's own rsyslogd or journald, sshd and Apache, under their usual names and on their usual
// ports. Nothing of it reaches the network or the host's files, several run beside each other,
// and when it is closed (or its owner dies) the kernel ends every process on it.
//
// The attacks return the truth: what was attempted, from which address, how often. Sources are
// documentation addresses (RFC 5737, RFC 3849), which the machine's loopback network owns.
//
// It needs root, and the packages that [Missing] names. It promises nothing for machines without
// Linux' namespaces.
package daemon

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The addresses that every machine has.
var (
	Address4 = netip.MustParseAddr("192.0.2.1")
	Address6 = netip.MustParseAddr("2001:db8::1")
)

// The account that every machine has besides Debian's own. Root has no password.
const (
	Account  = "alice"
	Password = "correct horse"

	passwordHash = "$6$pialert$S69jU/eBP1apB3bZ9X5e0.fPWP3xx0iGGzHn2z8HsGwrrIycqpw2s5C4LAP5iE8WAC4g/GV/dTxskZX3E.XTe0"
)

// Ids that journald writes into each entry. Fixed ones keep the host's out of recordings.
const (
	machineID = "0123456789abcdef0123456789abcdef"
	bootID    = "01234567-89ab-4def-8123-456789abcdef"
)

//go:embed machine.sh
var furnish string

// packages names the Debian package of each program that machines, daemons or attacks run.
var packages = []struct{ program, name string }{
	{"/usr/sbin/sshd", "openssh-server"},
	{"/usr/bin/ssh", "openssh-client"},
	{"/usr/sbin/rsyslogd", "rsyslog"},
	{"/usr/sbin/apache2", "apache2"},
	{"/usr/bin/curl", "curl"},
	{"/usr/sbin/ip", "iproute2"},
	{"/usr/sbin/nft", "nftables"},
	{"/usr/bin/nsenter", "util-linux"},
	{"/usr/sbin/sysctl", "procps"},
	{"/lib/systemd/systemd-journald", "systemd"},
}

// Missing returns an error that says what to do if this host cannot run machines, else nil.
func Missing() error {
	var names []string
	for _, p := range packages {
		if _, err := os.Stat(p.program); err != nil {
			names = append(names, p.name)
		}
	}
	if len(names) > 0 {
		return fmt.Errorf("real daemons are needed: apt-get install -y --no-install-recommends %s",
			strings.Join(names, " "))
	}
	if os.Geteuid() != 0 {
		return errors.New("real daemons need root: run this again with sudo")
	}
	return nil
}

// Machine is a running server. Its methods may be used by several goroutines, save Close.
type Machine struct {
	dir  string
	init *exec.Cmd
	life io.Closer // process 1 ends when this is closed
}

// Boot starts a machine whose files lie under dir, which must exist, be empty and outlive it.
func Boot(dir string) (*Machine, error) {
	if err := Missing(); err != nil {
		return nil, err
	}
	if err := layOut(dir); err != nil {
		return nil, fmt.Errorf("cannot lay out the machine: %w", err)
	}
	cmd := exec.Command("/bin/sh", "-c", furnish, "init", dir)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET,
	}
	cmd.Stderr = os.Stderr
	life, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot make the machine's namespaces: %w", err)
	}
	m := &Machine{dir: dir, init: cmd, life: life}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		m.Close()
		return nil, fmt.Errorf("cannot furnish the machine, see standard error: %q, %v", line, err)
	}
	return m, nil
}

// Close ends every process on the machine. Its files stay.
func (m *Machine) Close() error {
	m.life.Close()
	m.init.Process.Kill()
	m.init.Wait() // killed: its error says nothing
	return nil
}

// Command is like [exec.CommandContext], on the machine. Ending the context ends the wait for
// the program; the program itself may live until the machine is closed.
func (m *Machine) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	enter := []string{"--mount", "--uts", "--net", "--pid", "--wd=/",
		"--target", strconv.Itoa(m.init.Process.Pid), "--", name}
	cmd := exec.CommandContext(ctx, "/usr/bin/nsenter", append(enter, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}
	cmd.WaitDelay = time.Second
	return cmd
}

// Program is like [exec.Command], on the machine. Killing it only ends the wait for it; it lives
// until it ends by itself or the machine is closed.
func (m *Machine) Program(path string, args ...string) *exec.Cmd {
	return m.Command(context.Background(), path, args...)
}

// Log returns where a file of the machine's /var/log lies on the outside.
func (m *Machine) Log(name string) string { return filepath.Join(m.dir, "var/log", name) }

// Await returns once a line of a file of /var/log holds all of the texts, or an error when the
// context ends.
func (m *Machine) Await(ctx context.Context, log string, texts ...string) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		written, _ := os.ReadFile(m.Log(log)) // it may not be there yet
		for line := range strings.Lines(string(written)) {
			if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s does not hold %q: %w", log, texts, ctx.Err())
		}
	}
}

// start runs a daemon in the foreground and returns once the file of its pid, or another that
// it makes when it is ready, exists. What it says goes to /var/log/NAME.out.
func (m *Machine) start(ctx context.Context, ready, name string, args ...string) error {
	says, err := os.Create(m.Log(filepath.Base(name) + ".out"))
	if err != nil {
		return err
	}
	defer says.Close()
	cmd := m.Command(context.WithoutCancel(ctx), name, args...)
	cmd.Stdout, cmd.Stderr = says, says
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start %s: %w", name, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Lstat(m.outside(ready)); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case err := <-ended:
			text, _ := os.ReadFile(says.Name())
			return fmt.Errorf("cannot run %s: %v: %s", name, err, text)
		case <-ctx.Done():
			return fmt.Errorf("%s did not make %s: %w", name, ready, ctx.Err())
		}
	}
}

// outside returns where the outside sees a path of the machine.
func (m *Machine) outside(path string) string {
	return fmt.Sprintf("/proc/%d/root%s", m.init.Process.Pid, path)
}

// layOut makes the files that machine.sh mounts.
func layOut(dir string) error {
	for _, place := range []string{"etc/ssh", "etc/apache2", "etc/pam.d", "var/log/apache2", "var/www"} {
		if err := os.MkdirAll(filepath.Join(dir, place), 0o755); err != nil {
			return err
		}
	}
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return err
	}
	shadow, err := os.ReadFile("/etc/shadow")
	if err != nil {
		return err
	}
	const home = ":1999:65534::/:/bin/sh\n"
	for name, text := range map[string]string{
		"etc/passwd":     string(passwd) + Account + ":x" + home,
		"etc/shadow":     string(shadow) + Account + ":" + passwordHash + ":19000:0:99999:7:::\n",
		"etc/machine-id": machineID + "\n",
		"boot_id":        bootID + "\n",
		// Debian's, without the two seconds that pam_unix waits after a wrong password.
		"etc/pam.d/common-auth": "auth [success=1 default=ignore] pam_unix.so nullok nodelay\n" +
			"auth requisite pam_deny.so\nauth required pam_permit.so\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
