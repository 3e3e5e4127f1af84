package terminal

import (
	"math"

	"github.com/pialert/pialert/display/internal/animate"
)

// The device is drawn with half blocks: each cell is two pixels, one above the other, which are
// about square.

// model is the size of a drawn device, in pixels.
type model struct {
	width, pitch, led int // of the case, from LED to LED, of an LED
	digit, gap        int // of a digit, between two
}

// models are the sizes that there are, the largest first.
var models = []model{
	{width: 54, pitch: 6, led: 4, digit: 7, gap: 2},
	{width: 38, pitch: 4, led: 2, digit: 6, gap: 2},
}

// Heights, in pixels. The digits are four rows of text high.
const (
	deviceHeight = 22
	deviceRows   = deviceHeight / 2
	ledTop       = 3
	ledHeight    = 4
	windowTop    = 11
	digitsTop    = 12
	digitsHeight = 8
	windowBottom = 20 // the first pixel below
)

// Colours of the case and of what is not lit. They are dark on a white terminal, too: so are
// things with a screen.
var (
	body   = animate.RGB{R: 36, G: 38, B: 44}
	edge   = animate.RGB{R: 72, G: 75, B: 84}  // where light falls on the case
	shade  = animate.RGB{R: 24, G: 25, B: 29}  // and where none does
	unlit  = animate.RGB{R: 22, G: 23, B: 27}  // an LED
	window = animate.RGB{R: 12, G: 7, B: 8}    // before the digits
	ghost  = animate.RGB{R: 40, G: 13, B: 12}  // a segment
	lit    = animate.RGB{R: 255, G: 30, B: 22} // the same: most TM1637 modules are red
)

// canvas is the pixels of a device; what is not set lies beside the case.
type canvas struct {
	width  int
	pixels [deviceHeight][]ink
}

func (c *canvas) clear(width int) {
	c.width = width
	for y := range c.pixels {
		c.pixels[y] = make([]ink, width)
	}
}

// box fills a rectangle from (x,y) with a size.
func (c *canvas) box(x, y, width, height int, color animate.RGB) {
	for row := y; row < y+height; row++ {
		for column := x; column < x+width; column++ {
			c.pixels[row][column] = paint(color)
		}
	}
}

// drawDevice draws the device into the grid, from a place on. Where there is no true colour there is
// neither glow nor a segment that is not lit: what is nearest to them would look like dirt.
func (p *painter) drawDevice(g *grid, row, column int, m model, s *state) {
	c := &p.canvas
	c.clear(m.width)
	rich := p.screen.Colors == TrueColor
	drawCase(c, rich)
	left := (m.width - animate.Pixels*m.pitch) / 2
	for i := range s.pixels {
		c.box(left+i*m.pitch+(m.pitch-m.led)/2, ledTop, m.led, ledHeight, unlit)
	}
	for i, pixel := range s.pixels {
		if color := pixel.Seen(); color != (animate.RGB{}) {
			shine(c, left+i*m.pitch+(m.pitch-m.led)/2, m.led, color, rich)
		}
	}
	drawDigits(c, m, s.digits, rich)
	if p.screen.Colors == NoColors {
		c.ascii(g, row, column, m, s)
		return
	}
	c.transfer(g, row, column)
}

// drawCase draws the case with its round corners, the light from above, and the window.
func drawCase(c *canvas, rich bool) {
	c.box(0, 0, c.width, deviceHeight, body)
	if rich {
		c.box(0, 0, c.width, 1, edge)
		c.box(0, deviceHeight-1, c.width, 1, shade)
	}
	margin := 2 + (c.width-models[len(models)-1].width)/8
	pane := window
	if !rich {
		pane = animate.RGB{}
	}
	c.box(margin, windowTop-1, c.width-2*margin, windowBottom-windowTop+1, pane)
	for _, x := range []int{0, c.width - 1} {
		for _, y := range []int{0, deviceHeight - 1} {
			c.pixels[y][x] = ink{}
		}
	}
}

// falloff is how much of an LED's light reaches a pixel, of 255, by the square of its distance.
var falloff = func() (table [100]int) {
	for i := range table {
		table[i] = int(165 * math.Exp(-float64(i)/16))
	}
	return table
}()

// shine lets an LED glow: bright in its middle, and around it as far as its light reaches.
func shine(c *canvas, left, width int, color animate.RGB, rich bool) {
	for y := range windowTop - 1 {
		for x := max(0, left-9); x < min(c.width, left+width+9); x++ {
			pixel := &c.pixels[y][x]
			if !pixel.set {
				continue
			}
			dx := max(left-x, x-(left+width-1), 0)
			dy := max(ledTop-y, y-(ledTop+ledHeight-1), 0)
			switch square := dx*dx + dy*dy; {
			case square == 0:
				share := 255
				if corner := (x == left || x == left+width-1) && (y == ledTop || y == ledTop+ledHeight-1); corner && width > 2 {
					share = 190
				}
				pixel.RGB = over(pixel.RGB, color, share)
				if middle := y > ledTop && y < ledTop+ledHeight-1 && x > left && x < left+width-1; middle && rich {
					pixel.RGB = hot(pixel.RGB, color)
				}
			case rich && square < len(falloff):
				pixel.RGB = over(pixel.RGB, color, falloff[square])
			}
		}
	}
}

