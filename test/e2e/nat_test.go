package e2e

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pialert/pialert/packaging/demo/program"
)

// network is a network namespace that lives as long as a process in it.
type network struct {
	t   *testing.T
	pid int
}

// newNetwork makes an empty network that ends with the test.
func newNetwork(t *testing.T) network {
	t.Helper()
	cmd := exec.Command("cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	life, err := cmd.StdinPipe() // it ends with this test, however that ends
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatalf("cannot make a network (root is needed): %v", err)
	}
	t.Cleanup(func() {
		life.Close()
		cmd.Wait()
	})
	n := network{t, cmd.Process.Pid}
	n.sh("ip link set lo up")
	return n
}

// command returns a command that runs in the network. Its process is the program itself.
func (n network) command(path string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net", "--target", strconv.Itoa(n.pid), "--", path}, args...)...)
}

func (n network) sh(script string, args ...any) {
	n.t.Helper()
	script = fmt.Sprintf(script, args...)
	if out, err := n.command("/bin/sh", "-ec", script).CombinedOutput(); err != nil {
		n.t.Fatalf("%s: %v: %s", script, err, out)
	}
}

// TestNAT has the display at home behind a router that masquerades: nothing there can be
// reached from outside. The router's address changes in the middle of a stream, and the link
// is cut for a minute. The total stays the truth.
func TestNAT(t *testing.T) {
	t.Parallel()
	server, router, home := newNetwork(t), newNetwork(t), newNetwork(t)
	router.sh("ip link add wan type veth peer name eth0 netns %d", server.pid)
	router.sh("ip link add lan type veth peer name eth0 netns %d", home.pid)
	server.sh("ip address add 192.0.2.1/24 dev eth0; ip link set eth0 up")
	home.sh("ip address add 198.51.100.2/24 dev eth0; ip link set eth0 up; ip route add default via 198.51.100.1")
	router.sh(`ip address add 192.0.2.9/24 dev wan; ip link set wan up
		ip address add 198.51.100.1/24 dev lan; ip link set lan up
		sysctl -q net.ipv4.ip_forward=1
		nft 'add table ip nat
		add chain ip nat postrouting { type nat hook postrouting priority srcnat; }
		add rule ip nat postrouting oifname wan masquerade'`)

	log, logs := newLogbook(t)
	s := layOut(t, program.Settings{Logs: logs, Listen: "192.0.2.1:7483"})
	s.wait(3 * time.Minute)
	s.Command = func(path string, args ...string) *exec.Cmd {
		if path == programs.Agent {
			return server.command(path, args...)
		}
		return home.command(path, args...)
	}
	s.startAgent()
	s.startDisplay()
	s.must(s.Join(s.ctx))
	s.did(log.attempts(100))
	s.counted()
	if out, err := server.command("ss", "-tnH", "state", "established").CombinedOutput(); err != nil || !strings.Contains(string(out), "192.0.2.9:") {
		t.Errorf("the server does not see the router's address: %v\n%s", err, out)
	}

	// Attempts go on all the time, a few every 50 ms, whatever becomes of the link.
	steps := []struct {
		at time.Duration
		do func()
	}{
		{time.Second, func() {
			router.sh("ip address flush dev wan; ip address add 192.0.2.10/24 dev wan")
		}},
		{10 * time.Second, func() { router.sh("ip link set lan down") }},
		{70 * time.Second, func() { router.sh("ip link set lan up") }},
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); len(steps) > 0; <-tick.C {
		s.did(log.attempts(3))
		if time.Since(began) > steps[0].at {
			steps[0].do()
			steps = steps[1:]
		}
	}
	s.exact(log.attempt)
}
