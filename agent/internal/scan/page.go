package scan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pialert/pialert/pkg/escape"
	"github.com/pialert/pialert/pkg/plural"
)

// Bounds of the text of a report.
const (
	widest   = 100 // columns: longer rows are hard to follow
	usual    = 80  // columns where nobody says how many there are
	narrow   = 72  // columns below which tables stand below each other
	top      = 10  // names shown of each sort
	maxShown = 20  // successes shown
)

// page is the text of a report in the making.
type page struct {
	look  Look
	width int
	zone  *time.Location
	b     []byte
}

// text writes the report for people.
func (r *Report) text(look Look, zone *time.Location) []byte {
	p := &page{look: look, width: min(look.Width, widest), zone: zone}
	if look.Width <= 0 {
		p.width = usual
	}
	p.head(r)
	p.successes(r)
	p.hours(r.Hours)
	p.kinds(r.Kinds)
	least := ""
	if !r.Complete {
		least = " (at least)"
	}
	p.pair(table{"Addresses" + least, r.Sources}, table{"Networks" + least, r.Networks})
	p.pair(table{"Users" + least, r.Users}, table{"Targets" + least, r.Targets})
	return p.b
}

// line appends a line, cut to the width.
func (p *page) line(s style, text string) {
	p.b = append(p.look.put(p.b, s, string(clip([]byte(text), p.width))), '\n')
}

func (p *page) title(text string) {
	p.b = append(p.b, '\n')
	p.line(bold, text)
}

// head says what was read and how much was found.
func (p *page) head(r *Report) {
	if len(p.b) == 0 {
		p.b = append(p.b, '\n')
	}
	found := fmt.Sprintf("%s in %s", counted(r.Attempts, "attempt"), counted(r.Events, "event"))
	if r.Addresses > 0 {
		found += " from " + counted(uint64(r.Addresses), "address")
	}
	p.line(bold, found)
	if !r.First.IsZero() {
		p.line(plain, span(r.First.In(p.zone), r.Last.In(p.zone)))
	}
	p.line(faint, fmt.Sprintf("%s of %s read in %s", counted(r.Lines, "line"), counted(uint64(len(r.Files)), "file"), seconds(r.Seconds)))
	if r.Unread > 0 {
		p.line(plain, counted(r.Unread, "line")+" of no form that is known, such as")
		for _, example := range r.Examples {
			p.line(faint, "  "+escape.Text(example))
		}
	}
	if r.OverLong > 0 {
		p.line(plain, counted(r.OverLong, "line")+fmt.Sprintf(" of more than %s bytes not looked at", grouped(maxLine)))
	}
	if r.Untrusted > 0 {
		p.line(plain, counted(r.Untrusted, "entry")+" of a journal left out: the sender may not speak under that name")
	}
	if r.Ignored > 0 {
		p.line(plain, counted(r.Ignored, "attempt")+" of ignored addresses not counted")
	}
}

func (p *page) kinds(kinds []Kind) {
	if len(kinds) == 0 {
		return
	}
	p.title("Kinds")
	names, digits, most := 0, 0, uint64(1)
	for _, k := range kinds {
		names, digits = max(names, len(k.Kind)), max(digits, len(grouped(k.Count)))
		if k.Attempt {
			most = max(most, k.Count)
		}
	}
	room := max(0, p.width-names-digits-6)
	for _, k := range kinds {
		p.b = fmt.Appendf(p.b, "  %-*s  %*s", names, k.Kind, digits, grouped(k.Count))
		if k.Attempt {
			p.b = p.look.put(append(p.b, "  "...), familyStyle(k.family), gauge(k.Count, most, room))
		} else {
			p.b = p.look.put(append(p.b, "  "...), faint, string(clip([]byte("no attempts"), room)))
		}
		p.b = append(p.b, '\n')
	}
}

// table is a list of names with their attempts.
type table struct {
	title string
	rows  []Count
}

