package respond

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/test/suite"
)

// timeout is how long a test waits for what should take milliseconds, on a machine that is busy with others.
const timeout = 20 * time.Second

// programs are what TestMain built.
var programs program.Binaries

func TestMain(m *testing.M) { suite.MainWith(m, &programs) }

// server is a machine with an agent and a responder. Whoever attacks it comes from its own loopback.
type server struct {
	t                *testing.T
	ctx              context.Context
	dir, netns       string
	fd               int
	config           string
	log              *os.File
	agent, responder *program.Process
	port             int
}

func boot(t *testing.T, responses string) *server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute+time.Duration(*kills)*time.Second)
	t.Cleanup(cancel)
	dir, err := os.MkdirTemp("", "respond")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &server{t: t, ctx: ctx, dir: dir, netns: filepath.Base(dir), port: 1024}
	s.shell("ip netns add " + s.netns)
	t.Cleanup(func() { exec.Command("ip", "netns", "del", s.netns).Run() })
	s.inside("ip link set lo up; ip -6 addr add 2a00:9::1/128 dev lo nodad; ip -6 route add local 2a00:1:2:3::/64 dev lo")
	if s.fd, err = unix.Open("/var/run/netns/"+s.netns, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(s.fd) })
	if s.log, err = os.Create(filepath.Join(dir, "auth.log")); err != nil {
		t.Fatal(err)
	}
	s.config = filepath.Join(dir, "agent.yaml")
	s.must(os.WriteFile(s.config, fmt.Appendf(nil, `name: web1
state: %[1]s/state
control: %[1]s/agent.sock
metrics: ""
rules: %[1]s/rules.d
link: {listen: "127.0.0.1:7483", relay: ""}
logs: [{path: %[1]s/auth.log}]
ignore_self: false
responses:
  socket: %[1]s/responder.sock
  state: %[1]s/bans
  include: [127.0.0.0/8]
%[2]s`, dir, responses), 0o644))
	s.start()
	return s
}

func (s *server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// poll asks until it is so, and gives up after timeout.
func (s *server) poll(is func() error) {
	s.t.Helper()
	s.within(timeout, is)
}

func (s *server) within(most time.Duration, is func() error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, most)
	defer cancel()
	s.must(program.Poll(ctx, is))
}

func (s *server) shell(command string) string {
	s.t.Helper()
	out, err := exec.Command("sh", "-ec", command).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// inside runs a shell command on the server.
func (s *server) inside(command string) string {
	s.t.Helper()
	return s.shell("ip netns exec " + s.netns + " sh -ec '" + command + "'")
}

func (s *server) process(args ...string) *program.Process {
	s.t.Helper()
	p, err := program.Start(exec.Command("ip", append([]string{"netns", "exec", s.netns, programs.Agent}, append(args, "--config", s.config)...)...))
	s.must(err)
	s.t.Cleanup(func() {
		p.Kill()
		if s.t.Failed() {
			s.t.Logf("%v wrote:\n%s", args, p.Stderr)
		}
	})
	return p
}

// start starts both programs, and waits until the log is followed.
func (s *server) start() {
	s.t.Helper()
	s.responder = s.process("responder")
	s.agent = s.process("run")
	s.poll(func() error {
		_, err := s.command("status")
		return err
	})
}

// command runs a command of the agent on the server.
func (s *server) command(args ...string) (string, error) {
	return program.Run(s.ctx, exec.Command("ip", append([]string{"netns", "exec", s.netns, programs.Agent}, append(args, "--config", s.config)...)...))
}

// attack writes lines of failed passwords, each of another connection.
func (s *server) attack(from, user string, lines int) {
	s.t.Helper()
	for range lines {
		s.port++
		_, err := fmt.Fprintf(s.log, "%s web1 sshd[%d]: Failed password for %s from %s port %d ssh2\n",
			time.Now().Format(time.RFC3339Nano), s.port, user, from, 1024+s.port%60000)
		s.must(err)
	}
}

// reaches says whether packets from an address reach the server.
func (s *server) reaches(from string) bool {
	s.t.Helper()
	source, to := netip.MustParseAddr(from), "127.0.0.1"
	if source.Is6() {
		to = "2a00:9::1"
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never back: the thread ends with the goroutine
		if err := unix.Setns(s.fd, unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		listener, err := net.Listen("tcp", net.JoinHostPort(to, "0"))
		if err != nil {
			done <- err
			return
		}
		defer listener.Close()
		dialer := net.Dialer{Timeout: time.Second, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0)), Control: freebind}
		conn, err := dialer.Dial("tcp", listener.Addr().String())
		if err == nil {
			conn.Close()
		}
		done <- err
	}()
	err := <-done
	var timeout net.Error
	if err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
		s.t.Fatalf("from %s: %v", from, err)
	}
	return err == nil
}

