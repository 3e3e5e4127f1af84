package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// SSHD says how the OpenSSH server is set up.
type SSHD struct {
	// LogFile makes sshd write to this file under /var/log itself, without a syslog header (-E).
	LogFile string
	// Root is the root folder of another Debian whose sshd is run instead of the host's.
	Root string
	// Config is appended to Debian's defaults, such as "KbdInteractiveAuthentication yes\n".
	Config string
}

// StartSSHD starts the OpenSSH server on port 22 of the machine's addresses, with Debian's
// configuration but for the attacks' sake: root may try passwords, and MaxStartups lets
// parallel clients in.
func (m *Machine) StartSSHD(ctx context.Context, o SSHD) error {
	dir := filepath.Join(m.dir, "etc/ssh")
	conf := o.Config + `HostKey /etc/ssh/ssh_host_ed25519_key
KbdInteractiveAuthentication no
UsePAM yes
PermitRootLogin yes
PrintMotd no
MaxStartups 300:30:400
AuthorizedKeysFile /etc/ssh/authorized_keys
PidFile /run/sshd.pid
`
	if err := os.WriteFile(filepath.Join(dir, "sshd_config"), []byte(conf), 0o644); err != nil {
		return fmt.Errorf("cannot configure sshd: %w", err)
	}
	var say strings.Builder
	keygen := m.Command(ctx, "/bin/sh", "-c", `cd /etc/ssh &&
		ssh-keygen -q -t ed25519 -N "" -C server -f ssh_host_ed25519_key &&
		ssh-keygen -q -t ed25519 -N "" -C client -f client_key`)
	keygen.Stderr = &say
	if err := keygen.Run(); err != nil {
		return fmt.Errorf("cannot make ssh keys: %w: %s", err, say.String())
	}
	if err := os.WriteFile(filepath.Join(dir, "askpass"), []byte(askpass), 0o755); err != nil {
		return fmt.Errorf("cannot write the attackers' askpass: %w", err)
	}
	args := []string{"/usr/sbin/sshd", "-D"}
	if o.LogFile != "" {
		args = append(args, "-E", "/var/log/"+o.LogFile)
	}
	if o.Root != "" {
		if err := m.lend(ctx, o.Root); err != nil {
			return err
		}
		args = append([]string{"chroot", o.Root}, args...)
	}
	return m.start(ctx, "/run/sshd.pid", args[0], args[1:]...)
}

// Authorize lets whoever runs ssh on the machine into the [Account] by key, for one command and
// nothing else. sshd must run.
func (m *Machine) Authorize(command string) error {
	dir := filepath.Join(m.dir, "etc/ssh")
	key, err := os.ReadFile(filepath.Join(dir, "client_key.pub"))
	if err != nil {
		return fmt.Errorf("cannot authorize a key: %w", err)
	}
	line := fmt.Sprintf("restrict,command=%q %s", command, key)
	if err := os.WriteFile(filepath.Join(dir, "authorized_keys"), []byte(line), 0o644); err != nil {
		return fmt.Errorf("cannot authorize a key: %w", err)
	}
	const client = "IdentityFile /etc/ssh/client_key\nStrictHostKeyChecking accept-new\nUserKnownHostsFile /run/known_hosts\n"
	if err := os.WriteFile(filepath.Join(dir, "ssh_config"), []byte(client), 0o644); err != nil {
		return fmt.Errorf("cannot configure ssh: %w", err)
	}
	return nil
}

// lend mounts the machine's own places into another root, for the machine only.
func (m *Machine) lend(ctx context.Context, root string) error {
	script := `for place in /dev /proc /run /etc/ssh /var/log; do mount --rbind $place "$0$place" || exit; done
		for file in /etc/passwd /etc/shadow /etc/pam.d/common-auth; do mount --bind $file "$0$file" || exit; done`
	if out, err := m.Command(ctx, "/bin/sh", "-c", script, root).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot mount into %s: %w: %s", root, err, out)
	}
	return nil
}