// pair prints two tables, beside each other where there is room. Empty ones are left out.
func (p *page) pair(left, right table) {
	tables := slices.DeleteFunc([]table{left, right}, func(t table) bool { return len(t.rows) == 0 })
	if len(tables) == 2 && p.width >= narrow {
		const gap = 4
		width := (p.width - gap) / 2
		a, b := p.rows(tables[0], width), p.rows(tables[1], width)
		p.b = append(p.b, '\n')
		for i := range max(len(a), len(b)) {
			used := 0
			if i < len(a) {
				p.b, used = append(p.b, a[i].text...), a[i].width
			}
			if i < len(b) {
				p.b = append(p.b, strings.Repeat(" ", width+gap-used)...)
				p.b = append(p.b, b[i].text...)
			}
			p.b = append(p.b, '\n')
		}
		return
	}
	for _, t := range tables {
		p.b = append(p.b, '\n')
		for _, row := range p.rows(t, p.width) {
			p.b = append(append(p.b, row.text...), '\n')
		}
	}
}

// row is a part of a line that stands beside another.
type row struct {
	text  []byte
	width int // columns that it takes
}

// barWidth is that of a bar in a table.
const barWidth = 8

// rows draws a table of a width.
func (p *page) rows(t table, width int) []row {
	shown := t.rows[:min(len(t.rows), top)]
	if more := len(t.rows) - len(shown); more > 0 {
		t.title += fmt.Sprintf(", the first %d of %d", len(shown), len(t.rows))
		if len(t.rows) == listed {
			t.title += " or more"
		}
	}
	title := string(clip([]byte(t.title), width))
	rows := []row{{p.look.put(nil, bold, title), utf8.RuneCountInString(title)}}
	digits, names := 0, 0
	for _, c := range shown {
		digits = max(digits, len(grouped(c.Attempts)))
		names = max(names, utf8.RuneCountInString(quoted(c.Name)))
	}
	names = max(1, min(names, width-digits-barWidth-6))
	for _, c := range shown {
		name := string(clip([]byte(quoted(c.Name)), names))
		text := fmt.Sprintf("  %-*s  %*s", names, name, digits, grouped(c.Attempts))
		drawn := gauge(c.Attempts, shown[0].Attempts, barWidth)
		used := utf8.RuneCountInString(text) + 2 + utf8.RuneCountInString(drawn)
		rows = append(rows, row{p.look.put([]byte(text+"  "), faint, drawn), used})
	}
	return rows
}

// quoted is a name that cannot be taken for anything else.
func quoted(name string) string {
	if name == "" {
		return "-"
	}
	return string(appendName(nil, name))
}

// grouped writes a number with commas between the thousands.
func grouped(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func counted(n uint64, noun string) string { return grouped(n) + " " + plural.Noun(n, noun) }

// span says from when to when the events are.
func span(first, last time.Time) string {
	const day = "Mon 2 Jan 2006"
	took := last.Sub(first)
	to := last.Format(day + " 15:04:05")
	if first.Format(day) == last.Format(day) {
		to = last.Format(time.TimeOnly)
	}
	return fmt.Sprintf("%s to %s (%s)", first.Format(day+" 15:04:05"), to, duration(took))
}

// duration says how long something is, in the two units that matter.
func duration(d time.Duration) string {
	days, hours, minutes := uint64(d/(24*time.Hour)), uint64(d/time.Hour)%24, uint64(d/time.Minute)%60
	switch {
	case days >= 14:
		return counted(days, "day")
	case days > 0:
		return counted(days, "day") + " " + counted(hours, "hour")
	case hours > 0:
		return counted(hours, "hour") + " " + counted(minutes, "minute")
	case minutes > 0:
		return counted(minutes, "minute")
	}
	return counted(uint64(d/time.Second), "second")
}

// seconds says how long the scan took.
func seconds(s float64) string {
	switch {
	case s < 1:
		return fmt.Sprintf("%.0f ms", max(1, s*1000))
	case s < 100:
		return fmt.Sprintf("%.1f s", s)
	}
	return duration(time.Duration(s * float64(time.Second)))
}
