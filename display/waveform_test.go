package main

import (
	"bytes"
	"errors"
	"math/bits"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pialert/pialert/display/internal/animate"
)

// What a waveform shows is read by sigrok, whose decoders know nothing of this project.

// sigrok decodes a waveform and returns the annotations, one a line. Long pauses are cut short,
// since sigrok makes a sample of every tick.
func sigrok(t *testing.T, waveform, decoder, annotation string) []string {
	t.Helper()
	command := exec.Command("sigrok-cli", "-I", "vcd:compress=1000", "-i", waveform, "-P", decoder, "-A", annotation)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatal("sigrok-cli is missing: sudo apt-get install sigrok-cli")
	}
	if err != nil {
		t.Fatalf("sigrok-cli: %v\n%s", err, stderr.String())
	}
	var all []string
	for line := range strings.Lines(string(out)) {
		_, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		all = append(all, text)
	}
	return all
}

// pictures returns the pictures that the Blinkt! was sent. A frame has 324 bits, so they are
// taken by fours.
func pictures(t *testing.T, waveform string) (all [][animate.Pixels]animate.Pixel) {
	t.Helper()
	const start, end = 32 / 4, 36 / 4
	const size = start + animate.Pixels*8 + end
	var nibbles []byte
	for _, text := range sigrok(t, waveform, "spi:clk=blinkt_clk:mosi=blinkt_dat:wordsize=4", "spi=mosi-data") {
		n, err := strconv.ParseUint(text, 16, 4)
		if err != nil {
			t.Fatalf("sigrok says %q", text)
		}
		nibbles = append(nibbles, byte(n))
	}
	if len(nibbles) == 0 || len(nibbles)%size != 0 {
		t.Fatalf("sigrok reads %d bits, which are no whole frames", 4*len(nibbles))
	}
	for ; len(nibbles) > 0; nibbles = nibbles[size:] {
		var picture [animate.Pixels]animate.Pixel
		for i := range picture {
			led := nibbles[start+8*i:]
			b := func(at int) uint8 { return led[2*at]<<4 | led[2*at+1] }
			if b(0)>>5 != 7 {
				t.Fatalf("LED %d begins with %#x, want three ones", i, b(0))
			}
			picture[i] = animate.Pixel{Brightness: b(0) & 31, B: b(1), G: b(2), R: b(3)}
		}
		all = append(all, picture)
	}
	return all
}

// display is what a TM1637 shows.
type display struct {
	cells [animate.Cells]uint8
	on    bool
}

// displays returns what the TM1637 showed. To an I²C decoder the first byte of a command is an
// address with a direction, and bytes come most significant bit first, where the TM1637's come
// least significant bit first.
func displays(t *testing.T, waveform string) (all []display) {
	t.Helper()
	var now display
	var command []uint8
	for _, text := range sigrok(t, waveform, "i2c:scl=tm1637_clk:sda=tm1637_dio:address_format=shifted", "i2c=addr-data") {
		kind, value, _ := strings.Cut(text, ": ")
		b, _ := strconv.ParseUint(value, 16, 8)
		switch kind {
		case "Start":
			command = nil
		case "Address write":
			command = append(command, bits.Reverse8(uint8(b)<<1))
		case "Address read":
			command = append(command, bits.Reverse8(uint8(b)<<1|1))
		case "Data write", "Data read":
			command = append(command, bits.Reverse8(uint8(b)))
		case "NACK":
			t.Fatal("the TM1637 did not acknowledge")
		case "Stop":
			switch {
			case len(command) == 5 && command[0] == 0xC0:
				now.cells = [animate.Cells]uint8(command[1:])
			case len(command) == 1 && command[0]>>6 == 2:
				now.on = command[0]&8 != 0
				all = append(all, now)
			}
		}
	}
	return all
}

// darkLEDs fails unless the last picture is dark.
func darkLEDs(t *testing.T, waveform string) {
	t.Helper()
	shown := pictures(t, waveform)
	for i, p := range shown[len(shown)-1] {
		if p != (animate.Pixel{}) {
			t.Errorf("LED %d is left %+v", i, p)
		}
	}
}

// TestWaveform runs the program with drivers that have no pins, and finds in the waveform what it
// showed.
func TestWaveform(t *testing.T) {
	for _, driver := range []string{driverTerminal, driverNone} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			b := newBoard(t, "look: {idle: \"off\", exit: {lights: [\"#ff0000\", \"\", \"#0000ff\"], digits: SSH}}\n")
			waveform := b.path("pins.vcd")
			b.start("", nil, "run", "--driver", driver, "--vcd", waveform)
			b.says("msg=running")
			if out := b.shows("show", "wordpress"); out != "wordpress 0\n" {
				t.Errorf("show says %q", out)
			}
			b.shows("lights", "off")
			b.must(b.Stop(b.ctx))

			if names := "$var wire 1 ! blinkt_dat $end\n$var wire 1 \" blinkt_clk $end\n$var wire 1 # tm1637_clk $end\n$var wire 1 $ tm1637_dio $end"; !contains(t, waveform, names) {
				t.Errorf("the waveform does not declare\n%s", names)
			}
			shown := pictures(t, waveform)
			if leds := swept(shown)["blue"]; len(leds) != animate.Pixels {
				t.Errorf("the blue lamp was shown on %d LEDs", len(leds))
			}
			brightness := uint8(defaults().Look.Brightness.Lights)
			exit := [animate.Pixels]animate.Pixel{0: {Brightness: brightness, R: 255}, 2: {Brightness: brightness, B: 255}}
			if last := shown[len(shown)-1]; last != exit {
				t.Errorf("the picture at the end is %+v, want %+v", last, exit)
			}
			if off := shown[len(shown)-2]; off != ([animate.Pixels]animate.Pixel{}) {
				t.Errorf("with the lights off it shows %+v", off)
			}
			read := displays(t, waveform)
			ssh, _ := animate.Word("SSH")
			zero := display{animate.Total(0), true}
			if !slices.Contains(read, zero) {
				t.Errorf("the digits never showed a total of 0: %v", read)
			}
			if last := read[len(read)-1]; last != (display{ssh, true}) {
				t.Errorf("the digits at the end are %v, want %v", last, ssh)
			}
		})
	}
	t.Run("demo", func(t *testing.T) {
		t.Parallel()
		b := newBoard(t, "")
		waveform := b.path("pins.vcd")
		b.start("", nil, "demo", "--driver", driverNone, "--vcd", waveform)
		if code := b.exits(); code != 0 {
			t.Fatalf("the demonstration ended with %d:\n%s", code, b.Stderr)
		}
		read := displays(t, waveform)
		for _, total := range []uint64{1, demoBurst/4 + 1} { // each lamp once, and its part of the burst
			if !slices.Contains(read, display{animate.Total(total), true}) {
				t.Errorf("the digits never showed %d", total)
			}
		}
		if read[len(read)-1].on {
			t.Error("the digits are left on")
		}
		darkLEDs(t, waveform)
	})
}

func contains(t *testing.T, path, text string) bool {
	t.Helper()
	all, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(all), text)
}
