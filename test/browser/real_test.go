package browser

import (
	"context"
	"database/sql"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	_ "modernc.org/sqlite"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/test/browser/chromium"
	"github.com/pialert/pialert/test/daemon"
)

var mallory = netip.MustParseAddr("203.0.113.66")

// stage is a real agent and a real display that serves its page.
type stage struct {
	*program.Pair
	t       *testing.T
	ctx     context.Context
	display *program.Process
}

// start starts both programs and pairs them.
func start(t *testing.T, logs ...string) *stage { return startWith(t, "", logs...) }

// startWith does so with more of the display's configuration.
func startWith(t *testing.T, display string, logs ...string) *stage {
	t.Helper()
	dir, err := os.MkdirTemp("", "page") // t.TempDir's paths are too long for Unix sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	s := &stage{t: t, ctx: ctx}
	s.Pair, err = program.LayOut(dir, programs, program.Settings{Logs: logs, Page: true, Display: display})
	s.must(err)
	agent, err := s.StartAgent()
	s.must(err)
	t.Cleanup(agent.Kill)
	s.startDisplay()
	s.must(s.Join(ctx))
	return s
}

func (s *stage) startDisplay() {
	s.t.Helper()
	display, err := s.StartDisplay()
	s.must(err)
	s.display = display
	s.t.Cleanup(func() {
		display.Kill()
		if s.t.Failed() {
			s.t.Logf("the display wrote:\n%s", display.Stderr)
		}
	})
	s.must(program.Poll(s.ctx, func() error {
		answer, err := http.Get(s.Page + "/login")
		if err == nil {
			answer.Body.Close()
		}
		return err
	}))
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// open shows a page and marks it, so that a reload would be noticed.
func (s *stage) open(screen chromium.Screen, path string) {
	s.t.Helper()
	s.must(tab.Open(screen, s.Page+path))
	value[bool](s.t, "window.marked = true")
}

const total = "Number(document.querySelector('[data-total] data').value)"

// An attack on a real sshd, seen in the browser: the light sweeps, the number rises by one, the event is
// listed, and nothing was loaded anew. Then the display goes away and comes back, and nothing is missing.
func TestAFailedLoginIsSeenAsItHappens(t *testing.T) {
	m, err := daemon.Boot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	s := start(t, fmt.Sprintf("{path: %q, start: beginning}", m.Log("auth.log")))
	s.must(m.StartSyslog(s.ctx, daemon.Syslog{}))
	s.must(m.StartSSHD(s.ctx, daemon.SSHD{}))
	s.open(chromium.Desktop, "/")
	await(t, "document.querySelector('[data-agents] tr.up') !== null")
	before := value[int](t, total)

	value[bool](t, `window.swept = new Set(), new MutationObserver(changes => changes.forEach(c => {
		const [r, g, b] = [1, 3, 5].map(i => parseInt(c.target.getAttribute('color').slice(i, i + 2), 16))
		if (r > 150 && r > 2 * g && r > 2 * b) swept.add([...document.querySelectorAll('.light')].indexOf(c.target))
	})).observe(document.querySelector('.lights'), {subtree: true, attributes: true, attributeFilter: ['color']}), true`)
	if _, err := m.WrongPasswords(s.ctx, mallory, "root", 1); err != nil {
		t.Fatal(err)
	}
	await(t, fmt.Sprintf("%s === %d", total, before+1))
	await(t, "swept.size >= 7") // one may fall between two pictures
	await(t, `document.querySelectorAll('.events tbody tr').length === 1`)
	row := value[string](t, "document.querySelector('.events tbody tr').textContent")
	for _, want := range []string{"ssh login", mallory.String(), "root", program.AgentName} {
		if !strings.Contains(row, want) {
			t.Errorf("the event is %q, without %q", row, want)
		}
	}
	if got := value[string](t, "[...document.querySelectorAll('.cells > g:not(.colon)')].map(g => [...g.children].map(s => +s.classList.contains('on')).join('')).join(' ')"); got != "0000000 0000000 0000000 0110000" {
		t.Errorf("the digits are %s, want 1", got)
	}

	// The display goes away; what happens meanwhile is seen when it is back, each once.
	s.must(s.display.Stop(s.ctx))
	if _, err := m.WrongPasswords(s.ctx, mallory, "admin", 2); err != nil {
		t.Fatal(err)
	}
	s.startDisplay()
	await(t, fmt.Sprintf("%s === %d", total, before+3))
	await(t, "document.querySelectorAll('.events tbody tr').length >= 2")
	if _, err := m.WrongPasswords(s.ctx, mallory, "last", 1); err != nil {
		t.Fatal(err)
	}
	await(t, "document.querySelector('.events tbody tr').textContent.includes('last')")
	got := value[int](t, `[...document.querySelectorAll('.events tbody tr')].reduce((n, row) => n + Number(row.querySelector('.times data')?.value ?? 1), 0)`)
	if listed := value[int](t, total); got != before+4 || listed != before+4 {
		t.Errorf("%d attempts are listed and %d counted, want %d", got, listed, before+4)
	}
	status, err := s.DisplayStatus(s.ctx)
	s.must(err)
	if status.Total != uint64(before+4) {
		t.Errorf("the display counts %d, want %d", status.Total, before+4)
	}
	if !value[bool](t, "window.marked === true") {
		t.Error("the page was loaded anew")
	}
	if problems := tab.Problems(); len(problems) > 0 {
		t.Logf("the browser said %q", problems) // that the stream was cut
	}
	s.compareCharts()
}

// compareCharts compares the bars of every range with the events in the display's file.
func (s *stage) compareCharts() {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.Dir, "display", "history.db")+"?mode=ro")
	s.must(err)
	defer db.Close()
	for _, name := range []string{"90m", "24h", "7d", "90d"} {
		s.open(chromium.Desktop, "/history?range="+name)
		type bar struct {
			From int64
			Sum  uint64
		}
		bars := value[[]bar](s.t, `[...document.querySelectorAll('.bars tbody tr')].map(row => ({
			From: Date.parse(row.cells[0].firstElementChild.dateTime) / 1000, Sum: Number(row.cells[row.cells.length - 1].dataset.n)}))`)
		until := value[int64](s.t, "Number(document.querySelector('.chart').dataset.until)")
		all := uint64(0)
		for i, b := range bars {
			end := until
			if i+1 < len(bars) {
				end = bars[i+1].From
			}
			var want uint64
			s.must(db.QueryRowContext(s.ctx, "SELECT coalesce(sum(count), 0) FROM events WHERE arrived >= ? AND arrived < ? AND NOT test",
				b.From*1e9, end*1e9).Scan(&want))
			if b.Sum != want {
				s.t.Errorf("%s: the bar of %v is %d, the file has %d", name, time.Unix(b.From, 0).UTC(), b.Sum, want)
			}
			all += b.Sum
		}
		if all == 0 {
			s.t.Errorf("%s: no bar has anything", name)
		}
	}
}

