package terminal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/pkg/attack"
)

// gate is a writer that can be held shut.
type gate struct {
	mu   sync.Mutex
	text bytes.Buffer
	err  error
}

func (g *gate) Write(text []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.text.Write(text)
	return len(text), g.err
}

// run starts a terminal and returns what ends it.
func run(t *testing.T, terminal *Terminal) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- terminal.Run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

func TestWithoutATerminalThereIsALinePerEvent(t *testing.T) {
	var out gate
	terminal := New(&out, Screen{}, []Lamp{{Name: "ssh-a"}, {Name: "web"}})
	stop := run(t, terminal)
	event := &attack.Event{Kind: attack.HTTPProbe, Count: 1}
	for i := range 1000 {
		terminal.Event(noon, "vps", 1, event, uint64(i))
		terminal.Draw([animate.Pixels]animate.Pixel{{R: uint8(i)}})
		terminal.Show(animate.Digits{Cells: animate.Total(uint64(i))})
		terminal.Totals([]uint64{0, uint64(i)}, uint64(i))
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(out.text.String(), "\n")
	if len(lines) != 1001 || lines[1000] != "" {
		t.Fatalf("%d lines", len(lines)-1)
	}
	for i, got := range lines[:1000] {
		if want := fmt.Sprintf("12:00:01 web  http_probe on vps  total %d\n", i); got != want {
			t.Fatalf("line %d is %q", i, got)
		}
	}
}

func TestAReaderThatSleepsHoldsNobodyUp(t *testing.T) {
	var out gate
	terminal := New(&out, Screen{}, []Lamp{{Name: "web"}})
	stop := run(t, terminal)
	out.mu.Lock()
	event := &attack.Event{Kind: attack.HTTPProbe, Count: 1}
	const events = 3 * maxPending
	for i := range events {
		terminal.Event(noon, "vps", 0, event, uint64(i))
	}
	out.mu.Unlock()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	written, missed := 0, 0
	for _, each := range strings.Split(strings.TrimSpace(out.text.String()), "\n") {
		var more int
		if _, err := fmt.Sscanf(each, "(%d lines more", &more); err == nil {
			missed += more
		} else {
			written++
		}
	}
	if missed == 0 || written+missed != events {
		t.Errorf("%d lines written, %d missed, of %d", written, missed, events)
	}
}

func TestAnOutputThatIsGoneEndsIt(t *testing.T) {
	out := gate{err: syscall.EPIPE}
	terminal := New(&out, Screen{}, nil)
	terminal.Write([]byte("a line\n"))
	if err := terminal.Run(t.Context()); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Run returned %v", err)
	}
	if err := terminal.Show(animate.Digits{}); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Show returned %v", err)
	}
}

func TestTheScreenIsClosedAndTheLogKept(t *testing.T) {
	var out gate
	terminal := New(&out, fixed(60, 20, TrueColor), []Lamp{{Name: "web"}})
	stop := run(t, terminal)
	for i := range maxRecent + 5 {
		fmt.Fprintf(terminal, "level=WARN n=%d msg=\"\x1b[2J\"\n", i)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	text := out.text.String()
	_, after, ok := strings.Cut(text, leave)
	if !strings.HasPrefix(text, enter) || !ok {
		t.Fatalf("the screen was not opened and closed: %q", text)
	}
	logged, picture, _ := strings.Cut(after, "\x1b")
	lines := strings.Split(strings.TrimRight(logged, " \n"), "\n")
	if len(lines) != maxRecent || lines[0] != `level=WARN n=5 msg="\x1b[2J"` {
		t.Errorf("%d lines of the log are kept, first %q", len(lines), lines[0])
	}
	if !strings.Contains(picture, "▀") || !strings.Contains(picture, "web") || strings.Contains(picture, "level=") {
		t.Errorf("the last picture does not stay, or the log is in it: %q", picture)
	}
}

func TestExamineAnythingButATerminal(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got := Examine(file, func(string) string { return "xterm" }); got.Live {
		t.Error("a file is taken for a terminal")
	}
}

// childVariable tells the test's program that it is the child of TestInARealTerminal.
const childVariable = "PIALERT_TERMINAL_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	// The terminal is this process' own here, which shows until a line is typed.
	terminal := New(os.Stdout, Examine(os.Stdout, os.Getenv), []Lamp{{Name: "web"}})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		os.Stdin.Read(make([]byte, 1))
		cancel()
	}()
	if err := terminal.Run(ctx); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// openTerminal returns both ends of a new pseudo-terminal (pts(4)).
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

func TestInARealTerminal(t *testing.T) {
	master, slave := openTerminal(t)
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 30, Row: 10}); err != nil {
		t.Fatal(err)
	}
	flags := func() uint32 {
		state, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return state.Lflag
	}
	before := flags()

	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childVariable+"=1", "TERM=xterm", "COLORTERM=truecolor", "NO_COLOR=")
	child.Stdin, child.Stdout, child.Stderr = slave, slave, slave
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var text []byte
	read := func(until string) {
		t.Helper()
		piece := make([]byte, 4096)
		for !bytes.Contains(text, []byte(until)) {
			n, err := master.Read(piece)
			if err != nil {
				t.Fatalf("%v after %q", err, text)
			}
			text = append(text, piece[:n]...)
		}
	}
	read("all")
	if !bytes.HasPrefix(text, []byte(enter)) || !bytes.Contains(text, []byte("48;2;22;23;27m")) {
		t.Errorf("it wrote %q", text)
	}
	if flags()&unix.ECHO != 0 {
		t.Error("keys that are typed spoil the picture")
	}
	text = nil
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 60, Row: 20}); err != nil {
		t.Fatal(err)
	}
	read("all") // painted anew

	if _, err := master.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
	read(leave)
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
	if flags() != before {
		t.Errorf("the terminal's flags were %#x and are %#x", before, flags())
	}
}

func TestDepthsOfColor(t *testing.T) {
	_, slave := openTerminal(t)
	tests := map[string]struct {
		env  map[string]string
		want Screen
	}{
		"true":     {map[string]string{"TERM": "xterm-256color", "COLORTERM": "truecolor"}, Screen{Live: true, Colors: TrueColor}},
		"direct":   {map[string]string{"TERM": "xterm-direct"}, Screen{Live: true, Colors: TrueColor}},
		"256":      {map[string]string{"TERM": "screen-256color"}, Screen{Live: true, Colors: Colors256}},
		"16":       {map[string]string{"TERM": "linux"}, Screen{Live: true, Colors: Colors16}},
		"NO_COLOR": {map[string]string{"TERM": "xterm", "COLORTERM": "truecolor", "NO_COLOR": "1"}, Screen{Live: true}},
		"dumb":     {map[string]string{"TERM": "dumb", "COLORTERM": "truecolor"}, Screen{}},
		"no TERM":  {nil, Screen{}},
	}
	for name, test := range tests {
		got := Examine(slave, func(key string) string { return test.env[key] })
		if got.Live != test.want.Live || got.Colors != test.want.Colors {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
