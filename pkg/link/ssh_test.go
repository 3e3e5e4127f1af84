package link

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/pairing"
)

// sshServer is a real sshd whose one key may do nothing but relay to a Unix socket.
type sshServer struct {
	address string // as a peer's
	client  SSH
	dir     string
}

func startSSHD(t *testing.T, socket string) *sshServer {
	t.Helper()
	dir := t.TempDir()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"host", "client", "other"} {
		run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", filepath.Join(dir, key))
	}
	public, err := os.ReadFile(filepath.Join(dir, "client.pub"))
	if err != nil {
		t.Fatal(err)
	}
	hostKey, err := os.ReadFile(filepath.Join(dir, "host.pub"))
	if err != nil {
		t.Fatal(err)
	}
	host, port := freePort(t)
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("authorized_keys", fmt.Sprintf("restrict,command=\"LINK_TEST_ROLE=relay LINK_TEST_SOCKET=%s %s\" %s", socket, self, public))
	write("known_hosts", fmt.Sprintf("[%s]:%s %s", host, port, hostKey))
	write("config", fmt.Sprintf(`Port %[1]s
ListenAddress %[2]s
HostKey %[3]s/host
PidFile none
AuthorizedKeysFile %[3]s/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
`, port, host, dir))
	os.MkdirAll("/run/sshd", 0o755) // for privilege separation, as root
	program, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		t.Fatalf("%v: install openssh-server", err)
	}
	server := exec.Command(program, "-D", "-e", "-f", filepath.Join(dir, "config"))
	server.Stderr = t.Output()
	server.WaitDelay = time.Second
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	awaitPort(t, net.JoinHostPort(host, port))
	return &sshServer{
		address: "ssh://" + me.Username + "@" + net.JoinHostPort(host, port),
		client:  SSH{Options: sshTestOptions(dir, "client")},
		dir:     dir,
	}
}

func sshTestOptions(dir, key string) []string {
	return []string{
		"-F", "none", "-i", filepath.Join(dir, key),
		"-o", "IdentitiesOnly=yes", "-o", "UserKnownHostsFile=" + filepath.Join(dir, "known_hosts"),
	}
}

func run(t *testing.T, program string, args ...string) {
	t.Helper()
	if output, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, output)
	}
}

// freePort returns a free port of a loopback address of its own: on 127.0.0.1 an outgoing
// connection could take the port meanwhile.
func freePort(t *testing.T) (host, port string) {
	t.Helper()
	free, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+rand.N(250), rand.N(250), 1+rand.N(250)))
	if err != nil {
		t.Fatal(err)
	}
	defer free.Close()
	host, port, err = net.SplitHostPort(free.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// awaitPort waits until somebody accepts connections at address.
func awaitPort(t *testing.T, address string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("nobody listens on %s", address)
		}
	}
}

// TestThroughSSH pairs and links through a real sshd. Nothing but sshd listens on a port.
func TestThroughSSH(t *testing.T) {
	t.Parallel()
	agent, display := keyring(t, pairing.Agent, "web1"), keyring(t, pairing.Display, "desk")
	socket := filepath.Join(t.TempDir(), "relay.sock")
	server := startSSHD(t, socket)
	dialer := &Dialer{Keyring: display, Log: testLog(t), SSH: server.client, Random: func() float64 { return 0.1 }}
	token := pairing.Token{Role: pairing.Agent, Name: "web1", Key: agent.Key()}

	_, err := dialer.Join(t.Context(), token, []string{server.address})
	if err == nil || !strings.Contains(err.Error(), "nobody listens on "+socket) {
		t.Errorf("before the agent runs: %v", err)
	}
	other := &Dialer{Keyring: display, Log: testLog(t), SSH: SSH{Options: sshTestOptions(server.dir, "other")}}
	if _, err = other.Join(t.Context(), token, []string{server.address}); err == nil || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("with a key that may not log in: %v", err)
	}
	missing := &Dialer{Keyring: display, Log: testLog(t), SSH: SSH{Program: "/nonexistent/ssh"}}
	if _, err = missing.Join(t.Context(), token, []string{server.address}); err == nil || !strings.Contains(err.Error(), "install openssh-client") {
		t.Errorf("without ssh: %v", err)
	}

	sockets, err := Listen(t.Context(), "unix:"+socket)
	if err != nil {
		t.Fatal(err)
	}
	var invitations pairing.Invitations
	listener := &Listener{Keyring: agent, Invitations: &invitations, Log: testLog(t)}
	atAgent, atDisplay := make(conns), make(conns)
	start(t, func(ctx context.Context) error { return listener.Run(ctx, sockets, atAgent.handle) })
	invitation, err := invitations.Invite()
	if err != nil {
		t.Fatal(err)
	}
	token.Secret = invitation.Secret
	joined := make(chan error, 1)
	go func() {
		_, err := dialer.Join(t.Context(), token, []string{server.address})
		joined <- err
	}()
	atAgent.next(t).Close() // the link that join verifies
	if err := <-joined; err != nil {
		t.Fatal(err)
	}

	start(t, func(ctx context.Context) error { return dialer.Run(ctx, atDisplay.handle) })
	far, near := atAgent.next(t), atDisplay.next(t)
	say(t, far, near, "through the pipe")
	say(t, near, far, strings.Repeat("and back ", 100_000))

	// ssh is killed, as by a router that forgets its connections.
	tunnel := near.NetConn().(*sshConn)
	tunnel.ssh.Process.Kill()
	wantClosed(t, far)
	near.Close()
	far.Close()
	far, near = atAgent.next(t), atDisplay.next(t)
	say(t, far, near, "again")

	// Unpairing ends ssh too.
	tunnel = near.NetConn().(*sshConn)
	if _, err := display.Remove("web1"); err != nil {
		t.Fatal(err)
	}
	wantClosed(t, far)
	select {
	case <-tunnel.ended:
	case <-time.After(20 * time.Second):
		t.Error("ssh still runs")
	}
}