// Who may see the page, as a browser meets it.
func TestOnlyWhoKnowsThePasswordSeesThePage(t *testing.T) {
	log := filepath.Join(t.TempDir(), "auth.log")
	s := start(t, fmt.Sprintf("{path: %q, start: beginning}", log))
	set := s.Command(programs.Display, "web", "password", "--config", s.DisplayConfig)
	set.Stdin = strings.NewReader("correct horse\n")
	if out, err := set.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	login := func(password string) {
		t.Helper()
		s.must(tab.Run(chromedp.SetValue("#password", password, chromedp.ByQuery), chromedp.Submit("#password", chromedp.ByQuery)))
	}
	for _, dark := range []bool{false, true} {
		screen := chromium.Phone
		screen.Dark = dark
		s.must(tab.Open(screen, s.Page+"/history?range=7d"))
		if at := value[string](t, "location.pathname"); at != "/login" {
			t.Fatalf("without a login the browser is at %s", at)
		}
		if found, err := tab.Judge(axe); err != nil || len(found) > 0 {
			t.Errorf("the login, dark %v: %+v, %v", dark, found, err)
		}
	}
	login("wrong horse")
	await(t, "document.querySelector('[role=alert]')?.textContent.includes('not the password')")
	login("correct horse")
	await(t, "location.pathname === '/history' && location.search === '?range=7d'")
	if got := value[string](t, "document.cookie"); got != "" {
		t.Errorf("a script sees the cookie %q", got)
	}

	// Another name for this machine (DNS rebinding) is refused, whoever is logged in.
	s.must(tab.Run(chromedp.Navigate(strings.Replace(s.Page, "127.0.0.1", "rebound.example", 1)+"/"), chromedp.WaitReady("body")))
	if got := value[string](t, "document.body.textContent"); !strings.Contains(got, "web.hosts") || strings.Contains(got, "attempts") {
		t.Errorf("under another name the page is %.100q", got)
	}
}

// A page of another site can neither read this one, nor send its forms, nor frame it.
func TestOtherSitesAreKeptOut(t *testing.T) {
	s := start(t, fmt.Sprintf("{path: %q, start: beginning}", filepath.Join(t.TempDir(), "auth.log")))
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<main><form method="post" action="%s/logout"><button>x</button></form><iframe src="%[1]s/"></iframe></main>`, html.EscapeString(s.Page))
	}))
	defer evil.Close()
	there := strings.Replace(evil.URL, "127.0.0.1", "evil.example", 1)
	s.must(tab.Open(chromium.Desktop, there))
	if read := value[string](t, fmt.Sprintf("fetch(%q).then(r => r.text(), e => 'refused')", s.Page+"/")); read != "refused" {
		t.Errorf("another site reads %.100q", read)
	}
	if n := value[int](t, "frames.length && (() => { try { return frames[0].document.body ? frames[0].document.body.children.length : 0 } catch { return 0 } })()"); n > 0 {
		t.Error("another site sees into a frame")
	}
	s.must(tab.Run(chromedp.Submit("form", chromedp.ByQuery), chromedp.WaitReady("body")))
	await(t, "document.body.textContent.includes('cross-origin')")
	tab.Problems()

	for host, want := range map[string]int{"rebound.example": http.StatusMisdirectedRequest, "localhost": http.StatusOK} {
		r, err := http.NewRequestWithContext(s.ctx, "GET", s.Page+"/", nil)
		s.must(err)
		r.Host = host
		answer, err := http.DefaultClient.Do(r)
		s.must(err)
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("as %s it answers %d, want %d", host, answer.StatusCode, want)
		}
	}
}
