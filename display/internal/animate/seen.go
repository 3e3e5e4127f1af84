package animate

import "math"

// seen is the value on a screen for a duty cycle of an LED, and bright the factor for its
// current, of 255. A screen has less room above than an LED, so the currents are pressed
// together: night is still darker than day, and a merged sweep brighter than a single one.
var seen, bright = func() (values [256]uint8, factors [MaxLights + 1]uint8) {
	for i := range values {
		values[i] = uint8(math.Round(255 * math.Pow(float64(i)/255, 1/2.2)))
	}
	for i := range factors {
		factors[i] = uint8(math.Round(255 * math.Pow(float64(i)/MaxLights, 1.0/5)))
	}
	return values, factors
}()

// Seen returns how an LED looks, as a screen shows it.
func (p Pixel) Seen() RGB {
	factor := bright[min(p.Brightness, MaxLights)]
	value := func(duty uint8) uint8 { return uint8(uint(seen[duty]) * uint(factor) / 255) }
	return RGB{R: value(p.R), G: value(p.G), B: value(p.B)}
}
