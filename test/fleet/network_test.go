package fleet

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// network is three machines at a switch, at which the test's processes are, too. It is apart from the machine's own
// network.
type network struct {
	t     *testing.T
	hosts []string // addresses
}

// newNetwork makes the network, and puts the test's goroutine and what it starts at its switch.
func newNetwork(t *testing.T) *network {
	t.Helper()
	runtime.LockOSThread() // and never back: the thread ends with the test, and the network with it
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	n := &network{t: t, hosts: []string{"10.77.0.1", "10.77.0.2", "10.77.0.3"}}
	n.run("ip link set lo up; ip link add switch type bridge; ip addr add 10.77.0.254/24 dev switch; ip link set switch up")
	for i, host := range n.hosts {
		n.run(fmt.Sprintf("ip netns add %[1]s; ip link add port%[2]d master switch up type veth peer name eth0 netns %[1]s; "+
			"ip -n %[1]s link set lo up; ip -n %[1]s link set eth0 up; ip -n %[1]s addr add %[3]s/24 dev eth0", n.namespace(host), i, host))
		t.Cleanup(func() { exec.Command("ip", "netns", "del", n.namespace(host)).Run() })
	}
	return n
}

// namespace is the name of a machine's network namespace.
func (n *network) namespace(host string) string {
	return fmt.Sprintf("fleet%d-%s", os.Getpid(), host[strings.LastIndexByte(host, '.')+1:])
}

// run runs shell commands at the switch.
func (n *network) run(commands string) {
	n.t.Helper()
	if out, err := exec.Command("sh", "-ec", commands).CombinedOutput(); err != nil {
		n.t.Fatalf("%s: %v\n%s", commands, err, out)
	}
}

// cut takes a machine off the switch: the others hear nothing of it any more, and who is connected to it
// notices that by a reset, as where a firewall refuses.
func (n *network) cut(host string) {
	n.t.Helper()
	n.run(fmt.Sprintf(`nft -f - <<'RULES'
table bridge cut {
	chain forward {
		type filter hook forward priority 0
		ip saddr %[1]s drop
		ip daddr %[1]s drop
	}
}
table inet cut {
	chain output {
		type filter hook output priority 0
		ip daddr %[1]s meta l4proto tcp reject with tcp reset
	}
	chain input {
		type filter hook input priority 0
		ip saddr %[1]s drop
	}
}
RULES`, host))
}

// heal puts it back.
func (n *network) heal() {
	n.t.Helper()
	n.run("nft delete table bridge cut; nft delete table inet cut")
}
