package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"

	"github.com/pialert/pialert/pkg/attack"
)

// MaxAuthTries is how many failures sshd allows on a connection (sshd_config(5), MaxAuthTries).
const MaxAuthTries = 6

// askpass answers every prompt of ssh. Unlike sshpass it also answers the second one.
const askpass = "#!/bin/sh\nprintf '%s\\n' \"$PASSWORD\"\n"

// ssh returns a real client's command that offers nothing but what options add.
func (m *Machine) ssh(ctx context.Context, from netip.Addr, user, password string, options ...string) *exec.Cmd {
	args := []string{"-F", "/dev/null", "-b", from.String(), "-l", user,
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
		"-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=20"}
	for _, option := range options {
		args = append(args, "-o", option)
	}
	cmd := m.Command(ctx, "/usr/bin/ssh", append(args, serverFor(from).String(), "true")...)
	cmd.Env = append(cmd.Env, "SSH_ASKPASS=/etc/ssh/askpass", "SSH_ASKPASS_REQUIRE=force", "PASSWORD="+password)
	return cmd
}

// refused runs a client that must not get in and returns what it says: ssh exits with 255 then,
// curl with another code than 0.
func refused(cmd *exec.Cmd) (string, error) {
	out, err := cmd.CombinedOutput()
	if _, is := errors.AsType[*exec.ExitError](err); is {
		return string(out), nil
	}
	if err == nil {
		err = errors.New("it was let in")
	}
	return "", fmt.Errorf("cannot attack with %s: %w: %s", cmd.Path, err, out)
}

// WrongPasswords tries n passwords for a user on one connection. Where the server does not even
// talk to the source any more, that is a probe.
func (m *Machine) WrongPasswords(ctx context.Context, from netip.Addr, user string, n int) ([]Attempt, error) {
	return m.guess(ctx, from, user, "password", n)
}

// KeyboardInteractive is like WrongPasswords with the other method that asks for passwords. The
// server must allow it: "KbdInteractiveAuthentication yes".
func (m *Machine) KeyboardInteractive(ctx context.Context, from netip.Addr, user string, n int) ([]Attempt, error) {
	return m.guess(ctx, from, user, "keyboard-interactive", n)
}

func (m *Machine) guess(ctx context.Context, from netip.Addr, user, method string, n int) ([]Attempt, error) {
	said, err := refused(m.ssh(ctx, from, user, "123456", "PreferredAuthentications="+method,
		"NumberOfPasswordPrompts="+strconv.Itoa(n)))
	if err != nil {
		return nil, err
	}
	if !strings.Contains(said, "Permission denied") && !strings.Contains(said, "Too many authentication failures") {
		return one(attack.SSHProbe, from, "", 1), nil
	}
	name, _, _ := strings.Cut(user, ":") // sshd takes the rest for a "style" and never logs it
	return one(attack.SSHLogin, from, name, uint64(min(n, MaxAuthTries))), nil
}

// RefusedKey offers one key that the account does not accept, and no password.
func (m *Machine) RefusedKey(ctx context.Context, from netip.Addr, user string) ([]Attempt, error) {
	_, err := refused(m.ssh(ctx, from, user, "", "PreferredAuthentications=publickey",
		"IdentityFile=/etc/ssh/client_key"))
	return one(attack.SSHLogin, from, user, 1), err
}

// HostileName tries one wrong password for a name that ssh itself would refuse to send: with
// line breaks, quotes, bytes that are no UTF-8, or of any length. It must hold no colon or NUL.
func (m *Machine) HostileName(ctx context.Context, from netip.Addr, name string) ([]Attempt, error) {
	host := serverFor(from).String()
	if from.Is6() {
		host = "[" + host + "]"
	}
	_, err := refused(m.Command(ctx, "/usr/bin/curl", "--silent", "--insecure", "--globoff",
		"--interface", from.String(), "--user", name+":123456", "sftp://"+host+"/"))
	return one(attack.SSHLogin, from, "", 1), err
}

// Login logs in with the right password, and out. It is no attack.
func (m *Machine) Login(ctx context.Context, from netip.Addr) ([]Attempt, error) {
	cmd := m.ssh(ctx, from, Account, Password, "PreferredAuthentications=password")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot log in with the right password: %w: %s", err, out)
	}
	return nil, nil
}

// BadKeyExchange offers only a key exchange that the server refuses.
func (m *Machine) BadKeyExchange(ctx context.Context, from netip.Addr) ([]Attempt, error) {
	_, err := refused(m.ssh(ctx, from, "root", "", "KexAlgorithms=diffie-hellman-group1-sha1"))
	return one(attack.SSHProbe, from, "", 1), err
}

// Scan connects to sshd and hangs up after reading what it says of itself.
func (m *Machine) Scan(ctx context.Context, from netip.Addr) ([]Attempt, error) {
	return m.probe(ctx, from, "")
}

// Banner sends a text of its own where the client's version belongs, and hangs up.
func (m *Machine) Banner(ctx context.Context, from netip.Addr, text string) ([]Attempt, error) {
	return m.probe(ctx, from, text)
}

// Stall connects and says nothing until sshd hangs up, after its LoginGraceTime. Debian 12's
// OpenSSH 9.2 says nothing of it since CVE-2024-6387 was closed there; OpenSSH 10 does.
func (m *Machine) Stall(ctx context.Context, from netip.Addr) ([]Attempt, error) {
	conn, err := m.Dial(ctx, from, 22)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := io.Copy(io.Discard, conn); err != nil {
		return nil, fmt.Errorf("sshd does not hang up: %w", err)
	}
	return one(attack.SSHProbe, from, "", 1), nil
}

func (m *Machine) probe(ctx context.Context, from netip.Addr, text string) ([]Attempt, error) {
	conn, err := m.Dial(ctx, from, 22)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	banner := make([]byte, 256)
	if _, err := conn.Read(banner); err != nil {
		return nil, fmt.Errorf("sshd says nothing: %w", err)
	}
	if text != "" {
		if _, err := io.WriteString(conn, text); err != nil {
			return nil, fmt.Errorf("cannot send a banner: %w", err)
		}
	}
	return one(attack.SSHProbe, from, "", 1), nil
}
