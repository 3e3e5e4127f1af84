// Package screen is as much of a terminal as the programs use: what they write to a
// pseudo-terminal becomes cells, and cells become a PNG on a dark or a light background.
//
// It fails loudly: a control sequence that it does not know is kept as a mistake, so that a test
// sees it instead of a picture that only looks right.
package screen

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Color is a colour, or the terminal's own if it is not set.
type Color struct {
	R, G, B uint8
	Set     bool
}

// Cell is a character and how it was written.
type Cell struct {
	Char       rune
	Text, Back Color
	Bold       bool
	Faint      bool
}

// Screen is what a terminal shows. It is not safe for concurrent use.
type Screen struct {
	Columns, Rows int
	Cells         [][]Cell
	Mistakes      []string
	Cursor        bool // whether it is shown

	row, column int
	look        Cell
	rest        []byte // the beginning of a sequence or of a rune
	below       *saved // what the alternate screen hides
}

type saved struct {
	cells       [][]Cell
	row, column int
}

// New returns an empty screen.
func New(columns, rows int) *Screen {
	s := &Screen{Columns: columns, Rows: rows, Cursor: true}
	s.Cells = s.empty()
	return s
}

func (s *Screen) empty() [][]Cell {
	cells := make([][]Cell, s.Rows)
	for i := range cells {
		cells[i] = make([]Cell, s.Columns)
	}
	return cells
}

// Write takes what a program writes. It never fails.
func (s *Screen) Write(p []byte) (int, error) {
	text := append(s.rest, p...)
	for len(text) > 0 {
		n := s.take(text)
		if n == 0 {
			break
		}
		text = text[n:]
	}
	s.rest = append([]byte(nil), text...)
	return len(p), nil
}

// take handles what text begins with and returns its length, 0 if it is not whole yet.
func (s *Screen) take(text []byte) int {
	switch c := text[0]; {
	case c == 0x1b:
		return s.escape(text)
	case c == '\n':
		s.lineFeed()
	case c == '\r':
		s.column = 0
	case c == '\b':
		s.column = max(0, s.column-1)
	case c == '\t':
		s.column = min(s.Columns-1, s.column/8*8+8)
	case c < ' ':
		s.mistake("control character %q", c)
	default:
		if !utf8.FullRune(text) {
			return 0
		}
		r, size := utf8.DecodeRune(text)
		s.put(r)
		return size
	}
	return 1
}

func (s *Screen) put(r rune) {
	if s.column >= s.Columns {
		s.column = s.Columns - 1 // wrapping is off, or the program relies on what terminals differ in
		s.mistake("text beyond the last column")
	}
	cell := s.look
	cell.Char = r
	s.Cells[s.row][s.column] = cell
	s.column++
}

func (s *Screen) lineFeed() {
	if s.row++; s.row < s.Rows {
		return
	}
	s.row = s.Rows - 1
	s.Cells = append(s.Cells[1:], make([]Cell, s.Columns))
}

// escape takes the sequence that text begins with. Another ESC within it ends it without effect, as in real
// terminals: on an interrupt the kernel drops what waits in the terminal's queue (termios(3), NOFLSH), which
// can end anywhere.
func (s *Screen) escape(text []byte) int {
	if len(text) < 2 {
		return 0
	}
	if text[1] == 0x1b {
		return 1
	}
	if text[1] != '[' {
		s.mistake("escape %q", text[1])
		return 2
	}
	for i := 2; i < len(text); i++ {
		switch {
		case text[i] == 0x1b:
			return i
		case text[i] >= '@':
			s.control(string(text[2:i]), text[i])
			return i + 1
		}
	}
	return 0
}

