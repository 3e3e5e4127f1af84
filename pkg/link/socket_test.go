package link

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pialert/pialert/pkg/pairing"
)

func TestListenSaysWhatToDo(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	served := filepath.Join(t.TempDir(), "served.sock")
	other, err := net.Listen("unix", served)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for _, test := range []struct{ name, address, want string }{
		{"port in use", taken.Addr().String(), "ss -ltnp"},
		{"foreign address", "192.0.2.77:7483", "ip address lists"},
		{"no port", "127.0.0.1", "HOST:PORT"},
		{"socket in use", "unix:" + served, "another program answers"},
		{"a file", "unix:" + file, "no socket"},
		{"no folder", "unix:/nonexistent/x.sock", "no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sockets, err := Listen(t.Context(), "127.0.0.1:0", test.address)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), test.address) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
			if sockets != nil {
				t.Error("some are open")
			}
		})
	}
}

func TestListenReplacesTheSocketOfTheDead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "relay.sock")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	sockets, err := Listen(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer sockets[0].Close()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestBothFamilies links over IPv4 and IPv6 to a listener without a host.
func TestBothFamilies(t *testing.T) {
	t.Parallel()
	agent := keyring(t, pairing.Agent, "web1")
	sockets, err := Listen(t.Context(), ":0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(sockets[0].Addr().String())
	atAgent := make(conns)
	start(t, func(ctx context.Context) error {
		return (&Listener{Keyring: agent, Log: testLog(t)}).Run(ctx, sockets, atAgent.handle)
	})
	for name, host := range map[string]string{"four": "127.0.0.1", "six": "::1", "name": "localhost"} {
		display := keyring(t, pairing.Display, name)
		befriend(t, display, agent, net.JoinHostPort(host, port))
		conn, err := (&Dialer{Keyring: display, Log: testLog(t)}).open(t.Context(), "web1")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		say(t, conn, atAgent.next(t), "over "+host)
	}
}

func TestReachable(t *testing.T) {
	t.Parallel()
	ips := func(texts ...string) (all []netip.Addr) {
		for _, text := range texts {
			all = append(all, netip.MustParseAddr(text))
		}
		return all
	}
	server := []Interface{
		{"lo", ips("127.0.0.1", "::1")},
		{"eth0", ips("10.0.0.5", "203.0.113.5", "2001:db8::5", "fe80::5")},
		{"docker0", ips("172.17.0.1")},
	}
	home := []Interface{{"lo", ips("127.0.0.1")}, {"wlan0", ips("192.168.1.20", "fd00::20", "100.64.0.9", "fe80::1")}}
	for _, test := range []struct {
		name, listen string
		interfaces   []Interface
		want         string
		public       bool
	}{
		{"a server", ":7483", server, "203.0.113.5:7483 [2001:db8::5]:7483 10.0.0.5:7483", true},
		{"every address", "[::]:7483", server, "203.0.113.5:7483 [2001:db8::5]:7483 10.0.0.5:7483", true},
		{"one address", "10.0.0.5:7483", server, "10.0.0.5:7483", false},
		{"a name", "server.example.org:7483", server, "server.example.org:7483", true},
		{"at home", "0.0.0.0:7483", home, "192.168.1.20:7483 [fd00::20]:7483 100.64.0.9:7483", false},
		{"offline", ":7483", home[:1], "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, public := Reachable(test.listen, test.interfaces)
			if strings.Join(got, " ") != test.want || public != test.public {
				t.Errorf("got %v, %v; want %s, %v", got, public, test.want, test.public)
			}
		})
	}
	if all, err := Interfaces(); err != nil || len(all) == 0 {
		t.Errorf("this machine has the interfaces %v, %v", all, err)
	}
}
