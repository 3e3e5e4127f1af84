package terminal

import (
	"fmt"
	"strings"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

// Widths of the columns of events, and from which width of the screen on there is room for more.
const (
	timeWidth   = len(time.TimeOnly)
	kindWidth   = len("wordpress_login")
	sourceWidth = len("255.255.255.255")
	agentWidth  = 12
	withTime    = 56
	withAgent   = 76
)

// Columns writes an event as a line of aligned columns: when it arrived, the lamp that shows it, what
// it is, where it came from, the agent, and what else is known. It is fit for a terminal.
func Columns(at time.Time, lamp, agent string, e *attack.Event) string {
	r := rowOf(at, agent, -1, e)
	return strings.TrimRight(fmt.Sprintf("%s  %-9s  %-*s  %-*s  %-*s  %s", at.Format(time.DateTime), lamp,
		kindWidth, r.kind, sourceWidth, r.source, agentWidth, r.agent, r.what), " ")
}

// drawEvents lists events from a row on, the newest first: below the device, where the eye is.
func (p *painter) drawEvents(g *grid, top, bottom, left, width int, s *state, rows []row) {
	for i := range min(bottom-top, len(rows)) {
		r := &rows[len(rows)-1-i]
		text := look{text: paint(faint), bold: i == 0}
		if r.lamp >= 0 && r.lamp < len(s.lamps) {
			text.text = paint(legible(s.lamps[r.lamp].Color))
		}
		p.drawEvent(g, top+i, left, width, r, text)
	}
}

func (p *painter) drawEvent(g *grid, row, column, width int, r *row, text look) {
	end := column + width
	if r.note != "" {
		g.fit(row, column, width, r.note, text)
		return
	}
	if width >= withTime {
		column = g.fit(row, column, timeWidth, r.at.Format(time.TimeOnly), text) + 2
	}
	column = g.fit(row, column, kindWidth, r.kind, text) + 1 + index(width >= withTime)
	if width >= withAgent {
		end -= agentWidth + 2
		g.fit(row, end+2, agentWidth, r.agent, text)
	}
	source := max(sourceWidth, min(len(r.source), end-column-12)) // a long address, if it leaves room
	if end-column < sourceWidth {
		source = end - column
	}
	column = g.fit(row, column, source, r.source, text) + 1 + index(width >= withTime)
	g.fit(row, column, end-column, r.what, text)
}