func (s *Screen) control(parameters string, final byte) {
	number := func(i, otherwise int) int {
		fields := strings.Split(parameters, ";")
		if i >= len(fields) || fields[i] == "" {
			return otherwise
		}
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			s.mistake("parameters %q", parameters)
		}
		return n
	}
	switch final {
	case 'm':
		s.style(parameters)
	case 'H':
		s.row, s.column = number(0, 1)-1, number(1, 1)-1
		if s.row < 0 || s.row >= s.Rows || s.column < 0 || s.column >= s.Columns {
			s.mistake("cursor at %s", parameters)
			s.row, s.column = 0, 0
		}
	case 'J':
		s.Cells = s.empty()
	case 'K':
		clear(s.Cells[s.row][min(s.column, s.Columns):])
	case 'h', 'l':
		s.mode(parameters, final == 'h')
	default:
		s.mistake("sequence %q%c", parameters, final)
	}
}

// mode switches what the programs switch: the cursor, wrapping, the alternate screen.
func (s *Screen) mode(parameters string, on bool) {
	switch parameters {
	case "?25":
		s.Cursor = on
	case "?7":
	case "?1049":
		if on {
			s.below = &saved{s.Cells, s.row, s.column}
			s.Cells = s.empty()
		} else if s.below != nil {
			s.Cells, s.row, s.column = s.below.cells, s.below.row, s.below.column
			s.below = nil
		}
	default:
		s.mistake("mode %q", parameters)
	}
}

// style follows Select Graphic Rendition.
func (s *Screen) style(parameters string) {
	var numbers []int
	for _, field := range strings.Split(parameters, ";") {
		n, _ := strconv.Atoi(field) // an empty one is 0
		numbers = append(numbers, n)
	}
	for len(numbers) > 0 {
		n := numbers[0]
		numbers = numbers[1:]
		switch {
		case n == 0:
			s.look = Cell{}
		case n == 1:
			s.look.Bold = true
		case n == 2:
			s.look.Faint = true
		case n == 38 && len(numbers) > 0:
			s.look.Text, numbers = s.extended(numbers)
		case n == 48 && len(numbers) > 0:
			s.look.Back, numbers = s.extended(numbers)
		case n >= 30 && n <= 37:
			s.look.Text = indexed(n - 30)
		case n >= 40 && n <= 47:
			s.look.Back = indexed(n - 40)
		case n >= 90 && n <= 97:
			s.look.Text = indexed(n - 82)
		case n >= 100 && n <= 107:
			s.look.Back = indexed(n - 92)
		default:
			s.mistake("rendition %d", n)
		}
	}
}

func (s *Screen) extended(numbers []int) (Color, []int) {
	switch {
	case numbers[0] == 2 && len(numbers) >= 4:
		return Color{uint8(numbers[1]), uint8(numbers[2]), uint8(numbers[3]), true}, numbers[4:]
	case numbers[0] == 5 && len(numbers) >= 2:
		return indexed(numbers[1]), numbers[2:]
	}
	s.mistake("colour %v", numbers)
	return Color{}, nil
}

// sixteen are xterm's defaults.
var sixteen = [16][3]uint8{
	{0, 0, 0}, {205, 0, 0}, {0, 205, 0}, {205, 205, 0}, {0, 0, 238}, {205, 0, 205}, {0, 205, 205}, {229, 229, 229},
	{127, 127, 127}, {255, 0, 0}, {0, 255, 0}, {255, 255, 0}, {92, 92, 255}, {255, 0, 255}, {0, 255, 255}, {255, 255, 255},
}

func indexed(n int) Color {
	switch {
	case n < 16:
		c := sixteen[n]
		return Color{c[0], c[1], c[2], true}
	case n < 232:
		side := func(v int) uint8 {
			if v == 0 {
				return 0
			}
			return uint8(55 + 40*v)
		}
		n -= 16
		return Color{side(n / 36), side(n / 6 % 6), side(n % 6), true}
	}
	grey := uint8(8 + 10*(n-232))
	return Color{grey, grey, grey, true}
}

func (s *Screen) mistake(format string, args ...any) {
	if len(s.Mistakes) < 20 {
		s.Mistakes = append(s.Mistakes, fmt.Sprintf(format, args...))
	}
}

// String returns the text without colours, each row without the spaces at its end.
func (s *Screen) String() string {
	var b strings.Builder
	for _, row := range s.Cells {
		var line strings.Builder
		for _, cell := range row {
			line.WriteRune(max(cell.Char, ' '))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}
