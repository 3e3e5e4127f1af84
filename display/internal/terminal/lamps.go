package terminal

import (
	"strconv"
	"unicode/utf8"

	"github.com/pialert/pialert/display/internal/animate"
)

// lampRows is the number of rows of the lamps: one for each, and one for all together.
func lampRows(s *state) int { return min(len(s.lamps), len(s.totals)) + 1 }

// drawLamps lists the lamps with their totals and last minutes, each in its colour.
func (p *painter) drawLamps(g *grid, row, column, width int, s *state) {
	lamps := s.lamps[:lampRows(s)-1]
	digits, names := len(grouped(s.grand)), len("all")
	for i, lamp := range lamps {
		digits, names = max(digits, len(grouped(s.totals[i]))), max(names, utf8.RuneCountInString(lamp.label()))
	}
	room := width - 2 - digits - 2 // for the label and the sparkline
	spark := 0
	for _, columns := range []int{30, 15, 10} {
		if room-columns-2 >= min(names, 18) {
			spark = columns
			break
		}
	}
	if spark > 0 {
		room -= spark + 2
	}
	names = min(names, room)
	entry := func(row int, mark string, color, readable ink, label string, total uint64, recent *activity) {
		at := g.write(row, column, mark, look{text: color}) + 1
		at = g.fit(row, at, names, label, look{text: readable})
		number := grouped(total)
		g.write(row, at+2+digits-len(number), number, look{text: readable, bold: true})
		if recent == nil || spark == 0 {
			return
		}
		at += 2 + digits + 2
		for i, bar := range recent.line(spark) {
			ink := readable
			if bar == bars[0] {
				ink = paint(faint)
			}
			g.write(row, at+i, string(bar), look{text: ink})
		}
	}
	for i, lamp := range lamps {
		entry(row+i, "●", paint(lamp.Color), paint(legible(lamp.Color)), lamp.label(), s.totals[i], &s.recent[i])
	}
	entry(row+len(lamps), " ", ink{}, ink{}, "all", s.grand, nil)
}

// grouped writes a number with commas between the thousands.
func grouped(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// faint is what matters less. Like every colour of text it can be read on black and on white.
var faint = animate.RGB{R: 118, G: 118, B: 118}
