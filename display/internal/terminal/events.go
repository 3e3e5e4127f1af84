package terminal

import (
	"fmt"
	"strings"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/pkg/attack"
	"github.com/pialert/pialert/pkg/escape"
)

// row is an event as the picture lists it. Its texts are fit for a terminal.
type row struct {
	at                        time.Time
	lamp                      int // index, -1 if none shows it
	kind, source, what, agent string
	note                      string // in place of an event: that some are missing
}

// rowOf turns an event into what is listed of it.
func rowOf(at time.Time, agent string, lamp int, e *attack.Event) row {
	r := row{at: at, lamp: lamp, kind: e.Kind.String(), agent: escape.Text(agent)}
	switch {
	case e.SourceIP.IsValid():
		r.source = e.SourceIP.String()
	case e.SourceHost != "":
		r.source = word(e.SourceHost)
	}
	var what []string
	if e.Count > 1 {
		what = append(what, fmt.Sprintf("×%d", e.Count))
	}
	if e.User != "" {
		what = append(what, word(e.User))
	}
	if text := strings.TrimLeft(Particulars(e.Detail), ", "); text != "" {
		what = append(what, text)
	}
	if e.Host != "" {
		what = append(what, "on "+word(e.Host))
	}
	if e.Test {
		what = append(what, "(test)")
	}
	r.what = strings.Join(what, " ")
	return r
}

// word is a name of an attacker's: as it is if it can be taken for nothing else, else in quotes.
func word(text string) string {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '(' || i >= maxQuoted {
			return quote(text)
		}
	}
	return text
}

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
