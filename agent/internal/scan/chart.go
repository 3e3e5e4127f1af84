package scan

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// chartRows is the height of the chart of hours.
const chartRows = 5

// steps are the hours that a column of the chart may stand for.
var steps = []int64{1, 2, 3, 4, 6, 12, 24, 7 * 24, 28 * 24}

// hours draws attempts over time as columns. A chart of a single hour would say nothing.
func (p *page) hours(hours []Hour) {
	if len(hours) < 2 {
		return
	}
	most := hours[0]
	for _, h := range hours {
		if h.Attempts > most.Attempts {
			most = h
		}
	}
	title := fmt.Sprintf("Attempts per hour, most on %s: %s", most.Start.Format("Mon 2 Jan at 15:04"), grouped(most.Attempts))
	columns, step, highest := p.columns(hours)
	if step > 1 {
		title = fmt.Sprintf("Attempts per %s; the worst hour was %s: %s", stepName(step), most.Start.Format("Mon 2 Jan at 15:04"), grouped(most.Attempts))
	}
	p.title(title)
	scale := len(grouped(highest))
	wide := max(1, min(4, (p.width-scale-4)/len(columns)))
	for row := chartRows; row > 0; row-- {
		mark := ""
		switch row {
		case chartRows:
			mark = grouped(highest)
		case 1:
			mark = "0"
		}
		var b strings.Builder
		for _, c := range columns {
			parts := max(int(float64(c.Attempts)/float64(highest)*chartRows*8+0.5), int(min(c.Attempts, 1)))
			cell := string(eighthsBelow[max(0, min(8, parts-(row-1)*8))])
			b.WriteString(strings.Repeat(cell, max(1, wide-1)))
			if wide > 1 {
				b.WriteByte(' ')
			}
		}
		p.b = fmt.Appendf(p.b, "  %*s ", scale, mark)
		p.b = append(p.look.put(p.b, red, strings.TrimRight(b.String(), " ")), '\n')
	}
	p.line(faint, strings.Repeat(" ", scale+3)+axis(columns, wide, step))
}

// columns joins hours so that all columns fit beside each other.
func (p *page) columns(hours []Hour) (columns []Hour, step int64, highest uint64) {
	_, offset := hours[0].Start.Zone()
	local := func(at time.Time) int64 { return floorDiv(at.Unix()+int64(offset), 3600) }
	first, last := local(hours[0].Start), local(hours[len(hours)-1].Start)
	room := int64(max(8, p.width-16))
	for _, step = range steps {
		if (last-floorDiv(first, step)*step)/step < room {
			break
		}
	}
	for (last-floorDiv(first, step)*step)/step >= room { // years: whatever fits
		step *= 2
	}
	first = floorDiv(first, step) * step
	columns = make([]Hour, (last-first)/step+1)
	for i := range columns {
		columns[i].Start = time.Unix((first+int64(i)*step)*3600-int64(offset), 0).In(hours[0].Start.Location())
	}
	for _, h := range hours {
		c := &columns[(local(h.Start)-first)/step]
		c.Attempts += h.Attempts
		highest = max(highest, c.Attempts)
	}
	return columns, step, highest
}

func stepName(step int64) string {
	switch step {
	case 24:
		return "day"
	case 7 * 24:
		return "week"
	}
	if step%24 == 0 {
		return counted(uint64(step/24), "day")
	}
	return counted(uint64(step), "hour")
}

// axis names some of the columns: times of day, days or months, whatever is not too dense.
func axis(columns []Hour, wide int, step int64) string {
	var b []rune
	month := columns[0].Start.Month()
	for i, c := range columns {
		label := ""
		switch hours := int64(len(columns)) * step; {
		case i == 0 && step < 24:
			label = c.Start.Format("Mon 15:04")
		case i == 0:
			label = c.Start.Format("2 Jan")
		case hours <= 48 && c.Start.Hour() == 0:
			label = c.Start.Format("Mon 2")
		case hours <= 48 && c.Start.Hour()%6 == 0:
			label = c.Start.Format("15:04")
		case hours > 48 && hours <= 24*28 && c.Start.Hour() < int(min(step, 24)):
			label = c.Start.Format("Mon 2")
		case hours > 24*28 && c.Start.Month() != month:
			label = c.Start.Format("Jan 2006")
		}
		month = c.Start.Month()
		if label == "" || len(b) > 0 && len(b)+1 > i*wide || i*wide+utf8.RuneCountInString(label) > len(columns)*wide+4 {
			continue
		}
		for len(b) < i*wide {
			b = append(b, ' ')
		}
		b = append(b, []rune(label)...)
	}
	return string(b)
}
