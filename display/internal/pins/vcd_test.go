package pins_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/blinkt"
	"github.com/pialert/pialert/display/internal/pins"
	"github.com/pialert/pialert/display/internal/tm1637"
)

// clock is time that passes only when somebody waits.
type clock struct{ now time.Duration }

func (c *clock) read() time.Duration        { return c.now }
func (c *clock) wait(d time.Duration)       { c.now += d }
func (c *clock) wired(t *testing.T) *wiring { return newWiring(t, c) }

// wiring is both devices on recorded pins without hardware.
type wiring struct {
	path   string
	file   *os.File
	dump   *pins.Dump
	strip  *blinkt.Dev
	digits *tm1637.Dev
}

func newWiring(t *testing.T, c *clock) *wiring {
	path := filepath.Join(t.TempDir(), "pins.vcd")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	dump := pins.NewDump(file, c.read)
	var bus pins.Unwired
	return &wiring{
		path: path, file: file, dump: dump,
		strip: blinkt.New(dump.Pin("blinkt_dat", bus.Output()), dump.Pin("blinkt_clk", bus.Output())),
		digits: tm1637.New(dump.Pin("tm1637_clk", bus.Clock()), dump.Pin("tm1637_dio", bus.Data()),
			c.wait),
	}
}

// sigrok decodes a waveform with a decoder that knows nothing of ours.
func sigrok(t *testing.T, path, decoder, annotation string) []string {
	t.Helper()
	command := exec.Command("sigrok-cli", "-I", "vcd", "-i", path, "-P", decoder, "-A", annotation)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatal("sigrok-cli is missing: sudo apt-get install sigrok-cli")
	}
	if err != nil {
		t.Fatalf("sigrok-cli: %v\n%s", err, stderr.String())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestSigrokReadsThePixels(t *testing.T) {
	var c clock
	w := c.wired(t)
	w.strip.Draw(&[blinkt.Count]blinkt.Pixel{0: {Brightness: 7, R: 255, G: 16, B: 64}, 7: {Brightness: 31, B: 255}})
	if err := errors.Join(w.dump.Flush(), w.file.Close()); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for _, line := range sigrok(t, w.path, "spi:clk=blinkt_clk:mosi=blinkt_dat", "spi=mosi-data") {
		b, err := strconv.ParseUint(line[strings.LastIndex(line, " ")+1:], 16, 8)
		if err != nil {
			t.Fatalf("sigrok says %q", line)
		}
		got = append(got, byte(b))
	}
	// 36 clocks of the end are four whole bytes and a half.
	want := append([]byte{0, 0, 0, 0, 0xE7, 64, 16, 255}, bytes.Repeat([]byte{0xE0, 0, 0, 0}, 6)...)
	want = append(want, 0xFF, 255, 0, 0, 0, 0, 0, 0)
	if !bytes.Equal(got, want) {
		t.Errorf("sigrok reads\n% x\nwant\n% x", got, want)
	}
}

func TestSigrokReadsTheDigits(t *testing.T) {
	var c clock
	w := c.wired(t)
	if err := w.digits.Show(tm1637.Picture{Segments: [4]uint8{0x06, 0x5b, 0x4f, 0x66}, Brightness: 2}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.dump.Flush(), w.file.Close()); err != nil {
		t.Fatal(err)
	}
	// To an I²C decoder the first byte of a frame is an address with a direction, and every byte
	// comes most significant bit first, so ours come out reversed: 0x40 is 0x02, of which the
	// address is the upper seven bits, 0x01.
	const want = "Start|Address write: 01|ACK|Stop|" +
		"Start|Address read: 01|ACK|Data read: 60|ACK|Data read: DA|ACK|Data read: F2|ACK|Data read: 66|ACK|Stop|" +
		"Start|Address read: 28|ACK|Stop"
	var got []string
	for _, line := range sigrok(t, w.path, "i2c:scl=tm1637_clk:sda=tm1637_dio:address_format=shifted", "i2c=addr-data") {
		text := strings.TrimPrefix(line, "i2c-1: ")
		if text != "Write" && text != "Read" {
			got = append(got, text)
		}
	}
	if strings.Join(got, "|") != want {
		t.Errorf("sigrok reads\n%s\nwant\n%s", strings.Join(got, "|"), want)
	}
}
