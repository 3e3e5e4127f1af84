package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pialert/pialert/packaging/demo/program"
)

// server is a machine of its own with one program that bans. Attackers come from 20.0.0.0/8, which is its
// own for the kernel; sshguard bans nobody from 127.0.0.0/8.
type server struct {
	netns, dir, log string
	fd              int
}

func (b *bench) server(name string) (*server, func(), error) {
	s := &server{netns: fmt.Sprintf("bench%d", os.Getpid()), dir: filepath.Join(b.dir, name)}
	s.log = filepath.Join(s.dir, "auth.log")
	end := func() { exec.Command("ip", "netns", "del", s.netns).Run() }
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, nil, err
	}
	for _, command := range []string{"ip netns add " + s.netns, s.inside("ip link set lo up"), s.inside("ip route add local 20.0.0.0/8 dev lo")} {
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			end()
			return nil, nil, fmt.Errorf("%s: %w: %s", command, err, out)
		}
	}
	var err error
	if s.fd, err = unix.Open("/var/run/netns/"+s.netns, unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
		err = os.WriteFile(s.log, nil, 0o644)
	}
	return s, end, err
}

func (s *server) inside(command string) string { return "ip netns exec " + s.netns + " " + command }

// start starts a shell command on the server.
func (s *server) start(command string) (*program.Process, error) {
	cmd := exec.Command("sh", "-c", "exec "+s.inside(command))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return program.Start(cmd)
}

// fails appends lines of wrong passwords of an address, as rsyslog writes them by tradition, and returns
// when the last was written.
func (s *server) fails(from string, n int) (time.Time, error) {
	file, err := os.OpenFile(s.log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return time.Time{}, err
	}
	defer file.Close()
	for i := range n {
		_, err = fmt.Fprintf(file, "%s web1 sshd[%d]: Failed password for root from %s port %d ssh2\n", time.Now().Format(time.Stamp), 1000+i, from, 2000+i)
	}
	return time.Now(), err
}

// dropped sends a packet each fifth of a millisecond from an address, calls begin when they arrive, and
// returns how long after the moment that begin returned the first one was sent that did not, nor did any
// later.
func (s *server) dropped(from string, begin func() (time.Time, error)) (time.Duration, error) {
	done := make(chan error, 1)
	var after time.Duration
	go func() {
		runtime.LockOSThread() // and never back: the thread ends with the goroutine
		done <- func() error {
			if err := unix.Setns(s.fd, unix.CLONE_NEWNET); err != nil {
				return err
			}
			listener, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				return err
			}
			defer listener.Close()
			sender, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(from)}, listener.LocalAddr().(*net.UDPAddr))
			if err != nil {
				return err
			}
			defer sender.Close()
			buffer := make([]byte, 1)
			arrives := func() bool {
				sender.Write(buffer) // refused or dropped: both do not arrive
				listener.SetReadDeadline(time.Now().Add(200 * time.Microsecond))
				_, err := listener.Read(buffer)
				return err == nil
			}
			if !arrives() {
				return errors.New("packets do not arrive before the ban")
			}
			began, err := begin()
			if err != nil {
				return err
			}
			lost := time.Now()
			for now := lost; now.Sub(lost) < time.Second; now = time.Now() {
				if arrives() {
					time.Sleep(200 * time.Microsecond)
					lost = time.Now()
				}
				if now.Sub(began) > banTimeout {
					return errors.New("nobody was banned")
				}
			}
			after = lost.Sub(began)
			return nil
		}()
	}()
	return after, <-done
}

// lineToDrop measures from the write of the fifth line until packets stop, in several rounds.
func (s *server) lineToDrop() (times []time.Duration, err error) {
	for i := range banRounds {
		from := fmt.Sprintf("20.1.0.%d", 10+i)
		if _, err := s.fails(from, 4); err != nil {
			return nil, err
		}
		time.Sleep(300 * time.Millisecond)
		took, err := s.dropped(from, func() (time.Time, error) { return s.fails(from, 1) })
		if err != nil {
			return nil, err
		}
		times = append(times, took)
	}
	slices.Sort(times)
	return times, nil
}
