// Package animate decides what the device shows: lamps, events and the time go in, frames of
// eight pixels and four digits come out.
//
// An event's lamp sweeps its colour across the LEDs and back, an eye with a soft tail (a Larson
// scanner), while the digits show the lamp's total; then the lamp's resting LED stays lit.
// Sweeps queue a little and then merge into faster and brighter ones; totals are handed in from
// outside and always shown as they are. Every event makes its lamp's resting LED flash in the
// very next frame, even while another lamp sweeps.
//
// A [Scene] is pure: it reads no clock, starts nothing and allocates nothing once it is made.
// Frame(now) is a table look-up and some integer arithmetic per pixel, since a Pi Zero has one
// slow core, and NextChange(now) says when to look again, so that nobody looks in vain. The package knows no hardware and no events of attacks beyond their severity.
package animate

import "math"

// Pixels and Cells are how many LEDs and digits the device has.
const (
	Pixels = 8
	Cells  = 4
)

// The brightest an LED (APA102: 5 bits of global brightness) and the digits (TM1637: eight pulse
// widths) can be. 0 is off for both.
const (
	MaxLights = 31
	MaxDigits = 8
)

// Pixel is what one LED emits: colour channels as duty cycles, gamma corrected already, and the
// current that drives them, 0 to [MaxLights].
type Pixel struct{ R, G, B, Brightness uint8 }

// Digits is what the four-digit display shows: per cell a [Segment] pattern, from left to right,
// the colon in the middle, and the brightness, 0 to [MaxDigits].
type Digits struct {
	Cells      [Cells]uint8
	Colon      bool
	Brightness uint8
}

// Frame is one picture of the device. Frames can be compared; the zero Frame is dark.
type Frame struct {
	Pixels [Pixels]Pixel
	Digits Digits
}

// RGB is a colour as a screen shows it: 255 is the brightest, and steps look equal (sRGB).
type RGB struct{ R, G, B uint8 }

// gamma is the duty cycle at which an LED looks as bright as a screen's value: exponent 2.2,
// which is within a step or two of sRGB's own curve.
var gamma = func() (table [256]uint8) {
	for i := range table {
		table[i] = uint8(math.Round(255 * math.Pow(float64(i)/255, 2.2)))
	}
	return table
}()

// light is a pixel in the making: a colour as a screen shows it and extra current in halves.
type light struct {
	r, g, b uint8
	boost   uint8
}

// add lets a colour of a level (0 to 255) shine where it outshines what is there.
func (l *light) add(c RGB, level uint8) {
	l.r = max(l.r, scale(c.R, level))
	l.g = max(l.g, scale(c.G, level))
	l.b = max(l.b, scale(c.B, level))
}

// fade takes away a share of what is there, of 255.
func (l *light) fade(share uint8) {
	l.r, l.g, l.b = scale(l.r, 255-share), scale(l.g, 255-share), scale(l.b, 255-share)
}

func scale(value, level uint8) uint8 { return uint8(uint(value) * uint(level) / 255) }

// pixel drives the LED with a brightness of 0 to [MaxLights].
func (l light) pixel(brightness uint8) Pixel {
	p := Pixel{R: gamma[l.r], G: gamma[l.g], B: gamma[l.b]}
	if p == (Pixel{}) || brightness == 0 {
		return Pixel{}
	}
	p.Brightness = min(MaxLights, brightness+brightness*l.boost/2)
	return p
}

// maxLamps is how many lamps fit on the device: each has a resting LED of its own.
const maxLamps = Pixels
