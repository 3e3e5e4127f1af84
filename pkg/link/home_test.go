package link

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/pairing"
)

// cut is how long the home router is unplugged.
const cut = time.Minute

// TestHomeRouter has a display at home dial an agent in a data centre, through a router that
// masquerades its address: real processes in network namespaces of their own, with the real
// kernel's TCP and the real time limits.
//
//	server            router                     home
//	198.51.100.1 ---- 198.51.100.254 (NAT) ----- 192.0.2.10
//
// The agent sends numbers, one after another, and begins after the last one that the display
// says it has, as delivery does. Each must arrive once, in order, while the router's address
// changes and while the line is cut for a minute.
func TestHomeRouter(t *testing.T) {
	t.Parallel()
	if os.Getenv("LINK_TEST_ISOLATED") == "" {
		isolated(t)
		return
	}
	agent, display := keyring(t, pairing.Agent, "web1"), keyring(t, pairing.Display, "desk")
	befriend(t, display, agent, "198.51.100.1:"+DefaultPort)
	for line := range strings.Lines(`
		mkdir -p /run/netns
		mount -t tmpfs tmpfs /run/netns
		ip netns add server
		ip netns add router
		ip netns add home
		ip link add wan netns router type veth peer name eth0 netns server
		ip link add lan netns router type veth peer name eth0 netns home
		ip -n server addr add 198.51.100.1/24 dev eth0
		ip -n router addr add 198.51.100.254/24 dev wan
		ip -n router addr add 192.0.2.1/24 dev lan
		ip -n home addr add 192.0.2.10/24 dev eth0
		ip -n server link set eth0 up
		ip -n router link set wan up
		ip -n router link set lan up
		ip -n home link set eth0 up
		ip -n home route add default via 192.0.2.1
		ip netns exec router sysctl -q -w net.ipv4.ip_forward=1
		ip netns exec router nft add table ip nat
		ip netns exec router nft add chain ip nat out { type nat hook postrouting priority 100 ; }
		ip netns exec router nft add rule ip nat out oifname wan masquerade`) {
		if words := strings.Fields(line); len(words) > 0 {
			run(t, words[0], words[1:]...)
		}
	}
	atServer := inNamespace(t, "server", "agent", agent.Dir())
	atHome := inNamespace(t, "home", "display", display.Dir())

	atServer.want(t, "up 198.51.100.254")
	atHome.want(t, "up 198.51.100.1")
	atHome.wantNumbers(t, 20)

	t.Log("the provider gives the router another address")
	run(t, "ip", "-n", "router", "addr", "add", "198.51.100.253/24", "dev", "wan")
	run(t, "ip", "-n", "router", "addr", "del", "198.51.100.254/24", "dev", "wan")
	run(t, "ip", "-n", "router", "addr", "replace", "198.51.100.253/24", "dev", "wan") // if it went with the former
	atServer.want(t, "up 198.51.100.253")
	atHome.wantNumbers(t, 20)

	t.Log("the line is cut")
	plugged := time.After(cut)
	run(t, "ip", "-n", "router", "link", "set", "wan", "down")
	atServer.want(t, "down") // both notice before it is plugged in again
	atHome.want(t, "down")
	t.Log("both ends have noticed")
	<-plugged
	run(t, "ip", "-n", "router", "link", "set", "wan", "up")
	t.Log("the line is back")
	atServer.want(t, "up 198.51.100.253")
	atHome.wantNumbers(t, 20)
}

