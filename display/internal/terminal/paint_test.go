package terminal

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pialert/pialert/display/internal/animate"
)

// emulator is as much of a terminal as the painter uses.
type emulator struct {
	t      *testing.T
	cells  [][]rune
	colors [][]string // the Select Graphic Rendition parameters that a cell was written with
	row    int
	column int
	color  string
}

func newEmulator(t *testing.T, columns, rows int) *emulator {
	e := &emulator{t: t}
	for range rows {
		e.cells = append(e.cells, []rune(strings.Repeat(" ", columns)))
		e.colors = append(e.colors, make([]string, columns))
	}
	return e
}

func (e *emulator) write(text []byte) {
	e.t.Helper()
	rest := string(text)
	for rest != "" {
		if sequence, ok := strings.CutPrefix(rest, "\x1b["); ok {
			end := strings.IndexFunc(sequence, func(r rune) bool { return r >= '@' })
			e.control(sequence[:end], sequence[end])
			rest = sequence[end+1:]
			continue
		}
		r := []rune(rest)[0]
		rest = rest[len(string(r)):]
		if r < ' ' {
			e.t.Fatalf("control character %q", r)
		}
		e.column = min(e.column, len(e.cells[e.row])-1) // wrapping is off
		e.cells[e.row][e.column], e.colors[e.row][e.column] = r, e.color
		e.column++
	}
}

func (e *emulator) control(parameters string, final byte) {
	switch final {
	case 'm':
		e.color = strings.TrimPrefix(parameters, "0")
	case 'H':
		row, _, _ := strings.Cut(parameters, ";")
		e.row, _ = strconv.Atoi(row)
		e.row--
		e.column = 0
		if e.row >= len(e.cells) {
			e.t.Fatalf("row %d of %d", e.row, len(e.cells))
		}
	case 'K':
		for i := e.column; i < len(e.cells[e.row]); i++ {
			e.cells[e.row][i], e.colors[e.row][i] = ' ', ""
		}
	case 'J':
		for row := range e.cells {
			e.row, e.column = row, 0
			e.control("", 'K')
		}
	default:
		e.t.Fatalf("unknown sequence %s%c", parameters, final)
	}
}

func (e *emulator) String() string {
	var b strings.Builder
	for _, row := range e.cells {
		b.WriteString(strings.TrimRight(string(row), " "))
		b.WriteByte('\n')
	}
	return b.String()
}

func fixed(columns, rows int, colors Colors) Screen {
	return Screen{Live: true, Colors: colors, Size: func() (int, int) { return columns, rows }}
}

// example is a state in which LED 0 is full red, LED 4 a little blue, and 12E3 is shown.
func example() *state {
	s := &state{
		lamps: []Lamp{
			{Name: "ssh-a", Label: "SSH on A", Color: animate.RGB{R: 255}},
			{Name: "wordpress", Color: animate.RGB{B: 255}},
		},
		totals: [animate.Pixels]uint64{12345, 7},
		grand:  12352,
		digits: animate.Digits{Cells: animate.Total(12345), Brightness: 8},
	}
	s.pixels[0] = animate.Pixel{R: 255, Brightness: 31}
	s.pixels[4] = animate.Pixel{B: 56, Brightness: 31} // looks half as bright
	return s
}

func TestThePicture(t *testing.T) {
	tests := map[string]struct {
		screen Screen
		want   string
	}{
		"wide": {fixed(60, 18, TrueColor), `



                   __     __   __
                |  __|   |__   __|
                | |__    |__   __|

ssh-a       12345  SSH on A
wordpress       7
total       12352

the second line
the third line, which is longer than most and is cut where t




`},
		"no colours": {fixed(60, 10, NoColors), `@@@@@                   =====
@@@@@                   =====
                   __     __   __
                |  __|   |__   __|
                | |__    |__   __|
ssh-a       12345  SSH on A
wordpress       7
total       12352

the third line, which is longer than most and is cut where t
`},
		"narrow": {fixed(20, 8, NoColors), `@       =
     _    _   _
  |  _|  |_   _|
  | |_   |_   _|
ssh-a       12345  S
wordpress       7
total       12352

`},
		"tiny": {fixed(8, 3, NoColors), "@   =\nssh-a\nwordpres\n"},
	}
	lines := []string{"the second line", "the third line, which is longer than most and is cut where the terminal ends"}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			columns, rows := test.screen.Size()
			e := newEmulator(t, columns, rows)
			e.write((&painter{screen: test.screen}).paint(example(), lines))
			if got := e.String(); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestColorsOfTheLEDs(t *testing.T) {
	for colors, want := range map[Colors][3]string{
		TrueColor: {"48;2;255;28;28", "48;2;28;28;128", "48;2;28;28;28"},
		Colors256: {"48;5;196", "48;5;18", "48;5;234"},
		Colors16:  {"101", "44", "100"},
		NoColors:  {"", "", ""},
	} {
		e := newEmulator(t, 60, 18)
		e.write((&painter{screen: fixed(60, 18, colors)}).paint(example(), nil))
		if got := [3]string{e.colors[1][0], e.colors[1][4*6], e.colors[1][7*6]}; got != want {
			t.Errorf("with %d: LEDs 0, 4 and 7 are %q, want %q", colors, got, want)
		}
	}
}

// TestRepaintingIsLikePainting holds that what is written for a change leads to the picture that
// painting it from nothing leads to, also after the size changed.
func TestRepaintingIsLikePainting(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	s, lines := example(), []string(nil)
	columns, rows := 70, 20
	screen := Screen{Colors: TrueColor, Size: func() (int, int) { return columns, rows }}
	p, e := &painter{screen: screen}, newEmulator(t, columns, rows)
	for step := range 200 {
		s.pixels[random.IntN(8)] = animate.Pixel{G: uint8(random.UintN(256)), Brightness: uint8(random.UintN(32))}
		s.totals[0] += random.Uint64N(1000)
		s.digits = animate.Digits{Cells: animate.Total(s.totals[0]), Colon: step%2 == 0, Brightness: uint8(random.UintN(9))}
		lines = append(lines, fmt.Sprint("line ", strings.Repeat("x", random.IntN(100))))
		if random.IntN(20) == 0 {
			columns, rows = 1+random.IntN(100), 1+random.IntN(30)
			e = newEmulator(t, columns, rows)
		}
		e.write(p.paint(s, lines))
		fresh := newEmulator(t, columns, rows)
		fresh.write((&painter{screen: screen}).paint(s, lines))
		if e.String() != fresh.String() || !slices.EqualFunc(e.colors, fresh.colors, slices.Equal) {
			t.Fatalf("step %d: repainted\n%s\npainted\n%s", step, e, fresh)
		}
	}
	if again := p.paint(s, lines); len(again) > 0 {
		t.Errorf("what did not change is written: %q", again)
	}
}

func BenchmarkPaint(b *testing.B) {
	s := example()
	p := &painter{screen: fixed(80, 24, TrueColor)}
	written := 0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.pixels[i%8].G++
		written += len(p.paint(s, nil))
	}
	b.ReportMetric(float64(written)/float64(b.N), "B/frame")
}
