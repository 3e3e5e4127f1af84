package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	process "github.com/pialert/pialert/packaging/demo/program"
)

// drawing are the pins that draw.
var drawing = []int{23, 24, 5, 4}

func TestRegisters(t *testing.T) {
	t.Parallel()
	b := newBoard(t, "pins: rpio\n")
	before := map[int]uint32{23: 7, 24: 1, 5: 0, 4: 4, 17: 2} // alternate functions 3, 0 and 5, an output, an input
	for bcm, f := range before {
		b.setFunction(bcm, f)
	}
	b.run(nil)
	var status Status
	for status.Frames == 0 {
		status = b.status()
	}
	for _, bcm := range drawing {
		// The TM1637's data pin is an input for some microseconds of each of its frames.
		for b.function(bcm) != 1 {
			if b.ctx.Err() != nil {
				t.Fatalf("BCM %d is no output while the program runs", bcm)
			}
		}
	}
	if len(status.Problems) > 0 {
		t.Errorf("problems: %v", status.Problems)
	}
	b.must(b.Stop(b.ctx))
	for bcm, want := range before {
		if f := b.function(bcm); f != want {
			t.Errorf("BCM %d has function %d after the program, it had %d", bcm, f, want)
		}
	}
}

// TestDemoOnTheDevice reads from the pins what a person would see. A plain file does not answer on
// the data line as a wire does, so the digits are read in TestWaveform.
func TestDemoOnTheDevice(t *testing.T) {
	t.Parallel()
	b := newBoard(t, "pins: rpio\n")
	start := time.Now()
	b.start("", nil, "demo", "--driver", "blinkt", "--vcd", b.path("pins.vcd"))
	if code := b.exits(); code != 0 {
		t.Fatalf("the demonstration ended with %d:\n%s", code, b.Stderr)
	}
	t.Logf("the demonstration took %s", time.Since(start))
	for color, leds := range swept(pictures(t, b.path("pins.vcd"))) {
		// Not all: a busy machine leaves frames out, and what rests has a colour of its own.
		if len(leds) <= animate.Pixels/2 {
			t.Errorf("%s was seen on %d LEDs, which is no sweep", color, len(leds))
		}
	}
	darkLEDs(t, b.path("pins.vcd"))
	for _, bcm := range drawing {
		if f := b.function(bcm); f != 0 {
			t.Errorf("BCM %d has function %d after the demonstration, want 0 (input)", bcm, f)
		}
	}
}

// swept returns on which LEDs the colour of each default lamp was seen; what rests below an eye
// shines through.
func swept(all [][animate.Pixels]animate.Pixel) map[string]map[int]bool {
	seen := map[string]map[int]bool{"red": {}, "blue": {}, "purple": {}, "green": {}}
	for _, picture := range all {
		for led, p := range picture {
			r, g, b := int(p.R), int(p.G), int(p.B)
			switch {
			case r > 2*(g+b):
				seen["red"][led] = true
			case g > 2*(r+b):
				seen["green"][led] = true
			case b > 2*(r+g):
				seen["blue"][led] = true
			case min(r, b) > 2*g:
				seen["purple"][led] = true
			}
		}
	}
	return seen
}

// TestDarkBeforeTheEnd kills the program in ways that a program can know of.
func TestDarkBeforeTheEnd(t *testing.T) {
	tests := map[string]struct {
		signal syscall.Signal
		code   int
	}{
		"SIGTERM": {syscall.SIGTERM, 0},
		"SIGINT":  {syscall.SIGINT, 0},
		"SIGQUIT": {syscall.SIGQUIT, 2}, // Go's, after where every goroutine was
		"SIGABRT": {syscall.SIGABRT, 2}, // what systemd's watchdog sends
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBoard(t, "pins: rpio\n")
			b.run(nil, "--vcd", b.path("pins.vcd"))
			b.shows("show", "ssh-a") // so that something is lit
			b.must(b.Signal(test.signal))
			if code := b.exits(); code != test.code {
				t.Errorf("it ended with %d, want %d:\n%s", code, test.code, b.Stderr)
			}
			darkLEDs(t, b.path("pins.vcd"))
			for _, bcm := range drawing {
				if f := b.function(bcm); f != 0 {
					t.Errorf("BCM %d has function %d, want 0 (input)", bcm, f)
				}
			}
		})
	}
}

func TestAMissingTM1637IsSaidOnce(t *testing.T) {
	t.Parallel()
	b := newBoard(t, "pins: rpio\nwiring: {digits_clock: 6}\n")
	b.setLevel(4, true) // nobody pulls the line low
	b.run(nil)
	b.says("cannot draw on the digits")
	// The LEDs go on, and every second of start-up has new digits to fail with.
	for range 3 {
		b.command("show")
	}
	status := b.status()
	if len(status.Problems) != 1 || !strings.Contains(status.Problems[0], "clock BCM 6 and data BCM 4") {
		t.Errorf("problems: %q", status.Problems)
	}
	b.setLevel(4, false)
	b.command("show")
	b.says("the digits can be drawn on again")
	if n := strings.Count(b.Stderr.String(), "cannot draw"); n != 1 {
		t.Errorf("it was said %d times:\n%s", n, b.Stderr)
	}
	b.must(b.Stop(b.ctx))
}

