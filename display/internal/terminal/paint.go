package terminal

import (
	"time"

	"github.com/pialert/pialert/display/internal/animate"
)

// painter turns states into what has to be written.
type painter struct {
	screen      Screen
	front, back grid // what is on the screen, and what will be
	canvas      canvas
	buffer      []byte
}

// forget has everything painted anew.
func (p *painter) forget() { p.front.columns, p.front.rows = 0, 0 }

// paint returns what to write so that the screen shows the state and the latest of the events. The
// text is valid until the next call.
func (p *painter) paint(s *state, events []row, now time.Time) []byte {
	p.buffer = p.buffer[:0]
	columns, rows := p.size()
	if columns != p.front.columns || rows != p.front.rows {
		p.front.clear(columns, rows)
		p.buffer = append(p.buffer, "\x1b[2J"...)
	}
	p.compose(s, events, now, columns, rows)
	p.buffer = p.screen.Colors.appendChanges(p.buffer, &p.front, &p.back)
	p.front, p.back = p.back, p.front
	return p.buffer
}

// last returns the picture as lines of text, for a terminal that goes on below them.
func (p *painter) last(s *state, events []row, now time.Time) []byte {
	columns, rows := p.size()
	p.compose(s, events, now, columns, min(rows-2, 24))
	var text []byte
	end := p.back.rows
	for end > 0 && used(p.back.row(end-1)) == 0 {
		end--
	}
	for i := range end {
		row := p.back.row(i)
		text = p.screen.Colors.appendCells(text, row[:used(row)])
		text = append(text, '\n')
	}
	return text
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

// minEvents is how many rows of events are wanted before anything else gets more room.
const minEvents = 3

// widest is how wide rows of events get: what belongs together should stand together.
const widest = 100

// besides is how wide the lamps are where they stand beside the device.
const besides = 40

// compose lays the screen out: the device, the lamps below it or, where there is room, beside it,
// and the events. Where there is little room the case goes first, then the events, then what
// stands at the end.
func (p *painter) compose(s *state, events []row, now time.Time, columns, rows int) {
	g := &p.back
	g.clear(columns, max(rows, 0))
	for i := range s.recent {
		s.recent[i].roll(now)
	}
	m, fits := choose(columns, rows-lampRows(s)-1)
	if !fits {
		p.composeSmall(s, events, columns, rows)
		return
	}
	left, next := 0, deviceRows+1
	if columns >= m.width+3+besides {
		p.drawDevice(g, 0, left, m, s)
		p.drawLamps(g, max(0, (deviceRows-lampRows(s))/2), m.width+3, columns-m.width-3, s)
	} else {
		left = (min(columns, widest) - m.width) / 2
		p.drawDevice(g, 0, left, m, s)
		if rows-deviceRows-lampRows(s)-2 < minEvents {
			next--
		}
		p.drawLamps(g, next, 0, columns, s)
		next += lampRows(s)
		if rows-next > minEvents {
			next++
		}
	}
	bottom := rows
	if s.note != "" {
		bottom--
		g.fit(rows-1, 0, columns, s.note, look{text: paint(faint)})
	}
	p.drawEvents(g, next, bottom, 0, min(columns, widest), s, events)
}

// choose returns the largest device that fits.
func choose(columns, rows int) (model, bool) {
	for _, m := range models {
		if columns >= m.width && rows >= deviceRows {
			return m, true
		}
	}
	return model{}, false
}

// composeSmall is for a terminal that has no room for the device: the LEDs, the digits as text,
// the lamps, the events.
func (p *painter) composeSmall(s *state, events []row, columns, rows int) {
	g := &p.back
	pitch := max(1, min(4, columns/animate.Pixels))
	for i, pixel := range s.pixels {
		color := pixel.Seen()
		most := int(max(color.R, color.G, color.B))
		each := cell{char: ' ', look: look{back: paint(over(unlit, color, 255))}}
		if p.screen.Colors == NoColors {
			each = cell{char: shades[(most*(len(shades)-1)+254)/255]}
		}
		for x := range max(1, pitch-1) {
			if at := g.at(0, i*pitch+x); at != nil {
				*at = each
			}
		}
	}
	p.drawLamps(g, 1, 0, columns, s)
	p.drawEvents(g, 1+lampRows(s), rows, 0, columns, s, events)
}