// TestFrozenSSH has ssh stop passing anything on, as through a dead network that TCP has not given
// up yet: both ends of the stream notice, and the display dials again.
func TestFrozenSSH(t *testing.T) {
	t.Parallel()
	agent, display := keyring(t, pairing.Agent, "web1"), keyring(t, pairing.Display, "desk")
	socket := filepath.Join(t.TempDir(), "relay.sock")
	server := startSSHD(t, socket)
	befriend(t, display, agent, server.address)
	sockets, err := Listen(t.Context(), "unix:"+socket)
	if err != nil {
		t.Fatal(err)
	}
	atAgent, accepted, dialled := make(conns), serveEcho(t), make(chan *Conn, 100)
	start(t, func(ctx context.Context) error {
		return (&Listener{Keyring: agent, Log: testLog(t)}).Run(ctx, sockets, atAgent.handle)
	})
	start(t, func(ctx context.Context) error {
		return (&Dialer{Keyring: display, Log: testLog(t), SSH: server.client}).Run(ctx, func(ctx context.Context, conn *Conn) error {
			dialled <- conn
			return accepted.Handle(ctx, conn)
		})
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	first := atAgent.next(t)
	ping, _ := deliver(t, ctx, first)
	if _, err := ping(1); err != nil {
		t.Fatal(err)
	}
	if err := (<-dialled).NetConn().(*sshConn).ssh.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	select {
	case <-first.Done(): // gRPC has given it up
	case <-time.After(40 * time.Second):
		t.Fatal("the agent does not notice")
	}
	first.Close()
	ping, _ = deliver(t, ctx, atAgent.next(t))
	if got, err := ping(2); got != 2 || err != nil {
		t.Errorf("over the next connection: %d, %v", got, err)
	}
}

// TestRestrictedKey holds that the key of the documented authorized_keys line opens no shell, no
// terminal and no port.
func TestRestrictedKey(t *testing.T) {
	t.Parallel()
	server := startSSHD(t, filepath.Join(t.TempDir(), "relay.sock"))
	target, err := parseSSH(server.address)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"a command", []string{"echo", "hello"}, "nobody listens on"},
		{"a shell with a terminal", []string{"-tt"}, "PTY allocation request failed"},
		{"a forwarded port", []string{"-W", "127.0.0.1:1"}, "administratively prohibited"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := slices.Concat(server.client.Options, []string{"-p", target.port, "-l", target.user}, []string{target.host}, test.args)
			if strings.HasPrefix(test.args[0], "-") { // an option goes before the host
				args = slices.Concat(server.client.Options, []string{"-p", target.port, "-l", target.user}, test.args, []string{target.host})
			}
			output, err := exec.CommandContext(t.Context(), "ssh", args...).CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || !strings.Contains(string(output), test.want) || strings.Contains(string(output), "hello\n") {
				t.Errorf("%v, want %q in\n%s", err, test.want, output)
			}
		})
	}
}

// TestWhatSSHSays has a program in ssh's place complain as a server's banner could: nothing that a terminal
// would act on is in the error.
func TestWhatSSHSays(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "ssh")
	script := "#!/bin/sh\nprintf 'Welcome \\033[2J\\302\\23331m \\342\\200\\256there\\177\\377\\nPermission denied\\n' >&2\nexit 255\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	conn, err := SSH{Program: program}.dial("ssh://eve@server.example.org")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = conn.Read(make([]byte, 1))
	const want = `ssh: Welcome \x1b[2J\u009b31m \u202ethere\x7f\xff Permission denied`
	if err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
}

func TestSSHArguments(t *testing.T) {
	t.Parallel()
	target, err := parseSSH("ssh://me@server.example.org:2222")
	if err != nil {
		t.Fatal(err)
	}
	got := SSH{Options: []string{"-i", "key"}, Command: "relay"}.args(target)
	want := []string{"-i", "key", "-p", "2222", "-l", "me", "--", "server.example.org", "relay"}
	if !slices.Equal(got[len(sshOptions):], want) {
		t.Errorf("got %q, want %q at the end", got, want)
	}
	for _, address := range []string{
		"ssh://", "ssh://-oProxyCommand=x", "ssh://-x@host", "ssh://me:secret@host", "ssh://host/path", "ssh://host?x", "ssh://%zz",
	} {
		if _, err := parseSSH(address); err == nil {
			t.Errorf("%s was taken", address)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}
