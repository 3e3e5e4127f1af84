// Package blinkt drives a Pimoroni Blinkt!: eight APA102 LEDs behind two plain pins.
//
// It promises to send exactly what the board understands, blue before green before red, and to
// send nothing when the picture did not change. It knows neither colours by name nor time; it
// refuses nothing, since writing a pin cannot fail.
//
// Sources: APA102 datasheet (Shiji Lighting, 2014), page 4 "cascading data structure": a start
// frame of 32 zero bits, then per LED 3 one bits, 5 bits of brightness, 8 bits each of blue,
// green and red; the most significant bit first, taken over at the rising edge of the clock.
// The end is the vendor's: 36 clocks with data low (_eof in Pimoroni's blinkt.py). The datasheet's
// 32 one bits light a ninth LED where there is one, and fewer clocks leave some boards dark.
package blinkt

import "fmt"

// Count is the number of LEDs on the board; LED 0 is the first on the data line.
const Count = 8

// Bits of a frame.
const (
	startClocks = 32
	endClocks   = 36
)

// Pixel is the light of one LED.
type Pixel struct {
	Brightness uint8 // 0 to 31, of the LED's own current regulator; higher values are taken as 31
	R, G, B    uint8
}

// Pin is an output.
type Pin interface {
	// Set drives the pin high or low.
	Set(high bool)
}

// Dev is a Blinkt! board. It is for one goroutine at a time.
type Dev struct {
	data, clock Pin
	shown       [Count]Pixel
	fresh       bool // nothing was sent yet, so what the board shows is unknown
}

// New returns the board behind two pins. It sends nothing.
func New(data, clock Pin) *Dev {
	return &Dev{data: data, clock: clock, fresh: true}
}

func (d *Dev) String() string { return fmt.Sprintf("blinkt{%d LEDs}", Count) }

// Draw shows a picture. It returns whether it had to send it.
func (d *Dev) Draw(pixels *[Count]Pixel) (sent bool) {
	if *pixels == d.shown && !d.fresh {
		return false
	}
	d.data.Set(false)
	d.clocks(startClocks)
	for i := range pixels {
		d.word(pixels[i].word())
	}
	d.data.Set(false)
	d.clocks(endClocks)
	d.shown, d.fresh = *pixels, false
	return true
}

func (p Pixel) word() uint32 {
	return 0xE0000000 | uint32(min(p.Brightness, 31))<<24 | uint32(p.B)<<16 | uint32(p.G)<<8 | uint32(p.R)
}

// word sends 32 bits, touching the data pin only where it changes: most of the time of a frame
// is pin writes.
func (d *Dev) word(bits uint32) {
	level, known := false, false
	for i := 31; i >= 0; i-- {
		if high := bits>>i&1 == 1; high != level || !known {
			d.data.Set(high)
			level, known = high, true
		}
		d.clocks(1)
	}
}

func (d *Dev) clocks(n int) {
	for range n {
		d.clock.Set(true)
		d.clock.Set(false)
	}
}
