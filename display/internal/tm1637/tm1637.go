// Package tm1637 drives a TM1637: four seven-segment digits with a colon, behind two pins.
//
// It promises that a display that is not there is noticed: the chip acknowledges each byte by
// holding the data line low during a ninth clock, and a missing acknowledgement is [ErrNoAck].
// Inside of a frame the data line is never driven high, only released to its pull-up, so that chip
// and driver cannot fight over it; between frames, when the chip does not speak, it is driven
// high. It knows no font: it shows segments.
//
// Sources: TM1637 datasheet (Titan Micro Electronics, V2.4): the serial interface on pages 3 and
// 4 (start is data falling while the clock is high, stop is data rising, the least significant
// bit first, data may change only while the clock is low), the commands on pages 5 and 6.
package tm1637

import (
	"errors"
	"fmt"
	"time"
)

// Digits is the number of digits; digit 0 is the leftmost.
const Digits = 4

// MaxBrightness is the brightest of the eight steps (pulse width 14/16, page 6).
const MaxBrightness = 7

// Commands, page 5.
const (
	writeAutoIncrement = 0x40 // data command: write to display registers, address counts up
	firstAddress       = 0xC0 // address command: digit 0
	displayControl     = 0x80 // display control: off; bits 0-2 are the brightness
	displayOn          = 0x08
)

// colon is segment 8 of digit 1: modules for clocks wire the colon there.
const colon = 0x80

// halfClock is half a period of the clock. The chip takes up to 500 kHz (page 7); the data
// line's pull-up of about 10 kΩ needs some microseconds to raise a long wire.
const halfClock = 5 * time.Microsecond

// ErrNoAck says that nothing acknowledged a byte: no chip, no power, or crossed wires.
var ErrNoAck = errors.New("tm1637: no acknowledgement")

// Clock is the clock output.
type Clock interface {
	// Set drives the pin high or low.
	Set(high bool)
}

// Data is the data line, with a pull-up.
type Data interface {
	// Set drives the line high or low.
	Set(high bool)
	// Release makes the line an input, left to its pull-up or to the chip.
	Release()
	// Read returns whether the line is high.
	Read() bool
}

// Picture is what the digits show.
type Picture struct {
	// Segments of each digit: bit 0 is segment A (top), then clockwise to F (top left), bit 6 is G
	// (middle). Bit 7 is ignored.
	Segments   [Digits]uint8
	Colon      bool
	Brightness uint8 // 0 to 7; higher values are taken as 7
	Off        bool  // dark; the chip keeps the segments
}

// Dev is a display. It is for one goroutine at a time.
type Dev struct {
	clock Clock
	data  Data
	wait  func(time.Duration)
	shown Picture
	known bool // shown is what the chip has
}

// New returns the display behind two pins. wait must return after at least the given time; a
// sleep of the operating system's takes far longer than the microseconds needed here, so it
// should spin. New sends nothing.
func New(clock Clock, data Data, wait func(time.Duration)) *Dev {
	return &Dev{clock: clock, data: data, wait: wait}
}

func (d *Dev) String() string { return fmt.Sprintf("tm1637{%d digits}", Digits) }

// Show shows a picture. Nothing is sent if it is shown already. After an error the next call
// sends everything again.
func (d *Dev) Show(p Picture) error {
	if d.known && p == d.shown {
		return nil
	}
	d.known = false
	registers := p.registers()
	err := d.send(writeAutoIncrement)
	if err == nil {
		err = d.send(append([]byte{firstAddress}, registers[:]...)...)
	}
	if err == nil {
		err = d.send(p.control())
	}
	if err != nil {
		return err
	}
	d.shown, d.known = p, true
	return nil
}

func (p Picture) registers() [Digits]byte {
	var registers [Digits]byte
	for i, segments := range p.Segments {
		registers[i] = segments &^ colon
	}
	if p.Colon {
		registers[1] |= colon
	}
	return registers
}

func (p Picture) control() byte {
	if p.Off {
		return displayControl
	}
	return displayControl | displayOn | min(p.Brightness, MaxBrightness)
}

// send sends one command with its data between a start and a stop condition. It ends properly
// even where an acknowledgement is missing: the chip may be listening all the same.
func (d *Dev) send(frame ...byte) error {
	d.start()
	defer d.stop()
	for _, b := range frame {
		if !d.write(b) {
			return ErrNoAck
		}
	}
	return nil
}

// start lets the data line fall while the clock is high.
func (d *Dev) start() {
	d.data.Set(true)
	d.clock.Set(true)
	d.wait(halfClock)
	d.data.Set(false)
	d.wait(halfClock)
	d.clock.Set(false)
}

// stop lets the data line rise while the clock is high.
func (d *Dev) stop() {
	d.data.Set(false)
	d.wait(halfClock)
	d.clock.Set(true)
	d.wait(halfClock)
	d.data.Set(true)
	d.wait(halfClock)
}

// write clocks a byte out and returns whether it was acknowledged. It starts and ends with the
// clock low.
func (d *Dev) write(b byte) (acknowledged bool) {
	for i := range 8 {
		if b>>i&1 == 1 {
			d.data.Release()
		} else {
			d.data.Set(false)
		}
		d.wait(halfClock)
		d.clock.Set(true)
		d.wait(halfClock)
		d.clock.Set(false)
	}
	// The chip pulls the line low from the eighth falling edge to the ninth (page 4).
	d.data.Release()
	d.wait(halfClock)
	d.clock.Set(true)
	d.wait(halfClock)
	acknowledged = !d.data.Read()
	d.clock.Set(false)
	return acknowledged
}
