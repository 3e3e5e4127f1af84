package tm1637_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/pins/pinstest"
	"github.com/pialert/pialert/display/internal/tm1637"
)

func device(t *testing.T) (*tm1637.Dev, *pinstest.TM1637) {
	chip := pinstest.NewTM1637(t)
	return tm1637.New(chip.Clock(), chip, func(time.Duration) {}), chip
}

// 0x3f is a zero: segments A to F; 0x06 a one: B and C. Bytes as they follow from the datasheet's
// page 5: 40 writes with automatic addresses, c0 is digit 0, 88 switches on, plus brightness 2.
func TestTranscript(t *testing.T) {
	dev, chip := device(t)
	if err := dev.Show(tm1637.Picture{Segments: [4]uint8{0x3f, 0x3f, 0x06, 0x3f}, Colon: true, Brightness: 2}); err != nil {
		t.Fatal(err)
	}
	want := "start 40 ack stop start c0 ack 3f ack bf ack 06 ack 3f ack stop start 8a ack stop"
	if got := strings.Join(chip.Transcript(), " "); got != want {
		t.Errorf("the bus saw\n%s\nwant\n%s", got, want)
	}
}

func TestShowSendsOnlyChanges(t *testing.T) {
	dev, chip := device(t)
	picture := tm1637.Picture{Segments: [4]uint8{1, 2, 3, 4}}
	for range 2 {
		if err := dev.Show(picture); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(strings.Join(chip.Transcript(), " "), "c0"); n != 1 {
		t.Errorf("the digits were sent %d times", n)
	}
}

func TestRandomPictures(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	dev, chip := device(t)
	for range 200 {
		bits := random.Uint64()
		picture := tm1637.Picture{
			Segments:   [4]uint8{uint8(bits) & 127, uint8(bits>>8) & 127, uint8(bits>>16) & 127, uint8(bits>>24) & 127},
			Colon:      bits>>32&1 == 1,
			Brightness: uint8(bits>>33) & 7,
			Off:        bits>>40&3 == 3,
		}
		if err := dev.Show(picture); err != nil {
			t.Fatal(err)
		}
		got := tm1637.Picture{Segments: [4]uint8(chip.Segments[:4]), Colon: chip.Segments[1]&128 != 0, Brightness: picture.Brightness, Off: !chip.On}
		got.Segments[1] &= 127
		if got != picture || chip.On && chip.Brightness != picture.Brightness {
			t.Fatalf("the chip shows %+v at %d, want %+v", got, chip.Brightness, picture)
		}
	}
}

func TestMissingAcknowledgement(t *testing.T) {
	dev, chip := device(t)
	chip.Dead = true
	if err := dev.Show(tm1637.Picture{}); !errors.Is(err, tm1637.ErrNoAck) {
		t.Errorf("nobody is there: %v", err)
	}
	if log := chip.Transcript(); log[len(log)-1] != "stop" {
		t.Errorf("the frame was left open: %v", log)
	}
	chip.Dead = false
	if err := dev.Show(tm1637.Picture{Segments: [4]uint8{0x3f}}); err != nil || chip.Segments[0] != 0x3f {
		t.Errorf("after the chip came back: %v, segments %x", err, chip.Segments)
	}
}

// A picture that was cut short is not taken as shown.
func TestAcknowledgementEndsInTheMiddle(t *testing.T) {
	dev, chip := device(t)
	picture := tm1637.Picture{Segments: [4]uint8{1, 2, 3, 4}, Brightness: 7}
	chip.DeadAfter = 3
	if err := dev.Show(picture); !errors.Is(err, tm1637.ErrNoAck) {
		t.Errorf("got %v", err)
	}
	chip.DeadAfter = 0
	if err := dev.Show(picture); err != nil || chip.Segments[3] != 4 || !chip.On {
		t.Errorf("error %v, segments %x, on %v", err, chip.Segments, chip.On)
	}
}

func TestOffSwitchesOff(t *testing.T) {
	dev, chip := device(t)
	if err := dev.Show(tm1637.Picture{Segments: [4]uint8{127, 127, 127, 127}}); err != nil || !chip.On {
		t.Fatalf("error %v, on %v", err, chip.On)
	}
	if err := dev.Show(tm1637.Picture{Off: true}); err != nil || chip.On {
		t.Errorf("error %v, on %v", err, chip.On)
	}
}

// BenchmarkShow reports how long a changed picture keeps the processor waiting for the bus.
func BenchmarkShow(b *testing.B) {
	chip := pinstest.NewTM1637(b)
	var waited time.Duration
	dev := tm1637.New(chip.Clock(), chip, func(d time.Duration) { waited += d })
	shown := 0
	for b.Loop() {
		shown++
		if err := dev.Show(tm1637.Picture{Segments: [4]uint8{uint8(shown) & 127, uint8(shown>>7) & 127}}); err != nil {
			b.Fatal(err)
		}
		chip.Transcript()
	}
	b.ReportMetric(float64(waited.Microseconds())/float64(shown), "waited-µs/picture")
}
