package terminal

import (
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/pialert/pialert/display/internal/animate"
)

// ink is a colour, or the terminal's own if it is not set.
type ink struct {
	animate.RGB
	set bool
}

func paint(c animate.RGB) ink { return ink{c, true} }

// cell is a character on the screen and how it is written.
type cell struct {
	char rune // 0 stands for a space
	look look
}

// look is how a character is written.
type look struct {
	text, back ink
	bold       bool
}

// grid is a screen full of cells. Whatever would stand outside of it is cut.
type grid struct {
	columns, rows int
	cells         []cell
}

// clear makes the grid empty, with a size.
func (g *grid) clear(columns, rows int) {
	g.columns, g.rows = columns, rows
	g.cells = slices.Grow(g.cells[:0], columns*rows)[:columns*rows]
	clear(g.cells)
}

// at returns a cell, or nil outside.
func (g *grid) at(row, column int) *cell {
	if row < 0 || row >= g.rows || column < 0 || column >= g.columns {
		return nil
	}
	return &g.cells[row*g.columns+column]
}

// row returns the cells of a row.
func (g *grid) row(row int) []cell { return g.cells[row*g.columns : (row+1)*g.columns] }

// write puts text into a row and returns the column behind it. A rune takes a column: the terminal
// does not wrap, so that wider ones do little harm.
func (g *grid) write(row, column int, text string, l look) int {
	for _, r := range text {
		if c := g.at(row, column); c != nil {
			*c = cell{r, l}
		}
		column++
	}
	return column
}

// fit writes text into so many columns, cut with an ellipsis if it is longer, and returns the
// column behind them.
func (g *grid) fit(row, column, width int, text string, l look) int {
	if width <= 0 {
		return column
	}
	if utf8.RuneCountInString(text) > width {
		text = clip(text, width-1) + "…"
	}
	g.write(row, column, text, l)
	return column + width
}

// clip cuts text to a number of runes.
func clip(text string, runes int) string {
	for i := range text {
		if runes == 0 {
			return text[:i]
		}
		runes--
	}
	return text
}

// appendLook appends the sequence that selects a look after everything was reset.
func (c Colors) appendLook(text []byte, l look) []byte {
	if c == NoColors {
		if l.bold {
			return append(text, "\x1b[1m"...)
		}
		return text
	}
	if l.bold {
		text = append(text, "\x1b[1m"...)
	}
	if l.text.set {
		text = c.appendColor(text, l.text.RGB, false)
	}
	if l.back.set {
		text = c.appendColor(text, l.back.RGB, true)
	}
	return text
}

// appendCells appends cells as text, which begins and ends with nothing selected.
func (c Colors) appendCells(text []byte, cells []cell) []byte {
	var at look
	for _, each := range cells {
		if each.look != at {
			if at != (look{}) {
				text = append(text, "\x1b[0m"...)
			}
			at = each.look
			text = c.appendLook(text, at)
		}
		text = utf8.AppendRune(text, max(each.char, ' '))
	}
	if at != (look{}) {
		text = append(text, "\x1b[0m"...)
	}
	return text
}

// appendChanges appends what turns one screen into another of the same size.
func (c Colors) appendChanges(text []byte, from, to *grid) []byte {
	for row := range to.rows {
		was, is := from.row(row), to.row(row)
		for column := 0; column < to.columns; {
			if was[column] == is[column] {
				column++
				continue
			}
			end := column + 1
			// A short gap costs less than the sequence that jumps over it.
			for gap := end; gap < to.columns && gap-end < 8; gap++ {
				if was[gap] != is[gap] {
					end = gap + 1
				}
			}
			text = append(text, "\x1b["...)
			text = strconv.AppendInt(text, int64(row+1), 10)
			text = append(text, ';')
			text = strconv.AppendInt(text, int64(column+1), 10)
			text = append(text, 'H')
			text = c.appendCells(text, is[column:end])
			column = end
		}
	}
	return text
}

// used returns how many of the columns of a row hold something.
func used(cells []cell) int {
	n := len(cells)
	for n > 0 && (cells[n-1] == cell{} || cells[n-1] == cell{char: ' '}) {
		n--
	}
	return n
}
