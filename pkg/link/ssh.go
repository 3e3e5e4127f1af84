package link

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/pialert/pialert/pkg/stderr"
)

// SSH says how to log in where only sshd listens, and how to reach the other program there.
type SSH struct {
	Program string   // the client; empty stands for "ssh"
	Options []string // given to it before the destination, such as "-i", "/var/lib/pialert/ssh.key"
	Command string   // run there; empty stands for "pialert-agent relay"
}

// sshOptions make ssh a plain pipe that asks nobody, forwards nothing, and notices within
// 24 seconds that the other end is gone (ssh_config(5): ServerAliveInterval times
// ServerAliveCountMax, and one interval until the first question).
var sshOptions = []string{
	"-T", "-a", "-x",
	"-o", "BatchMode=yes",
	"-o", "ClearAllForwardings=yes",
	"-o", "ControlMaster=no", "-o", "ControlPath=none",
	"-o", "ConnectTimeout=10",
	"-o", "ServerAliveInterval=8", "-o", "ServerAliveCountMax=2",
}

// args returns ssh's arguments for a target.
func (s SSH) args(target sshTarget) []string {
	args := append([]string{}, sshOptions...)
	args = append(args, s.Options...)
	if target.port != "" {
		args = append(args, "-p", target.port)
	}
	if target.user != "" {
		args = append(args, "-l", target.user)
	}
	command := s.Command
	if command == "" {
		command = "pialert-agent relay"
	}
	return append(args, "--", target.host, command)
}

// dial starts ssh and returns its standard input and output as one connection.
func (s SSH) dial(address string) (net.Conn, error) {
	target, err := parseSSH(address)
	if err != nil {
		return nil, err
	}
	near, far, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("cannot make a pipe to ssh: %w", err)
	}
	defer far.Close()
	program := s.Program
	if program == "" {
		program = "ssh"
	}
	conn := &sshConn{Conn: near, ended: make(chan struct{})}
	conn.ssh = exec.Command(program, s.args(target)...)
	conn.ssh.Stdin, conn.ssh.Stdout, conn.ssh.Stderr = far, far, &conn.said
	conn.ssh.WaitDelay = time.Second
	if err := conn.ssh.Start(); err != nil {
		near.Close()
		return nil, fmt.Errorf("cannot start ssh: %w: install openssh-client", err)
	}
	go func() {
		conn.ssh.Wait() // its words tell more than its exit code
		close(conn.ended)
	}()
	return conn, nil
}

// socketPair returns the two ends of a stream: a connection, and a file for another process.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	near, far := os.NewFile(uintptr(fds[0]), "near end"), os.NewFile(uintptr(fds[1]), "far end")
	conn, err := net.FileConn(near) // duplicates it
	near.Close()
	if err != nil {
		far.Close()
		return nil, nil, err
	}
	return conn, far, nil
}

// sshConn is a connection through a running ssh.
type sshConn struct {
	net.Conn
	ssh  *exec.Cmd
	said stderr.Tail

	ended chan struct{} // closed when ssh has ended
}

// Read returns what ssh said, instead of the end or a reset, if ssh failed.
func (c *sshConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 || err == nil || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	c.await() // it has closed its end, so it is about to end
	if said := c.said.String(); said != "" {
		return n, fmt.Errorf("ssh: %s", said)
	}
	return n, err
}

// Close closes the pipe, upon which ssh passes on what it has and ends, or is ended.
func (c *sshConn) Close() error {
	err := c.Conn.Close()
	go func() {
		if !c.await() {
			c.ssh.Process.Kill() // fails if it has ended after all
		}
	}()
	return err
}

// await waits a little for ssh to end, and says whether it has.
func (c *sshConn) await() bool {
	timer := time.NewTimer(sshGrace)
	defer timer.Stop()
	select {
	case <-c.ended:
		return true
	case <-timer.C:
		return false
	}
}

// sshGrace is how long ssh may take to end once its pipe is closed.
const sshGrace = 2 * time.Second
