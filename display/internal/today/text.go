package today

import (
	"fmt"
	"strings"
	"time"

	"github.com/pialert/pialert/pkg/plural"
)

// Text returns the day for people: a line for each lamp, with a bar for each hour, in the lamp's colour as
// paint paints it.
func (d *Day) Text(paint func(color, line string) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s   %s", d.Now.Format("Monday, 2 January 2006, 15:04"), plural.Count(d.Attempts, "attempt"))
	if d.Usual != nil {
		fmt.Fprintf(&b, ", usually %d by now (%s)", *d.Usual, plural.Count(d.Weeks, "week"))
	}
	b.WriteString("\n\n")
	most := uint64(0)
	for _, l := range d.Lamps {
		for _, n := range l.Hours {
			most = max(most, n)
		}
	}
	for _, l := range d.Lamps {
		line := fmt.Sprintf("%-9s  %s  %8d", l.Name, d.bars(l.Hours, most), l.Attempts)
		if l.Usual != nil {
			line += fmt.Sprintf("   usually %d", *l.Usual)
		}
		b.WriteString(paint(l.Color, line) + "\n")
	}
	fmt.Fprintf(&b, "%-9s  %s\n", "hour", hourAxis(d.Begun))
	return b.String()
}

// bars has a column for each hour, and nothing for those to come.
func (d *Day) bars(hours []uint64, most uint64) (bars string) {
	for i, n := range hours {
		if d.Begun.Add(time.Duration(i) * time.Hour).After(d.Now) {
			bars += " "
			continue
		}
		bars += bar(n, most)
	}
	return bars
}

// bar is a column of an eighth to a whole of a line's height; anything is more than nothing.
func bar(n, most uint64) string {
	if n == 0 {
		return "·"
	}
	steps := []rune("▁▂▃▄▅▆▇█")
	return string(steps[int(float64(n)/float64(most)*float64(len(steps)-1))])
}

// hourAxis names every sixth hour of a day below its bar, also where the clock leaves one out or has one twice.
func hourAxis(begun time.Time) (axis string) {
	bounds := hoursOf(begun)
	for i, at := range bounds[:len(bounds)-1] {
		if at.Hour()%6 == 0 {
			axis += strings.Repeat(" ", i-len(axis)) + fmt.Sprint(at.Hour())
		}
	}
	return axis
}