// freebind lets a socket have an address that no interface has: the server's own would never be banned.
func freebind(_, _ string, conn syscall.RawConn) (err error) {
	problem := conn.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_FREEBIND, 1) })
	if errors.Is(err, unix.ENOPROTOOPT) {
		err = nil // of IPv4
	}
	return errors.Join(problem, err)
}

// await waits until packets of an address reach the server, or no longer do.
func (s *server) await(reaches bool, from string) {
	s.t.Helper()
	s.poll(func() error {
		if s.reaches(from) != reaches {
			return fmt.Errorf("packets of %s reach the server: %t, want %t", from, !reaches, reaches)
		}
		return nil
	})
}

// Five wrong passwords, and the packets of who typed them stop; a day's work of one command lets them
// in again. Whoever lies beside him is not touched, nor whom a user name blames.
func TestAnAttackerIsShutOut(t *testing.T) {
	t.Parallel()
	s := boot(t, "  mode: enforce\n")
	s.attack("127.0.0.2", "root", 5)
	s.attack("2a00:1:2:3::7", "root", 5)
	s.attack("127.0.0.3", "root", 4)
	s.attack("127.0.0.4", "root from 127.0.0.5 port 22 ssh2", 5)
	for _, from := range []string{"127.0.0.2", "2a00:1:2:3::7", "2a00:1:2:3::8", "127.0.0.4"} {
		s.await(false, from)
	}
	for _, from := range []string{"127.0.0.3", "127.0.0.5"} {
		s.await(true, from)
	}
	out, err := s.command("bans")
	s.must(err)
	for _, want := range []string{"127.0.0.2/32", "2a00:1:2:3::/64", "5 attempts within", "ssh_login of rule sshd-failed-password in " + s.dir + "/auth.log"} {
		if !strings.Contains(out, want) {
			t.Errorf("bans prints\n%s\nwithout %q", out, want)
		}
	}
	if _, err := s.command("unban", "127.0.0.2"); err != nil {
		t.Error(err)
	}
	s.await(true, "127.0.0.2")
	if _, err := s.command("bans", "flush"); err != nil {
		t.Error(err)
	}
	s.await(true, "2a00:1:2:3::7")
	status, err := s.command("status", "--format", "json")
	s.must(err)
	if !strings.Contains(status, `"ban": 3`) || !strings.Contains(status, `"unban": 3`) {
		t.Errorf("the bans are no events: %s", status)
	}
}

// Until the owner wants it, nobody is shut out.
func TestObservingBansNobody(t *testing.T) {
	t.Parallel()
	s := boot(t, "")
	s.attack("127.0.0.2", "root", 50)
	s.poll(func() error {
		if !strings.Contains(s.agent.Stderr.String(), "would ban") {
			return fmt.Errorf("it does not say what it would do")
		}
		return nil
	})
	s.await(true, "127.0.0.2")
	if out, err := s.command("bans"); err != nil || !strings.Contains(out, "nobody is banned") {
		t.Errorf("%s, %v", out, err)
	}
}

// An uninstallation takes every ban back, also where the configuration has a mistake by then.
func TestRemovalLetsEverybodyIn(t *testing.T) {
	t.Parallel()
	for name, mistake := range map[string]string{"in order": "", "with a mistake": "responses: {mode: 7}\nunknown: 1\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := boot(t, "  mode: enforce\n")
			s.attack("127.0.0.2", "root", 5)
			s.attack("2a00:1:2:3::7", "root", 5)
			s.await(false, "127.0.0.2")
			s.await(false, "2a00:1:2:3::7")
			s.agent.Kill()
			s.responder.Kill()
			text, err := os.ReadFile(s.config)
			s.must(err)
			s.must(os.WriteFile(s.config, append(text, mistake...), 0o644))
			if out, err := s.command("responder", "remove"); (err != nil) != (mistake != "") {
				t.Errorf("%s, %v", out, err)
			}
			s.await(true, "127.0.0.2")
			s.await(true, "2a00:1:2:3::7")
			if tables := s.inside("nft list tables"); strings.Contains(tables, "pialert") {
				t.Errorf("there are %s", tables)
			}
		})
	}
}