// Without GPIO the log, status and the metrics say so, and the display counts on.
func TestMetricsSayThatLightsAreMissing(t *testing.T) {
	t.Parallel()
	b := newBoard(t, "")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	b.must(err)
	address := listener.Addr().String()
	b.must(listener.Close())
	config, err := os.ReadFile(b.path("display.yaml"))
	b.must(err)
	b.must(os.WriteFile(b.path("display.yaml"), bytes.Replace(config, []byte(`metrics: ""`), []byte("metrics: "+address), 1), 0o644))
	b.start("umount /dev/gpiomem; rm /dev/gpiomem", nil, "run", "--driver", "blinkt")
	b.says("cannot draw on the LEDs; going on without, and trying again")
	b.says("msg=running")

	status := b.status()
	b.must(process.Poll(b.ctx, func() error { // the log may say so a moment before
		if status = b.status(); len(status.Problems) == 0 || !strings.HasPrefix(status.Problems[0], "lights: no GPIO") {
			return fmt.Errorf("status: %q", status.Problems)
		}
		return nil
	}))
	var response *http.Response
	b.must(process.Poll(b.ctx, func() (err error) { // they may be served a moment later
		response, err = http.Get("http://" + address + "/metrics")
		return err
	}))
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	b.must(err)
	for _, want := range []string{"\npialert_problem_info{problem=\"lights: no GPIO", fmt.Sprintf("\npialert_problems %d\n", len(status.Problems))} {
		if !strings.Contains(string(body), want) {
			t.Errorf("%q is missing in the metrics:\n%s", want, body)
		}
	}
	b.must(b.Stop(b.ctx))
}

// A database of addresses that is gone takes the names of countries away, and nothing else.
func TestAMissingDatabaseOfAddresses(t *testing.T) {
	t.Parallel()
	b := newBoard(t, "pins: rpio\ngeo: {database: /nonexistent.mmdb}\n")
	if out := b.command("config", "check"); !strings.Contains(out, "warning: cannot use the database of addresses /nonexistent.mmdb") {
		t.Errorf("the check says\n%s", out)
	}
	b.run(nil)
	b.says("cannot say where all addresses are")
	if status := b.status(); len(status.Problems) != 1 || !strings.Contains(status.Problems[0], "/nonexistent.mmdb") {
		t.Errorf("problems: %q", status.Problems)
	}
	b.must(b.Stop(b.ctx))
}

// A dead light does not stop the counting: the display runs, says what is wrong and what to do, and
// would light if the hardware came. A demonstration, which is of lights alone, fails.
func TestErrorsSayWhatToDo(t *testing.T) {
	const model = `mount -t tmpfs none /proc && mkdir /proc/device-tree && printf '%s\0' "` // ends with the model
	tests := map[string]struct {
		prepare string
		want    []string
	}{
		"missing": {
			"umount /dev/gpiomem; rm /dev/gpiomem",
			[]string{"/dev/gpiomem is missing", "modprobe bcm2835_gpiomem", "--driver terminal"},
		},
		"forbidden": {
			`umount /dev/gpiomem; chmod 0660 /dev/gpiomem`,
			[]string{"/dev/gpiomem is forbidden", "usermod -aG gpio"},
		},
		"hidden": {
			"rm /dev/mem",
			[]string{"/dev/mem is missing though /dev/gpiomem is there", "PrivateDevices="},
		},
		"no registers": {
			"umount /dev/gpiomem; mkdir /dev/sub && rm /dev/gpiomem && ln -s /dev/sub /dev/gpiomem",
			[]string{"open /dev/gpiomem", "pins: cdev"},
		},
		"Pi 4": {
			"umount /dev/gpiomem; chmod 0660 /dev/gpiomem; " + model + `Raspberry Pi 4 Model B Rev 1.4" > /proc/device-tree/model`,
			[]string{"this Raspberry Pi 4 Model B Rev 1.4", "usermod -aG gpio"},
		},
		"Pi 5": {
			model + `Raspberry Pi 5 Model B Rev 1.0" > /proc/device-tree/model`,
			[]string{"this Raspberry Pi 5 Model B Rev 1.0", "no /dev/gpiochip0"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBoard(t, "")
			b.start(test.prepare, nil, "run")
			b.says("msg=running")
			b.says("cannot draw on the LEDs; going on without, and trying again")
			for _, want := range append(test.want, "lights: ") {
				b.says(want)
			}
			b.must(b.Stop(b.ctx))

			b = newBoard(t, "")
			b.start(test.prepare, nil, "demo")
			if code := b.exits(); code != 1 {
				t.Errorf("the demonstration ended with %d", code)
			}
			for _, want := range append(test.want, "hint: pialert-display demo --driver terminal") {
				if !strings.Contains(b.Stderr.String(), want) {
					t.Errorf("%q is missing in:\n%s", want, b.Stderr)
				}
			}
		})
	}
}
