package browser

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/test/browser/chromium"
	"github.com/pialert/pialert/test/daemon"
	"github.com/pialert/pialert/test/suite"
)

// What all tests share: one browser, one sample, axe-core's code and the programs.
var (
	tab      *chromium.Browser
	sample   string
	axe      string
	programs program.Binaries
)

func TestMain(m *testing.M) {
	suite.Main(m, func(s *suite.Suite) (err error) {
		ctx := context.Background()
		if err := daemon.Missing(); err != nil {
			return err
		}
		if programs, err = s.Programs(); err != nil {
			return err
		}
		var stop, end func()
		if sample, stop, err = Sample(ctx, "../..", s.Dir); err != nil {
			return err
		}
		s.Cleanup(stop)
		if tab, end, err = chromium.Start(ctx); err != nil {
			return err
		}
		s.Cleanup(end)
		axe, err = chromium.Axe(ctx, "../../build")
		return err
	})
}

// paths are all pages.
var paths = []string{
	"/", "/?range=7d", "/history?range=90d", "/history?range=90m&by=agent", "/history?agent=blog&kind=http_probe",
	"/sources", "/source/203.0.113.77", "/source/2001:db8:1::/64", "/source/198.51.100.255", "/user?user=root", "/agents",
	"/counters", "/counters?range=90m", "/search?q=adm", "/search", "/nowhere", "/history?range=1y",
}

// open shows a page of the sample.
func open(t *testing.T, s chromium.Screen, path string) {
	t.Helper()
	if err := tab.Open(s, sample+path); err != nil {
		t.Fatal(err)
	}
	if s.Script {
		await(t, "document.readyState === 'complete'")
	}
}

func await(t *testing.T, expression string) {
	t.Helper()
	if err := tab.Await(expression); err != nil {
		t.Fatal(err)
	}
}

