package fleet

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/pialert/pialert/packaging/demo/program"
)

// inProcess starts a broker in this process, which lets everybody in, and returns its address.
func inProcess(t *testing.T) string {
	t.Helper()
	options := &server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true}
	broker, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	broker.Start()
	t.Cleanup(func() { broker.Shutdown(); broker.WaitForShutdown() })
	return broker.ClientURL()
}

// debian is Debian's nats-server as a process.
type debian struct {
	address string
	config  string
	netns   string // its network namespace; empty is the test's own
	*program.Process
}

// startDebian starts Debian's nats-server with a configuration of a port and a store, and more.
func startDebian(t *testing.T, more string) *debian {
	t.Helper()
	dir := t.TempDir()
	port := freePort(t)
	d := &debian{address: fmt.Sprintf("nats://127.0.0.1:%d", port), config: filepath.Join(dir, "nats.conf")}
	text := fmt.Sprintf("listen: 127.0.0.1:%d\njetstream {store_dir: %q}\n%s", port, dir, more)
	if err := os.WriteFile(d.config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	d.start(t)
	t.Cleanup(func() { d.Kill() })
	return d
}

func (d *debian) start(t *testing.T) {
	t.Helper()
	command := exec.Command("nats-server", "-c", d.config)
	if d.netns != "" {
		command = exec.Command("ip", "netns", "exec", d.netns, "nats-server", "-c", d.config)
	}
	process, err := program.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	d.Process = process
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// owner is whoever runs the broker: it may do everything there.
type owner struct{ jetstream.JetStream }

func newOwner(t *testing.T, address string) owner {
	t.Helper()
	conn, err := nats.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	return owner{js}
}

// stream returns the fleet's stream, once it is there.
func (o owner) stream(ctx context.Context, t *testing.T) jetstream.Stream {
	t.Helper()
	var stream jetstream.Stream
	err := program.Poll(ctx, func() (err error) {
		stream, err = o.Stream(ctx, "pialert")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return stream
}
