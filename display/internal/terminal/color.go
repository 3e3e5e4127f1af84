package terminal

import (
	"math"
	"strconv"

	"github.com/pialert/pialert/display/internal/animate"
)

// Colors is how many colours a terminal has.
type Colors int

// The depths that terminals have.
const (
	NoColors Colors = iota
	Colors16
	Colors256
	TrueColor
)

// appendColor appends the sequence that selects a colour, for the background or the text.
func (c Colors) appendColor(text []byte, color animate.RGB, background bool) []byte {
	if c == NoColors {
		return text
	}
	base := 30
	if background {
		base = 40
	}
	switch c {
	case TrueColor:
		text = sequence(text, base+8, 2, int(color.R), int(color.G), int(color.B))
	case Colors256:
		text = sequence(text, base+8, 5, cube(color))
	case Colors16:
		index := sixteenth(color)
		if index >= 8 {
			base, index = base+60, index-8
		}
		text = sequence(text, base+index)
	}
	return text
}

// Text returns text in a lamp's colour, as bright as can be read.
func (c Colors) Text(color animate.RGB, text string) string {
	if c == NoColors {
		return text
	}
	return string(append(append(c.appendColor(nil, legible(color), false), text...), "\x1b[m"...))
}

// sequence appends a Select Graphic Rendition sequence.
func sequence(text []byte, parameters ...int) []byte {
	text = append(text, "\x1b["...)
	for i, n := range parameters {
		if i > 0 {
			text = append(text, ';')
		}
		text = strconv.AppendInt(text, int64(n), 10)
	}
	return append(text, 'm')
}

// linear is the light of a value on a screen, 0 to 1 (sRGB, IEC 61966-2-1, by its exponent alone).
func linear(v uint8) float64 { return math.Pow(float64(v)/255, 2.2) }

// cube returns the nearest of xterm's 6x6x6 colours (16 to 231), or of its 24 greys from 232.
func cube(c animate.RGB) int {
	if least, most := min(c.R, c.G, c.B), max(c.R, c.G, c.B); most-least < 16 && most >= 4 && most < 247 {
		return 232 + min(23, (int(most)-3)/10) // they are at 8, 18, ... 238
	}
	side := func(v uint8) int { // the sides are at 0, 95, 135, 175, 215, 255
		if v < 48 {
			return 0
		}
		return max(1, (int(v)-35)/40)
	}
	return 16 + 36*side(c.R) + 6*side(c.G) + side(c.B)
}

// sixteenth returns the nearest of the sixteen colours of old: red is 1, green 2, blue 4, and 8
// more if it is bright.
func sixteenth(c animate.RGB) (index int) {
	most := max(c.R, c.G, c.B)
	switch {
	case most < 16:
		return 0
	case most < 64:
		return 8 // dark grey
	}
	for bit, value := range []uint8{c.R, c.G, c.B} {
		if value > most/2 {
			index |= 1 << bit
		}
	}
	if most >= 160 {
		index += 8
	}
	return index
}

// legible is a lamp's colour as text: its hue, as bright as can be read both on black and on
// white, at a contrast of 4.5 to 1 and more (WCAG 2.2, relative luminance).
func legible(c animate.RGB) animate.RGB {
	const want = 0.178 // (1+0.05)/(x+0.05) = (x+0.05)/0.05
	light := luminance(c)
	mix := func(share float64) animate.RGB {
		value := func(v uint8) uint8 {
			if light > want { // towards black
				return uint8(float64(v) * share)
			}
			return uint8(float64(v) + (255-float64(v))*share) // towards white
		}
		return animate.RGB{R: value(c.R), G: value(c.G), B: value(c.B)}
	}
	low, high := 0.0, 1.0
	for range 12 {
		middle := (low + high) / 2
		if luminance(mix(middle)) < want {
			low = middle
		} else {
			high = middle
		}
	}
	return mix(low)
}

// luminance is that of a colour on a screen, 0 to 1.
func luminance(c animate.RGB) float64 {
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}