func value[T any](t *testing.T, expression string) (v T) {
	t.Helper()
	if err := tab.Value(expression, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// screens are light and dark, at a desk and on a phone.
func screens() map[string]chromium.Screen {
	all := map[string]chromium.Screen{"desktop light": chromium.Desktop, "phone light": chromium.Phone}
	for name, s := range map[string]chromium.Screen{"desktop dark": chromium.Desktop, "phone dark": chromium.Phone} {
		s.Dark = true
		all[name] = s
	}
	return all
}

func TestNothingKeepsAnybodyOut(t *testing.T) {
	for name, screen := range screens() {
		screen.Still = true
		for i, path := range paths {
			if screen.Width == chromium.Phone.Width && i%3 != 0 {
				continue // the same in other sizes
			}
			open(t, screen, path)
			found, err := tab.Judge(axe)
			if err != nil {
				t.Fatal(err)
			}
			for _, violation := range found {
				t.Errorf("%s on %s: %s, %d times: %s\n%s", path, name, violation.ID, len(violation.Nodes),
					violation.Nodes[0].HTML, violation.Nodes[0].FailureSummary)
			}
			if wide := value[float64](t, "document.documentElement.scrollWidth - innerWidth"); wide > 0 {
				t.Errorf("%s on %s is %v pixels too wide", path, name, wide)
			}
			if problems := tab.Problems(); len(problems) > 0 {
				t.Errorf("%s on %s: %q", path, name, problems)
			}
		}
	}
	// The open table is judged, too.
	open(t, chromium.Desktop, "/history")
	value[bool](t, "(document.querySelector('.table-toggle').click(), true)")
	if found, err := tab.Judge(axe); err != nil || len(found) > 0 {
		t.Errorf("with an open table: %+v, %v", found, err)
	}
}

// The smallest phone shows whole tables: nobody has to push them sideways, but the numbers behind a chart.
func TestTablesFitAPhone(t *testing.T) {
	small := chromium.Screen{Width: 360, Height: 640, Script: true}
	for _, path := range []string{"/", "/history", "/sources", "/agents"} {
		open(t, small, path)
		if wide := value[float64](t, "Math.max(0, ...[...document.querySelectorAll('.wide, .top, .events, .links')].map(e => e.scrollWidth - e.clientWidth))"); wide > 0 {
			t.Errorf("a table of %s is %v pixels too wide", path, wide)
		}
		if cells := value[float64](t, "[...document.querySelectorAll('.list td')].filter(e => e.offsetWidth && e.getBoundingClientRect().right > innerWidth).length"); cells > 0 {
			t.Errorf("%v cells of %s are beside the screen", cells, path)
		}
		if found, err := tab.Judge(axe); err != nil || len(found) > 0 {
			t.Errorf("%s on the smallest phone: %+v, %v", path, found, err)
		}
	}
}

// Every number and time is as the browser's owner is used to, and none is left as the server wrote it.
func TestNumbersAreThoseOfTheReader(t *testing.T) {
	open(t, chromium.Desktop, "/")
	if got := value[string](t, "document.querySelector('[data-total]').textContent"); got != "5,518" {
		t.Errorf("the total is %q", got)
	}
	for _, path := range paths {
		open(t, chromium.Desktop, path)
		left := value[[]string](t, `[...document.querySelectorAll('time, data')]
			.filter(e => /^\d{4,}|\d{2}:\d{2}$/.test(e.textContent)).map(e => e.outerHTML)`)
		if len(left) > 0 {
			t.Errorf("%s: %q", path, left[:min(len(left), 3)])
		}
	}
}

// What a chart draws is what its table says.
func TestChartsAreTheirTables(t *testing.T) {
	for _, path := range []string{"/", "/history?range=90d", "/history?range=7d&by=agent", "/counters"} {
		open(t, chromium.Desktop, path)
		if n := value[int](t, "document.querySelectorAll('.plot canvas').length"); n != 1 {
			t.Fatalf("%s has %d canvases", path, n)
		}
		// Each column of pixels in the middle of a bar has ink exactly if the table has attempts.
		type bar struct {
			Sum int
			Ink bool
		}
		bars := value[[]bar](t, `(() => {
			const canvas = document.querySelector('.plot canvas'), box = document.querySelector('.u-over')
			const scale = canvas.width / canvas.clientWidth, x0 = box.offsetLeft * scale, wide = box.offsetWidth * scale
			const bottom = (box.offsetTop + box.offsetHeight) * scale - 2
			const rows = [...document.querySelectorAll('.bars tbody tr')], image = canvas.getContext('2d')
			const starts = rows.map(row => Date.parse(row.cells[0].firstElementChild.dateTime) / 1000)
			const until = Number(document.querySelector('.chart').dataset.until), long = until - starts[0]
			return rows.map((row, i) => {
				const middle = ((starts[i] + (starts[i + 1] ?? until)) / 2 - starts[0]) / long
				const [r, g, b, a] = image.getImageData(x0 + middle * wide, bottom, 1, 1).data
				return {Sum: Number(row.cells[row.cells.length - 1].textContent || 0), Ink: a > 0 && Math.max(r, g, b) - Math.min(r, g, b) > 20}
			})
		})()`)
		if len(bars) < 90 {
			t.Fatalf("%s has %d bars", path, len(bars))
		}
		most := 0
		for _, b := range bars {
			most = max(most, b.Sum)
		}
		for i, b := range bars {
			// What is less than a hundredth of the highest bar may be below one pixel.
			if b.Ink != (b.Sum > 0) && b.Sum*60 > most {
				t.Errorf("%s: bar %d of %d has ink: %v", path, i, b.Sum, b.Ink)
			}
		}
	}
}

// Without JavaScript each page is tables with every number in them.
func TestWithoutScript(t *testing.T) {
	screen := chromium.Desktop
	screen.Script = false
	for path, want := range map[string]string{"/": "5518", "/history?range=90d": "SSH on vps", "/sources": "203.0.113.77", "/agents": "112", "/counters": "visits, blog"} {
		open(t, screen, path)
		var text string
		if err := tab.Run(chromedp.Text("main", &text)); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s does not show %q", path, want)
		}
		if path != "/sources" && path != "/agents" && !strings.Contains(text, "2026-11-20") {
			t.Errorf("%s shows no table of its chart", path)
		}
	}
}

// Tab reaches everything that can be used; arrow keys read a chart, and Enter opens a part of it.
func TestByKeyboardAlone(t *testing.T) {
	open(t, chromium.Desktop, "/")
	var reached []string
	for range 40 {
		if err := tab.Run(chromedp.KeyEvent(kb.Tab)); err != nil {
			t.Fatal(err)
		}
		reached = append(reached, value[string](t, `(() => {
			const e = document.activeElement, shape = getComputedStyle(e)
			if (e === document.body) return 'body'
			if (shape.outlineStyle === 'none') return 'unmarked ' + e.outerHTML.slice(0, 80)
			return (e.getAttribute('role') || e.tagName).toLowerCase() + ' ' + (e.textContent.trim() || e.id).slice(0, 20)
		})()`))
		if reached[len(reached)-1] == "slider" || strings.HasPrefix(reached[len(reached)-1], "slider") {
			break
		}
	}
	all := strings.Join(reached, "\n")
	for _, want := range []string{"a To the content", "a Now", "a History", "input q", "a 90 days", "slider"} {
		if !strings.Contains(all, want) {
			t.Errorf("Tab does not reach %q:\n%s", want, all)
		}
	}
	if strings.Contains(all, "unmarked") {
		t.Errorf("it cannot be seen where the focus is:\n%s", all)
	}
	press := func(keys string, modifiers ...chromedp.KeyOption) {
		t.Helper()
		if err := tab.Run(chromedp.KeyEvent(keys, modifiers...)); err != nil {
			t.Fatal(err)
		}
	}
	press(kb.Home)
	if got := value[string](t, "document.activeElement.getAttribute('aria-valuetext')"); !strings.Contains(got, "6:10") {
		t.Errorf("at the first bar the chart says %q", got)
	}
	press(kb.ArrowRight)
	if got := value[string](t, "document.activeElement.getAttribute('aria-valuetext')"); !strings.Contains(got, "6:20") {
		t.Errorf("at the second bar the chart says %q", got)
	}
	press(kb.ArrowRight, chromedp.KeyModifiers(8)) // Shift
	press(kb.ArrowRight, chromedp.KeyModifiers(8))
	press(kb.Enter)
	await(t, "location.pathname === '/history'")
	if got := value[string](t, "decodeURIComponent(location.search)"); got != "?from=2026-11-19T18:20:00Z&until=2026-11-19T18:50:00Z" {
		t.Errorf("Enter opens %q", got)
	}
	if got := value[int](t, "document.querySelectorAll('.bars tbody tr').length"); got != 30 {
		t.Errorf("half an hour has %d bars", got)
	}
}

// A part of the chart that is dragged becomes the page's span.
func TestByDragging(t *testing.T) {
	open(t, chromium.Desktop, "/history?range=24h&agent=blog")
	type box struct{ X, Y, Width float64 }
	b := value[box](t, `(r => ({X: r.x, Y: r.y + r.height / 2, Width: r.width}))(document.querySelector('.u-over').getBoundingClientRect())`)
	err := tab.Run(
		chromedp.MouseEvent("mousePressed", b.X+b.Width*0.5+1, b.Y, chromedp.ButtonLeft),
		chromedp.MouseEvent("mouseMoved", b.X+b.Width*0.6, b.Y, chromedp.ButtonLeft),
		chromedp.MouseEvent("mouseMoved", b.X+b.Width*0.75-1, b.Y, chromedp.ButtonLeft),
		chromedp.MouseEvent("mouseReleased", b.X+b.Width*0.75-1, b.Y, chromedp.ButtonLeft),
	)
	if err != nil {
		t.Fatal(err)
	}
	await(t, "location.search.includes('from=')")
	if got := value[string](t, "decodeURIComponent(location.search)"); got != "?agent=blog&from=2026-11-20T06:10:00Z&until=2026-11-20T12:10:00Z" {
		t.Errorf("a drag from the middle to three quarters opens %q", got)
	}
}

// Who wants no motion sees the picture come to rest, not move.
func TestStillness(t *testing.T) {
	screen := chromium.Desktop
	screen.Still = true
	open(t, screen, "/")
	if got := value[string](t, "getComputedStyle(document.querySelector('.light')).transitionDuration"); got != "0s" {
		t.Errorf("the LEDs move within %s", got)
	}
	open(t, chromium.Desktop, "/")
	if got := value[string](t, "getComputedStyle(document.querySelector('.light')).transitionDuration"); got == "0s" {
		t.Error("the LEDs jump for everybody")
	}
}
