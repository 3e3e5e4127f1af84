// Package pinstest stands in for what hangs on the pins: it decodes, edge by edge, what drivers
// do, and fails the test where a real chip would be confused.
//
// The fakes know the datasheets, not the drivers: they were written from the same pages and
// share no code with them.
package pinstest

import "testing"

// APA102 is a chain of LEDs that takes a bit at each rising edge of its clock.
type APA102 struct {
	t           testing.TB
	data, clock bool
	bits        []bool
	edges       int
}

// NewAPA102 returns a chain whose pins are low. Bits that the test has not asked for by its end
// fail it.
func NewAPA102(t testing.TB) *APA102 {
	c := &APA102{t: t}
	t.Cleanup(func() {
		if len(c.bits) > 0 {
			t.Errorf("%d bits were sent that the test knows nothing of", len(c.bits))
		}
	})
	return c
}

// Data and Clock are the chain's pins.
func (c *APA102) Data() Level  { return func(high bool) { c.edges++; c.data = high } }
func (c *APA102) Clock() Level { return c.setClock }

func (c *APA102) setClock(high bool) {
	c.edges++
	if high && !c.clock {
		c.bits = append(c.bits, c.data)
	}
	c.clock = high
}

// Level is an output that calls a function at each write.
type Level func(high bool)

// Set calls the function.
func (l Level) Set(high bool) { l(high) }

// LED is what one LED was told.
type LED struct{ Brightness, R, G, B uint8 }

// Writes returns how many pin writes there were since the last call.
func (c *APA102) Writes() int {
	n := c.edges
	c.edges = 0
	return n
}

// Frames decodes all that was clocked in since the last call: frames of n LEDs with a start of
// 32 zero bits and an end of at least 36 clocks, all with data low as the vendor has them.
func (c *APA102) Frames(n int) [][]LED {
	c.t.Helper()
	var frames [][]LED
	bits := c.bits
	c.bits = nil
	size := 32 + 32*n + 36
	for len(bits) > 0 {
		if len(bits) < size {
			c.t.Fatalf("%d bits are left over, a frame has %d", len(bits), size)
		}
		if word(bits) != 0 {
			c.t.Fatalf("a frame starts with %032b", word(bits))
		}
		var leds []LED
		for i := range n {
			w := word(bits[32+32*i:])
			if w>>29 != 7 {
				c.t.Fatalf("LED %d does not start with three ones: %032b", i, w)
			}
			leds = append(leds, LED{Brightness: uint8(w >> 24 & 31), B: uint8(w >> 16), G: uint8(w >> 8), R: uint8(w)})
		}
		for i, bit := range bits[32+32*n : size] {
			if bit {
				c.t.Fatalf("bit %d of the end is one", i)
			}
		}
		frames = append(frames, leds)
		bits = bits[size:]
	}
	return frames
}

func word(bits []bool) uint32 {
	var w uint32
	for _, bit := range bits[:32] {
		w <<= 1
		if bit {
			w |= 1
		}
	}
	return w
}