// over lays a share of light, of 255, over a colour: light adds up, but never above white.
func over(c, light animate.RGB, share int) animate.RGB {
	mix := func(under, add uint8) uint8 {
		return uint8(255 - (255-int(under))*(255-int(add)*share/255)/255)
	}
	return animate.RGB{R: mix(c.R, light.R), G: mix(c.G, light.G), B: mix(c.B, light.B)}
}

// hot is the middle of an LED, which is the nearer to white the brighter it is.
func hot(c, light animate.RGB) animate.RGB {
	most := int(max(light.R, light.G, light.B))
	white := max(0, most-100) * 2 / 3
	mix := func(v uint8) uint8 { return uint8(int(v) + (255-int(v))*white/255) }
	return animate.RGB{R: mix(c.R), G: mix(c.G), B: mix(c.B)}
}

// segments is where each segment lies in a digit of a width: x, y, width, height. They are two
// pixels thick.
func segments(width int) [7][4]int {
	return [7][4]int{
		{1, 0, width - 2, 2}, // A
		{width - 2, 1, 2, 3}, // B
		{width - 2, 4, 2, 3}, // C
		{1, 6, width - 2, 2}, // D
		{0, 4, 2, 3},         // E
		{0, 1, 2, 3},         // F
		{1, 3, width - 2, 2}, // G
	}
}

// drawDigits draws the segments of all digits, and the colon between them.
func drawDigits(c *canvas, m model, d animate.Digits, rich bool) {
	colon := m.gap + 2
	width := animate.Cells*m.digit + (animate.Cells-2)*m.gap + colon
	x := (c.width - width) / 2
	color := lit
	if rich {
		color = dim(lit, d.Brightness)
	}
	for place, cells := range d.Cells {
		boxes := segments(m.digit)
		for _, on := range []bool{false, true} { // what is lit lies above what is not
			for i, box := range boxes {
				isLit := cells>>i&1 == 1 && d.Brightness > 0
				switch {
				case isLit != on:
				case on:
					c.box(x+box[0], digitsTop+box[1], box[2], box[3], color)
				case rich:
					c.box(x+box[0], digitsTop+box[1], box[2], box[3], ghost)
				}
			}
		}
		x += m.digit + m.gap
		if place == animate.Cells/2-1 {
			at := x - m.gap + (colon-2)/2
			for _, y := range []int{1, 5} {
				if d.Colon && d.Brightness > 0 {
					c.box(at, digitsTop+y, 2, 2, color)
				}
			}
			x += colon - m.gap
		}
	}
}

// dim is a colour at a brightness of the digits, of [animate.MaxDigits].
func dim(c animate.RGB, brightness uint8) animate.RGB {
	share := 195 + 60*uint(min(brightness, animate.MaxDigits))/animate.MaxDigits
	value := func(full uint8) uint8 { return uint8(uint(full) * share / 255) }
	return animate.RGB{R: value(c.R), G: value(c.G), B: value(c.B)}
}

// transfer writes the pixels into the grid, two to a cell.
func (c *canvas) transfer(g *grid, row, column int) {
	for y := 0; y < deviceHeight; y += 2 {
		for x := range c.width {
			to := g.at(row+y/2, column+x)
			if to == nil {
				continue
			}
			upper, lower := c.pixels[y][x], c.pixels[y+1][x]
			switch {
			case !upper.set && !lower.set:
			case upper == lower:
				*to = cell{' ', look{back: upper}}
			case !upper.set:
				*to = cell{'▄', look{text: lower}}
			default: // a lower one that is not set is the terminal's own background
				*to = cell{'▀', look{text: upper, back: lower}}
			}
		}
	}
}

// shades stand for brightness where there are no colours.
var shades = []rune(" ░▒▓█")

// ascii writes what is lit into the grid, and a frame for the case, where there are no colours.
func (c *canvas) ascii(g *grid, row, column int, m model, s *state) {
	for i := range c.width {
		for _, y := range []int{0, deviceRows - 1} {
			g.write(row+y, column+i, "─", look{})
		}
	}
	for y := range deviceRows {
		g.write(row+y, column, "│", look{})
		g.write(row+y, column+c.width-1, "│", look{})
	}
	for i, corner := range []string{"╭", "╮", "╰", "╯"} {
		g.write(row+i/2*(deviceRows-1), column+i%2*(c.width-1), corner, look{})
	}
	left := (m.width - animate.Pixels*m.pitch) / 2
	for i, pixel := range s.pixels {
		color := pixel.Seen()
		shade := shades[(int(max(color.R, color.G, color.B))*(len(shades)-1)+254)/255]
		for y := range 2 {
			for x := range m.led {
				g.write(row+2+y, column+left+i*m.pitch+(m.pitch-m.led)/2+x, string(shade), look{})
			}
		}
	}
	for y := digitsTop; y < digitsTop+digitsHeight; y += 2 {
		for x := range c.width {
			upper, lower := c.pixels[y][x].RGB == lit, c.pixels[y+1][x].RGB == lit
			if block := [4]string{"", "▀", "▄", "█"}[index(upper)+2*index(lower)]; block != "" {
				g.write(row+y/2, column+x, block, look{})
			}
		}
	}
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}
