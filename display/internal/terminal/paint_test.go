package terminal

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/animate"
	"github.com/pialert/pialert/pkg/attack"
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
		if parameters == "0" {
			e.color = ""
		} else {
			e.color = strings.TrimPrefix(e.color+" "+parameters, " ")
		}
	case 'H':
		row, column, _ := strings.Cut(parameters, ";")
		e.row, _ = strconv.Atoi(row)
		e.column, _ = strconv.Atoi(column)
		e.row, e.column = e.row-1, e.column-1
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

// happened is events for the picture: one of each lamp, the newest last.
func happened() []row {
	return []row{
		rowOf(noon, "web1", 0, &attack.Event{Kind: attack.SSHLogin, Count: 5, SourceIP: netip.MustParseAddr("192.0.2.7"), User: "root"}),
		rowOf(noon.Add(time.Second), "web2", 1, &attack.Event{Kind: attack.WordPressLogin, Count: 1,
			SourceIP: netip.MustParseAddr("2001:db8:bad:1:2:3:4:5"), Detail: attack.HTTP{Method: "POST", Target: "/wp-login.php"}}),
	}
}

// TestThePicture holds where everything stands: the device, the lamps with their totals and
// minutes, the newest event right below them, at any size.
func TestThePicture(t *testing.T) {
	tests := map[string]struct {
		columns, rows int
		want          string
	}{
		"usual": {80, 20, `             ╭────────────────────────────────────────────────────╮
             │                                                    │
             │   ████                    ▓▓▓▓                     │
             │   ████                    ▓▓▓▓                     │
             │                                                    │
             │                                                    │
             │             ▄▄   █████▄    ▄█████    █████▄        │
             │             ██   ▄▄▄▄██    ██▄▄▄▄    ▄▄▄▄██        │
             │             ██  ██▀▀▀▀     ██▀▀▀▀    ▀▀▀▀██        │
             │             ▀▀  ▀█████     ▀█████    █████▀        │
             ╰────────────────────────────────────────────────────╯

● SSH on A   12,345  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▇▁▁▁▁
● wordpress       7  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
  all        12,352

12:00:02  wordpress_login  2001:db8:bad:1:2:3:4:5  "POST /wp-logi…  web2
12:00:01  ssh_login        192.0.2.7        ×5 root                 web1


`},
		"narrow": {40, 17, ` ╭────────────────────────────────────╮
 │                                    │
 │   ██              ▓▓               │
 │   ██              ▓▓               │
 │                                    │
 │                                    │
 │      ▄▄   ████▄    ▄████    ████▄  │
 │      ██   ▄▄▄██    ██▄▄▄    ▄▄▄██  │
 │      ██  ██▀▀▀     ██▀▀▀    ▀▀▀██  │
 │      ▀▀  ▀████     ▀████    ████▀  │
 ╰────────────────────────────────────╯
● SSH on A   12,345  ▁▁▁▁▁▁▁▁▁▁▁▁▇▁▁
● wordpress       7  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
  all        12,352
wordpress_login 2001:db8:bad:1… "POST /…
ssh_login       192.0.2.7       ×5 root

`},
		"too small for the case": {24, 6, `██          ▓▓
● SSH on A   12,345
● wordpress       7
  all        12,352
wordpress_login 2001:db…
ssh_login       192.0.2…
`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e, s := newEmulator(t, test.columns, test.rows), example()
			s.recent[0].add(noon.Add(-8*time.Second), 5)
			e.write((&painter{screen: fixed(test.columns, test.rows, NoColors)}).paint(s, happened(), noon))
			if got := e.String(); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// TestColorsOfTheLEDs holds how LED 0 at full red, LED 4 a little blue and LED 7, which is off, look
// in their middles.
func TestColorsOfTheLEDs(t *testing.T) {
	for colors, want := range map[Colors][3]string{
		Colors256: {"38;5;196 48;5;196", "38;5;18 48;5;18", "38;5;234 48;5;234"},
		Colors16:  {"91 101", "34 44", "90 100"},
	} {
		e := newEmulator(t, 60, 30)
		e.write((&painter{screen: fixed(60, 30, colors)}).paint(example(), nil, noon))
		middle := func(led int) string { // of one color: its half blocks are written as spaces
			return strings.Join([]string{e.colors[2][3+3+2+led*6]}, "")
		}
		for i, led := range []int{0, 4, 7} {
			if got := middle(led); got != strings.Split(want[i], " ")[1] {
				t.Errorf("with %d: LED %d is %q, want %q", colors, led, got, want[i])
			}
		}
	}
}

// TestGlow holds that light falls on the case around an LED, the less the farther, and on neither
// the window nor what is beside the case.
func TestGlow(t *testing.T) {
	p := &painter{screen: fixed(60, 30, TrueColor)}
	var g grid
	g.clear(60, 12)
	s := &state{}
	s.pixels[0] = animate.Pixel{R: 255, Brightness: 31}
	p.drawDevice(&g, 0, 0, models[0], s)
	redAt := func(x, y int) uint8 { return p.canvas.pixels[y][x].R }
	if redAt(6, 4) != 255 {
		t.Errorf("the LED has %d of red", redAt(6, 4))
	}
	for x := 9; x < 15; x++ { // from the LED's edge to the right
		if near, far := redAt(x, 2), redAt(x+1, 2); near <= far {
			t.Errorf("%d pixels away there is %d of red, and %d one farther", x-8, near, far)
		}
	}
	if redAt(47, 4) != unlit.R || redAt(40, 2) != body.R || redAt(20, windowTop) != window.R || p.canvas.pixels[0][0].set {
		t.Error("light falls where none reaches")
	}
}

// TestRepaintingIsLikePainting holds that what is written for a change leads to the picture that
// painting it from nothing leads to, also after the size changed.
func TestRepaintingIsLikePainting(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	s, events, now := example(), []row(nil), noon
	columns, rows := 70, 20
	screen := Screen{Colors: TrueColor, Size: func() (int, int) { return columns, rows }}
	p, e := &painter{screen: screen}, newEmulator(t, columns, rows)
	for step := range 200 {
		now = now.Add(time.Duration(random.Int64N(int64(3 * time.Second))))
		s.pixels[random.IntN(8)] = animate.Pixel{G: uint8(random.UintN(256)), Brightness: uint8(random.UintN(32))}
		s.totals[0] += random.Uint64N(1000)
		s.recent[random.IntN(2)].add(now, random.Uint64N(9))
		s.digits = animate.Digits{Cells: animate.Total(s.totals[0]), Colon: step%2 == 0, Brightness: uint8(random.UintN(9))}
		events = append(events, happened()[random.IntN(2)])
		if random.IntN(20) == 0 {
			columns, rows = 1+random.IntN(130), 1+random.IntN(40)
			e = newEmulator(t, columns, rows)
		}
		e.write(p.paint(s, events, now))
		fresh := newEmulator(t, columns, rows)
		fresh.write((&painter{screen: screen}).paint(s, events, now))
		if e.String() != fresh.String() || !slices.EqualFunc(e.colors, fresh.colors, slices.Equal) {
			t.Fatalf("step %d: repainted\n%s\npainted\n%s", step, e, fresh)
		}
	}
	if again := p.paint(s, events, now); len(again) > 0 {
		t.Errorf("what did not change is written: %q", again)
	}
}

// TestLegibleOnBlackAndWhite holds the contrast of each lamp's text, by the formula of WCAG 2.2
// with sRGB's own curve.
func TestLegibleOnBlackAndWhite(t *testing.T) {
	exact := func(v uint8) float64 {
		if s := float64(v) / 255; s > 0.04045 {
			return math.Pow((s+0.055)/1.055, 2.4)
		}
		return float64(v) / 255 / 12.92
	}
	for _, c := range []animate.RGB{{R: 255}, {G: 60, B: 255}, {R: 170, B: 255}, {G: 255}, {R: 255, G: 210}, {G: 230, B: 255}, {R: 255, G: 255, B: 255}, {R: 1}} {
		got := legible(c)
		light := 0.2126*exact(got.R) + 0.7152*exact(got.G) + 0.0722*exact(got.B)
		if onWhite, onBlack := 1.05/(light+0.05), (light+0.05)/0.05; onWhite < 4.4 || onBlack < 4.4 {
			t.Errorf("%v as %v has a contrast of %.1f on white and %.1f on black", c, got, onWhite, onBlack)
		}
	}
}

// TestTheMinute holds what a sparkline counts, and that it moves on.
func TestTheMinute(t *testing.T) {
	var a activity
	a.add(noon, 2)
	a.add(noon.Add(30*time.Second), 8)
	a.add(noon.Add(10*time.Second), 4) // late
	a.add(noon.Add(-2*time.Minute), 100)
	// In columns of three steps: 8 is in the newest, 4 ten steps and 2 fifteen steps before it.
	line := func() string { return string(a.line(10)) }
	if got, want := line(), "▁▁▁▁▃▁▄▁▁▇"; got != want {
		t.Errorf("the minute is %s, want %s", got, want)
	}
	if a.roll(noon.Add(45 * time.Second)); line() != "▁▁▃▄▁▁▁▇▁▁" {
		t.Errorf("after a quarter the minute is %s", line())
	}
	if a.roll(noon.Add(time.Hour)) {
		t.Errorf("after an hour there is still %s", line())
	}
}

func BenchmarkPaint(b *testing.B) {
	s := example()
	p := &painter{screen: fixed(80, 24, TrueColor)}
	written := 0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.pixels[i%8].G++
		written += len(p.paint(s, nil, noon))
	}
	b.ReportMetric(float64(written)/float64(b.N), "B/frame")
}
