package terminal

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/pialert/pialert/display/internal/animate"
)

// A sparkline is of the last minute.
const (
	sparks    = 30
	sparkStep = 2 * time.Second
)

// activity is what a lamp counted in the steps of the last minute.
type activity struct {
	counts [sparks]uint64
	step   int64 // the newest, in steps since 1970
}

// add counts at a time, which does not go back by more than a minute.
func (a *activity) add(at time.Time, n uint64) {
	a.roll(at)
	if age := a.step - stepOf(at); age < sparks {
		a.counts[sparks-1-max(age, 0)] += n
	}
}

// roll moves on to a time and says whether there is anything left to see.
func (a *activity) roll(now time.Time) (busy bool) {
	if past := stepOf(now) - a.step; past > 0 {
		past = min(past, sparks)
		copy(a.counts[:], a.counts[past:])
		clear(a.counts[sparks-past:])
		a.step = stepOf(now)
	}
	return a.counts != [sparks]uint64{}
}

func stepOf(t time.Time) int64 { return t.UnixNano() / int64(sparkStep) }

// bars are the heights of a sparkline. None fills its row: lamps stand right below each other.
var bars = []rune("▁▂▃▄▅▆▇")

// line draws the minute in so many columns, of which each stands for as many steps as the others.
func (a *activity) line(columns int) []rune {
	per := (sparks + columns - 1) / columns
	columns = sparks / per
	sums := make([]uint64, columns)
	highest := uint64(3) // one event alone is no peak
	for i, n := range a.counts[sparks-columns*per:] {
		sums[i/per] += n
		highest = max(highest, sums[i/per])
	}
	text := make([]rune, columns)
	for i, n := range sums {
		text[i] = bars[0]
		if n > 0 {
			text[i] = bars[max(1, int(float64(n)/float64(highest)*float64(len(bars)-1)+0.5))]
		}
	}
	return text
}

// rows of the lamps: one for each, and one for all together.
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

func (l *Lamp) label() string {
	if l.Label != "" {
		return l.Label
	}
	return l.Name
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
