package terminal

import (
	"bytes"
	"strconv"

	"github.com/pialert/pialert/display/internal/animate"
)

// painter turns states into what has to be written.
type painter struct {
	screen        Screen
	columns, rows int
	painted       [][]byte // the rows as they are on the screen
	next          [][]byte
	buffer        []byte
}

// Colours of what is there but not lit.
var (
	unlit   = animate.RGB{R: 28, G: 28, B: 28}
	faint   = animate.RGB{R: 120, G: 120, B: 120}
	segment = animate.RGB{R: 255, G: 48, B: 32} // most TM1637 modules are red
)

// forget has everything painted anew.
func (p *painter) forget() { p.columns, p.rows = 0, 0 }

// paint returns what to write so that the screen shows the state and the latest of the lines. The
// text is valid until the next call.
func (p *painter) paint(s *state, lines []string) []byte {
	p.buffer = p.buffer[:0]
	columns, rows := p.size()
	if columns != p.columns || rows != p.rows {
		p.columns, p.rows, p.painted = columns, rows, nil
		p.buffer = append(p.buffer, "\x1b[2J"...)
	}
	p.next = p.compose(p.next[:0], s, lines)
	for i, row := range p.next {
		if i < len(p.painted) && bytes.Equal(row, p.painted[i]) {
			continue
		}
		p.buffer = append(p.buffer, "\x1b["...)
		p.buffer = strconv.AppendInt(p.buffer, int64(i+1), 10)
		p.buffer = append(p.buffer, ";1H"...)
		p.buffer = append(p.buffer, row...)
		p.buffer = append(p.buffer, "\x1b[K"...)
	}
	p.painted, p.next = p.next, p.painted
	return p.buffer
}

func (p *painter) size() (columns, rows int) {
	if p.screen.Size != nil {
		columns, rows = p.screen.Size()
	}
	if columns <= 0 || rows <= 0 {
		return 80, 24
	}
	return columns, rows
}

// compose returns every row of the screen. Where there is little room, the lines go first, then
// the space between the parts, then what stands at the end.
func (p *painter) compose(rows [][]byte, s *state, lines []string) [][]byte {
	parts := [][][]byte{p.leds(s), p.digits(s), p.legend(s)}
	content := 0
	for _, part := range parts {
		content += len(part)
	}
	gap := 0
	if content+len(parts)+1 <= p.rows {
		gap = 1
	}
	for _, part := range parts {
		rows = append(rows, make([][]byte, gap)...)
		rows = append(rows, part...)
	}
	if room := p.rows - len(rows) - 1; room > 0 {
		rows = append(rows, nil)
		for _, each := range lines[max(0, len(lines)-room):] {
			text := p.screen.Colors.appendColor(nil, faint, false)
			text = append(text, clip(each, p.columns)...)
			rows = append(rows, p.screen.Colors.appendReset(text))
		}
	}
	rows = append(rows, make([][]byte, max(0, p.rows-len(rows)))...)
	return rows[:p.rows]
}

// width is that of an LED with the space behind it, in columns.
func (p *painter) width() int {
	for _, width := range []int{6, 4, 2} {
		if p.columns >= animate.Pixels*width {
			return width
		}
	}
	return 1
}

// shades stand for brightness where there are no colours.
const shades = " .:-=+*#%@"

func (p *painter) leds(s *state) [][]byte {
	width := p.width()
	var row []byte
	for _, pixel := range s.pixels {
		color := onScreen(pixel)
		most := max(color.R, color.G, color.B)
		color = animate.RGB{R: max(color.R, unlit.R), G: max(color.G, unlit.G), B: max(color.B, unlit.B)}
		fill := byte(' ')
		if p.screen.Colors == NoColors {
			fill = shades[int(most)*(len(shades)-1)/255]
		}
		row = p.screen.Colors.appendColor(row, color, true)
		row = append(row, bytes.Repeat([]byte{fill}, max(1, width-1))...)
		row = p.screen.Colors.appendReset(row)
		if width > 1 {
			row = append(row, ' ')
		}
	}
	if width < 4 {
		return [][]byte{row}
	}
	return [][]byte{row, row}
}

// strokes is how the segments look in three rows; what has no bit is space.
var strokes = [3][4]struct {
	bit   uint8
	shape string
}{
	{{0, " "}, {animate.SegmentA, "__"}, {0, " "}, {0, " "}},
	{{animate.SegmentF, "|"}, {animate.SegmentG, "__"}, {animate.SegmentB, "|"}, {0, " "}},
	{{animate.SegmentE, "|"}, {animate.SegmentD, "__"}, {animate.SegmentC, "|"}, {0, " "}},
}

// digits draws the segments in underscores and bars under the middle of the LEDs: with two
// underscores or, in a narrow terminal, one. Where not even that fits it draws nothing.
func (p *painter) digits(s *state) [][]byte {
	width := func(level int) int { return animate.Cells*(3+level) + level }
	level := 2
	if p.columns < width(level) {
		level = 1
	}
	if p.columns < width(level) {
		return nil
	}
	indent := max(0, (p.width()*animate.Pixels-width(level))/2)
	var rows [][]byte
	for i, row := range strokes {
		text := bytes.Repeat([]byte{' '}, indent)
		for place, cell := range s.digits.Cells {
			for _, stroke := range row {
				shape := stroke.shape[:min(len(stroke.shape), level)]
				text = p.stroke(text, shape, cell&stroke.bit != 0, s.digits.Brightness)
			}
			if place == animate.Cells/2-1 {
				text = p.stroke(text, ". "[:level], s.digits.Colon && i > 0, s.digits.Brightness)
			}
		}
		rows = append(rows, text)
	}
	return rows
}

// stroke appends a segment if it is lit, else as much space.
func (p *painter) stroke(text []byte, shape string, lit bool, brightness uint8) []byte {
	if !lit {
		return append(text, "  "[:len(shape)]...)
	}
	share := 128 + 127*uint(min(brightness, animate.MaxDigits))/animate.MaxDigits
	value := func(full uint8) uint8 { return uint8(uint(full) * share / 255) }
	color := animate.RGB{R: value(segment.R), G: value(segment.G), B: value(segment.B)}
	text = p.screen.Colors.appendColor(text, color, false)
	text = append(text, shape...)
	return p.screen.Colors.appendReset(text)
}

// legend names the lamps and their totals, each in its colour.
func (p *painter) legend(s *state) [][]byte {
	var rows [][]byte
	names := 0
	for _, lamp := range s.lamps {
		names = max(names, len(lamp.Name))
	}
	names = max(names, len("total"))
	entry := func(color *animate.RGB, name, label string, total uint64) {
		text := name + "                                "[:names-min(names, len(name))]
		number := strconv.FormatUint(total, 10)
		text += "        "[:8-min(8, len(number))] + number
		if label != "" && label != name {
			text += "  " + label
		}
		var row []byte
		if color != nil {
			row = p.screen.Colors.appendColor(row, *color, false)
		}
		row = append(row, clip(text, p.columns)...)
		rows = append(rows, p.screen.Colors.appendReset(row))
	}
	for i, lamp := range s.lamps[:min(len(s.lamps), len(s.totals))] {
		color := lamp.Color
		entry(&color, lamp.Name, lamp.Label, s.totals[i])
	}
	entry(nil, "total", "", s.grand)
	return rows
}

// clip cuts text to a number of columns, taking a rune for a column: the terminal does not wrap,
// so that wider ones do no harm.
func clip(text string, columns int) string {
	for i := range text {
		if columns == 0 {
			return text[:i]
		}
		columns--
	}
	return text
}
