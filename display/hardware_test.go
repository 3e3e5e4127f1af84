package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pialert/pialert/pkg/control"
)

// TestMain lets the test's own binary be the program: what runs in TestRegisters is main itself.
func TestMain(m *testing.M) {
	if os.Getenv("PIALERT_DISPLAY_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// stage makes a machine out of a mount namespace: its /dev has a /dev/mem that only root may open
// and a plain file as /dev/gpiomem, and the program runs as an ordinary user. The file must reach
// past the last register that go-rpio maps, at 0x2020c000 on a Pi 0.
const stage = `
set -e
mount -t tmpfs none /dev
cp "$PROGRAM" /dev/program
touch /dev/mem && chmod 0 /dev/mem
truncate -s 540M /dev/gpiomem && chmod 0666 /dev/gpiomem
mkdir -m 0777 /dev/state
printf 'state: /dev/state\ncontrol: /dev/state/control.sock\nmetrics: ""\npins: {way: rpio}\n' > /dev/state/display.yaml
exec setpriv --reuid=65534 --regid=65534 --clear-groups /dev/program run --driver blinkt --config /dev/state/display.yaml
`

// Registers of a Pi 0 (BCM2835 ARM Peripherals, pages 90 to 92): the function of a pin is three
// bits of the word of its tens; 0 is input, 1 output.
const gpioBase = 0x20200000

func function(t *testing.T, memory io.ReaderAt, bcm int) uint32 {
	t.Helper()
	var word [4]byte
	if _, err := memory.ReadAt(word[:], gpioBase+int64(bcm/10*4)); err != nil {
		t.Fatal(err)
	}
	return binary.LittleEndian.Uint32(word[:]) >> (bcm % 10 * 3) & 7
}

func TestRegisters(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test needs a mount namespace: run it as root")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, "unshare", "-m", "sh", "-c", stage)
	command.Env = append(os.Environ(), "PROGRAM="+self, "PIALERT_DISPLAY_MAIN=1")
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	// Each program of the chain replaces the one before, so this is the display's pid.
	root := fmt.Sprintf("/proc/%d/root", command.Process.Pid)
	log := bufio.NewScanner(stderr)
	running := false
	var said []string
	for !running && log.Scan() {
		said = append(said, log.Text())
		running = strings.Contains(log.Text(), "msg=running")
	}
	if !running {
		t.Fatalf("the program did not start:\n%s", strings.Join(said, "\n"))
	}
	memory, err := os.Open(root + "/dev/gpiomem")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	var status Status
	for status.Frames == 0 {
		if err := (control.Client{Path: root + "/dev/state/control.sock"}).Call(ctx, "/status", nil, &status); err != nil {
			t.Fatal(err)
		}
	}
	for _, bcm := range []int{23, 24, 5, 4} {
		// The TM1637's data pin is an input for some microseconds of each of its frames.
		for function(t, memory, bcm) != 1 {
			if ctx.Err() != nil {
				t.Fatalf("BCM %d is no output while the program runs", bcm)
			}
		}
	}
	if len(status.Problems) > 0 {
		t.Errorf("problems: %v", status.Problems)
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest, _ := io.ReadAll(stderr)
	if err := command.Wait(); err != nil {
		t.Errorf("the program ended with %v:\n%s", err, rest)
	}
	for _, bcm := range []int{23, 24, 5, 4} {
		if f := function(t, memory, bcm); f != 0 {
			t.Errorf("BCM %d has function %d after the program, want 0 (input)", bcm, f)
		}
	}
}
