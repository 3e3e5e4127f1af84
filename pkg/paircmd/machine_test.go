package paircmd

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/pialert/pialert/pkg/control"
	"github.com/pialert/pialert/pkg/link"
	"github.com/pialert/pialert/pkg/pairing"
)

// machine is a program with its state and configuration.
type machine struct {
	role pairing.Role
	Settings
	invitations pairing.Invitations // of the running program
	types       io.Reader           // what a person types; nil if there is no terminal
}

// in is standard input.
func (m *machine) in() io.Reader {
	if m.types != nil {
		return m.types
	}
	null, _ := os.Open(os.DevNull)
	return null
}

// newMachine returns a machine that listens on a free port of a loopback address of its own: on
// 127.0.0.1 an outgoing connection could take the port meanwhile.
func newMachine(t *testing.T, role pairing.Role, name string) *machine {
	t.Helper()
	dir := t.TempDir()
	free, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+rand.N(250), rand.N(250), 1+rand.N(250)))
	if err != nil {
		t.Fatal(err)
	}
	defer free.Close()
	return &machine{role: role, Settings: Settings{
		Name: name, State: filepath.Join(dir, "state"), Control: filepath.Join(dir, "control.sock"),
		Listen: []string{free.Addr().String()},
	}}
}

func (m *machine) command(stdout, stderr io.Writer, args ...string) *cobra.Command {
	root := &cobra.Command{Use: name(m.role), SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(Commands(m.role, func() (Settings, error) { return m.Settings, nil })...)
	root.SetArgs(args)
	root.SetIn(m.in())
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root
}

// run runs a command to its end.
func (m *machine) run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err = m.command(&out, &errs, args...).ExecuteContext(ctx)
	return out.String(), errs.String(), err
}

// pair starts the pair command and returns the line that it prints and how it ends.
func (m *machine) pair(t *testing.T, args ...string) (line string, cancel func(), ended <-chan error) {
	t.Helper()
	return m.pairing(t, t.Output(), args...)
}

// pairOn is pair with another standard error.
func (m *machine) pairOn(t *testing.T, stderr io.Writer) (line string, ended <-chan error) {
	t.Helper()
	line, _, ended = m.pairing(t, stderr)
	return line, ended
}

func (m *machine) pairing(t *testing.T, stderr io.Writer, args ...string) (line string, cancel func(), ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := m.command(writer, stderr, append([]string{"pair"}, args...)...).ExecuteContext(ctx)
		writer.CloseWithError(errors.Join(err, io.EOF))
		done <- err
	}()
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		t.Fatalf("pair printed %q: %v", line, err)
	}
	go io.Copy(io.Discard, reader)
	t.Cleanup(cancel)
	return line, cancel, done
}

// start runs the program of a machine until the test ends.
func (m *machine) start(t *testing.T) *pairing.Keyring {
	t.Helper()
	keyring, err := pairing.Open(m.State, m.role, m.Name)
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := link.Listen(t.Context(), m.Listen...)
	if err != nil {
		t.Fatal(err)
	}
	controls, err := control.Listen(m.Control)
	if err != nil {
		t.Fatal(err)
	}
	listener := link.Listener{Keyring: keyring, Invitations: &m.invitations, Log: slog.New(slog.DiscardHandler)}
	dialer := link.Dialer{Keyring: keyring, Log: slog.New(slog.DiscardHandler)}
	drain := func(_ context.Context, conn *link.Conn) error {
		_, err := io.Copy(io.Discard, conn)
		return err
	}
	mux := http.NewServeMux()
	Handle(mux, keyring, &m.invitations, func() []link.State { return append(listener.States(), dialer.States()...) })
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 3)
	go func() { ended <- listener.Run(ctx, sockets, drain) }()
	go func() { ended <- dialer.Run(ctx, drain) }()
	go func() { ended <- control.Serve(ctx, controls, mux) }()
	t.Cleanup(func() {
		cancel()
		for range 3 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
	return keyring
}

func (m *machine) peers(t *testing.T) report {
	t.Helper()
	stdout, _, err := m.run(t, "peers", "--format", "json")
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	return r
}

// joinLine returns the arguments of the line that pair printed.
func joinLine(t *testing.T, line, program string) []string {
	t.Helper()
	words := strings.Fields(line)
	if len(words) != 4 || words[0] != "sudo" || words[1] != program || words[2] != "join" {
		t.Fatalf("pair printed %q, want: sudo %s join TOKEN", line, program)
	}
	return words[2:]
}

func wait(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("pair does not end")
		return nil
	}
}

// lockedBuffer is written and read at once.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}