// isolated runs the calling test again in a network and a mount namespace of its own, so that it
// needs no cleaning up and meets nobody.
func isolated(t *testing.T) {
	t.Helper()
	args := []string{"--net", "--mount"}
	if os.Geteuid() != 0 {
		args = append(args, "--map-root-user")
	}
	command := exec.CommandContext(t.Context(), "unshare", append(args, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")...)
	command.Env = append(os.Environ(), "LINK_TEST_ISOLATED=1")
	command.Stdout, command.Stderr = t.Output(), t.Output()
	if err := command.Run(); err != nil {
		t.Errorf("in its own namespaces: %v (it needs iproute2, nftables and util-linux, and to be root or allowed to make user namespaces)", err)
	}
}

// process is a copy of the test binary that plays one end.
type process struct {
	name  string
	lines chan string
	last  uint64 // number that arrived last
}

func inNamespace(t *testing.T, namespace, role, dir string) *process {
	t.Helper()
	command := exec.Command("ip", "netns", "exec", namespace, os.Args[0], dir)
	command.Env = append(os.Environ(), "LINK_TEST_ROLE="+role)
	command.Stderr = t.Output()
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
	p := &process{name: role, lines: make(chan string, 1_000_000)}
	go func() {
		defer close(p.lines)
		for scanner := bufio.NewScanner(output); scanner.Scan(); {
			p.lines <- scanner.Text()
		}
	}()
	return p
}

// next returns what the process says next about its link, and checks the numbers before that.
func (p *process) next(t *testing.T) string {
	t.Helper()
	deadline := time.After(40 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("the %s has ended", p.name)
			}
			if p.number(t, line) {
				continue
			}
			t.Logf("%s: %s", p.name, line)
			return line
		case <-deadline:
			t.Fatalf("the %s says nothing of its link for 40 seconds", p.name)
		}
	}
}

// want waits until the process says something that begins with prefix.
func (p *process) want(t *testing.T, prefix string) {
	t.Helper()
	for !strings.HasPrefix(p.next(t), prefix) {
	}
}

// wantNumbers waits for n more numbers.
func (p *process) wantNumbers(t *testing.T, n int) {
	t.Helper()
	deadline := time.After(40 * time.Second)
	for n > 0 {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("the %s has ended", p.name)
			}
			if p.number(t, line) {
				n--
			}
		case <-deadline:
			t.Fatalf("no number after %d has arrived for 40 seconds", p.last)
		}
	}
}

// number says whether line is a number, and checks that it is the next one.
func (p *process) number(t *testing.T, line string) bool {
	t.Helper()
	n, err := strconv.ParseUint(line, 10, 64)
	if err != nil {
		return false
	}
	if n != p.last+1 {
		t.Fatalf("after %d came %d", p.last, n)
	}
	p.last = n
	return true
}

// playAgent listens, and sends numbers to who connects until it is killed.
func playAgent(dir string) error {
	k, err := pairing.Open(dir, pairing.Agent, "web1")
	if err != nil {
		return err
	}
	sockets, err := Listen(context.Background(), ":"+DefaultPort)
	if err != nil {
		return err
	}
	listener := Listener{Keyring: k, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	return listener.Run(context.Background(), sockets, announcing(func(ctx context.Context, conn *Conn) error {
		var n uint64
		if _, err := fmt.Fscanln(conn, &n); err != nil {
			return err
		}
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			n++
			if _, err := fmt.Fprintln(conn, n); err != nil {
				return err
			}
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return nil
			}
		}
	}))
}

// playDisplay dials, and prints the numbers that it gets until it is killed.
func playDisplay(dir string) error {
	k, err := pairing.Open(dir, pairing.Display, "desk")
	if err != nil {
		return err
	}
	var last uint64
	dialer := Dialer{
		Keyring: k, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Random: func() float64 { return 0.1 }, // luck with the pauses saves the test half a minute
	}
	return dialer.Run(context.Background(), announcing(func(_ context.Context, conn *Conn) error {
		if _, err := fmt.Fprintln(conn, last); err != nil {
			return err
		}
		reader := bufio.NewReader(conn)
		for {
			line, err := reader.ReadString('\n')
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if last, err = strconv.ParseUint(strings.TrimSpace(line), 10, 64); err != nil {
				return err
			}
			fmt.Println(last)
		}
	}))
}

// announcing prints when a connection begins and ends.
func announcing(handle Handler) Handler {
	return func(ctx context.Context, conn *Conn) error {
		fmt.Println("up", conn.RemoteAddr())
		err := handle(ctx, conn)
		fmt.Println("down:", err)
		return err
	}
}
