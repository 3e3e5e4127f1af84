package main

import (
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	process "github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/pkg/control"
)

// TestMain lets the test's own binary be the program: what runs on a board is main itself.
func TestMain(m *testing.M) {
	if os.Getenv("PIALERT_DISPLAY_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// Registers of a Pi 0 (BCM2835 ARM Peripherals, pages 90 to 96): the function of a pin is three
// bits of the word of its tens, 0 is input and 1 output; its level is a bit of another word.
const (
	gpioBase    = 0x20200000
	levelOffset = 0x34
	// The file must reach past the last register that go-rpio maps, at 0x2020c000.
	memorySize = 0x2020d000
)

// board is a machine made of a mount namespace, in which the program runs as an ordinary user: its
// /dev has a /dev/mem that only root may open, and a plain file as /dev/gpiomem.
type board struct {
	*process.Process
	t      *testing.T
	ctx    context.Context
	dir    string // of all files, for all users
	memory *os.File
}

// stage makes the machine and becomes the program.
const stage = `
set -e
mount -t tmpfs none /dev
cp "$PROGRAM" /dev/program
touch /dev/mem /dev/gpiomem && chmod 0 /dev/mem
mount --bind "$DIR/gpiomem" /dev/gpiomem
eval "$PREPARE"
exec setpriv --reuid=65534 --regid=65534 --clear-groups /dev/program "$@" --config "$DIR/display.yaml"
`

// newBoard returns a board on which nothing runs yet. All of its pins read low, which a TM1637
// that acknowledges does as well as buttons that are down.
func newBoard(t *testing.T, config string) *board {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("this test needs a mount namespace: run it as root")
	}
	dir, err := os.MkdirTemp("", "board")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	b := &board{t: t, ctx: ctx, dir: dir}
	b.must(os.Chmod(dir, 0o777))
	b.must(os.WriteFile(b.path("display.yaml"),
		[]byte("state: "+b.path("state")+"\ncontrol: "+b.path("control.sock")+"\nmetrics: \"\"\nweb: {listen: \"\"}\n"+config), 0o644))
	b.memory, err = os.Create(b.path("gpiomem"))
	b.must(err)
	t.Cleanup(func() { b.memory.Close() })
	b.must(b.memory.Chmod(0o666))
	b.must(b.memory.Truncate(memorySize))
	return b
}

func (b *board) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *board) path(name string) string { return filepath.Join(b.dir, name) }

// start runs the program on the board, after some more shell that prepares it.
func (b *board) start(prepare string, environment []string, args ...string) {
	b.t.Helper()
	self, err := os.Executable()
	b.must(err)
	command := exec.Command("unshare", append([]string{"-m", "sh", "-c", stage, "sh"}, args...)...)
	command.Env = append(append(os.Environ(), environment...), "PROGRAM="+self, "DIR="+b.dir, "PREPARE="+prepare, "PIALERT_DISPLAY_MAIN=1")
	// Each program of the chain replaces the one before, so the process is the display's.
	b.Process, err = process.Start(command)
	b.must(err)
	b.t.Cleanup(b.Kill)
}

// run starts the display with --driver blinkt and waits until it runs.
func (b *board) run(environment []string, args ...string) {
	b.t.Helper()
	b.start("", environment, append([]string{"run", "--driver", "blinkt"}, args...)...)
	b.says("msg=running")
}

// says waits until the program has logged a text.
func (b *board) says(want string) {
	b.t.Helper()
	err := b.Stderr.Await(b.ctx, func(text string) bool { return strings.Contains(text, want) || b.Ended() })
	b.must(err)
	if log := b.Stderr.String(); !strings.Contains(log, want) {
		b.t.Fatalf("the program ended without %q:\n%s", want, log)
	}
}

// exits waits for the program's end and returns its exit code.
func (b *board) exits() int {
	b.t.Helper()
	code, err := b.Wait(b.ctx)
	b.must(err)
	return code
}

// command runs another command of the program, on this machine, and returns its output.
func (b *board) command(args ...string) string {
	b.t.Helper()
	out, err := b.tryCommand(args...)
	b.must(err)
	return out
}

// tryCommand does the same and may fail; the error holds what the command said.
func (b *board) tryCommand(args ...string) (string, error) {
	b.t.Helper()
	self, err := os.Executable()
	b.must(err)
	command := exec.Command(self, append(args, "--config", b.path("display.yaml"))...)
	command.Env = append(os.Environ(), "PIALERT_DISPLAY_MAIN=1")
	return process.Run(b.ctx, command)
}

// shows runs a command that changes what is shown, and waits until that is drawn.
func (b *board) shows(args ...string) (out string) {
	b.t.Helper()
	before := b.status().Frames
	out = b.command(args...)
	for b.status().Frames == before {
		if b.ctx.Err() != nil {
			b.t.Fatalf("nothing was drawn after %v", args)
		}
	}
	return out
}

// status asks the running display.
func (b *board) status() (s Status) {
	b.t.Helper()
	b.must(control.Client{Path: b.path("control.sock")}.Call(b.ctx, "/status", nil, &s))
	return s
}

func (b *board) word(offset int64) uint32 {
	b.t.Helper()
	var word [4]byte
	_, err := b.memory.ReadAt(word[:], gpioBase+offset)
	b.must(err)
	return binary.LittleEndian.Uint32(word[:])
}

func (b *board) setWord(offset int64, value uint32) {
	b.t.Helper()
	_, err := b.memory.WriteAt(binary.LittleEndian.AppendUint32(nil, value), gpioBase+offset)
	b.must(err)
}

// function returns the function of a pin.
func (b *board) function(bcm int) uint32 { return b.word(int64(bcm/10*4)) >> (bcm % 10 * 3) & 7 }

func (b *board) setFunction(bcm int, f uint32) {
	shift := bcm % 10 * 3
	b.setWord(int64(bcm/10*4), b.word(int64(bcm/10*4))&^(7<<shift)|f<<shift)
}

// setLevel is what a wire does to a pin.
func (b *board) setLevel(bcm int, high bool) {
	word := b.word(levelOffset) &^ (1 << bcm)
	if high {
		word |= 1 << bcm
	}
	b.setWord(levelOffset, word)
}
