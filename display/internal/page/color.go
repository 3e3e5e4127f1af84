package page

import (
	"fmt"
	"math"
)

// Color is a colour as a screen shows it (sRGB).
type Color struct{ R, G, B uint8 }

func (c Color) String() string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// The papers that colours stand on, as page.css has them, and the least contrast that a mark
// needs to be told from its paper (WCAG 2.2, success criterion 1.4.11).
var (
	lightPaper = Color{0xfb, 0xfa, 0xf7}
	darkPaper  = Color{0x13, 0x14, 0x16}
)

const leastContrast = 3.1

// A lamp shines; ink on a screen need not. This is how much of the chroma a mark keeps.
const marksChroma = 0.82

// on returns the colour of the same hue that can be read on a paper: a little calmer, and made
// darker or lighter no further than needed.
func (c Color) on(paper Color) Color {
	step := 0.01
	if paper.luminance() > 0.5 {
		step = -step
	}
	lab := c.oklab()
	lab.a, lab.b = lab.a*marksChroma, lab.b*marksChroma
	for lab.l >= 0 && lab.l <= 1 && contrast(lab.screen(), paper) < leastContrast {
		lab.l += step
	}
	return lab.screen()
}

// contrast is that of WCAG 2.2, 1 to 21.
func contrast(a, b Color) float64 {
	high, low := a.luminance(), b.luminance()
	if high < low {
		high, low = low, high
	}
	return (high + 0.05) / (low + 0.05)
}

// luminance is the relative one of WCAG 2.2, 0 to 1.
func (c Color) luminance() float64 {
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

// linear undoes sRGB's transfer curve (IEC 61966-2-1).
func linear(v uint8) float64 {
	x := float64(v) / 255
	if x <= 0.04045 {
		return x / 12.92
	}
	return math.Pow((x+0.055)/1.055, 2.4)
}

// oklab is a colour whose lightness can be changed without changing its hue
// (https://bottosson.github.io/posts/oklab/, whose matrices these are).
type oklab struct{ l, a, b float64 }

func (c Color) oklab() oklab {
	r, g, b := linear(c.R), linear(c.G), linear(c.B)
	l := math.Cbrt(0.4122214708*r + 0.5363325363*g + 0.0514459929*b)
	m := math.Cbrt(0.2119034982*r + 0.6806995451*g + 0.1073969566*b)
	s := math.Cbrt(0.0883024619*r + 0.2817188376*g + 0.6299787005*b)
	return oklab{
		0.2104542553*l + 0.7936177850*m - 0.0040720468*s,
		1.9779984951*l - 2.4285922050*m + 0.4505937099*s,
		0.0259040371*l + 0.7827717662*m - 0.8086757660*s,
	}
}

// screen returns the nearest colour of the same hue and lightness that a screen has.
func (o oklab) screen() Color {
	for share := 1.0; share > 0; share -= 0.02 {
		r, g, b := o.linear(share)
		if inside(r) && inside(g) && inside(b) {
			return Color{encoded(r), encoded(g), encoded(b)}
		}
	}
	v := encoded(o.l * o.l * o.l)
	return Color{v, v, v}
}

// linear returns linear sRGB with a share of the chroma.
func (o oklab) linear(share float64) (r, g, b float64) {
	a, bb := o.a*share, o.b*share
	l := o.l + 0.3963377774*a + 0.2158037573*bb
	m := o.l - 0.1055613458*a - 0.0638541728*bb
	s := o.l - 0.0894841775*a - 1.2914855480*bb
	l, m, s = l*l*l, m*m*m, s*s*s
	return 4.0767416621*l - 3.3077115913*m + 0.2309699292*s,
		-1.2684380046*l + 2.6097574011*m - 0.3413193965*s,
		-0.0041960863*l - 0.7034186147*m + 1.7076147010*s
}

func inside(v float64) bool { return v > -0.001 && v < 1.001 }

func encoded(v float64) uint8 {
	v = min(max(v, 0), 1)
	if v <= 0.0031308 {
		v *= 12.92
	} else {
		v = 1.055*math.Pow(v, 1/2.4) - 0.055
	}
	return uint8(math.Round(v * 255))
}
