package page_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/page"
	"github.com/pialert/pialert/display/internal/page/pagetest"
	"github.com/pialert/pialert/pkg/attack"
)

// Everything that a browser loads for the first page, packed as it is sent.
func TestThePageIsSmall(t *testing.T) {
	const most = 60_000
	s := desk(nil)
	first := ask(s, "GET", "/", nil).Body.String()
	total := ask(s, "GET", "/", nil, "Accept-Encoding", "gzip").Body.Len()
	loads := regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`).FindAllStringSubmatch(first, -1)
	if len(loads) != 6 {
		t.Fatalf("the page loads %v", loads)
	}
	for _, load := range loads {
		w := ask(s, "GET", strings.ReplaceAll(load[1], "&amp;", "&"), nil, "Accept-Encoding", "gzip")
		if w.Code != 200 {
			t.Fatalf("%s: status %d", load[1], w.Code)
		}
		total += w.Body.Len()
	}
	if total > most {
		t.Errorf("the first page takes %d bytes, at most %d are wanted", total, most)
	}
	t.Logf("%d bytes", total)
}

// Pages are packed for who can unpack them, and are the same.
func TestPagesUnpackToWhatTheyAre(t *testing.T) {
	s := desk(nil)
	for _, path := range []string{"/history", "/sources", "/nothing", "/source/nobody"} {
		plain, packed := ask(s, "GET", path, nil), ask(s, "GET", path, nil, "Accept-Encoding", "gzip, br")
		if packed.Header().Get("Content-Encoding") != "gzip" || plain.Header().Get("Content-Encoding") != "" || packed.Code != plain.Code {
			t.Errorf("%s: %d %v and %d %v", path, plain.Code, plain.Header(), packed.Code, packed.Header())
			continue
		}
		reader, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, plain.Body.Bytes()) {
			t.Errorf("%s unpacks to %d bytes, want %d, error %v", path, len(got), plain.Body.Len(), err)
		}
	}
}

func TestAssetsUnpackToWhatTheyAre(t *testing.T) {
	s := desk(nil)
	for _, name := range []string{"page.js", "page.css", "uPlot.iife.min.js", "uPlot.LICENSE", "icon.svg"} {
		want, err := os.ReadFile(filepath.Join("assets", name))
		if err != nil {
			t.Fatal(err)
		}
		w := ask(s, "GET", "/assets/"+name, nil, "Accept-Encoding", "gzip")
		reader, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(reader); !bytes.Equal(got, want) {
			t.Errorf("%s unpacks to %d bytes, want %d", name, len(got), len(want))
		}
		if plain := ask(s, "GET", "/assets/"+name, nil); !bytes.Equal(plain.Body.Bytes(), want) || plain.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s is not served as it is", name)
		}
	}
	for _, name := range []string{"now.html", "../page.go", "nothing.js", ""} {
		if w := ask(s, "GET", "/assets/"+url.PathEscape(name), nil); w.Code == 200 {
			t.Errorf("%q is served", name)
		}
	}
}

// bars reads the sums of a page's table of bars.
func bars(t *testing.T, html string) (sums []uint64) {
	t.Helper()
	_, table, ok := strings.Cut(html, `<table class="bars">`)
	if !ok {
		t.Fatalf("no table of bars in %.400s", html)
	}
	table, _, _ = strings.Cut(table, "</table>")
	for _, match := range regexp.MustCompile(`<td>(\d*)</td></tr>`).FindAllStringSubmatch(table, -1) {
		n, _ := strconv.ParseUint(match[1], 10, 64)
		sums = append(sums, n)
	}
	return sums
}

// Whatever a chart is stacked by and filtered by, its bars are the attempts of the events in them.
func TestBarsAreTheAttemptsOfTheirTime(t *testing.T) {
	d := pagetest.NewDesk(noon)
	s := page.New(page.Options{History: d, State: d.State, Place: d.Place, Zone: utc, Now: d.Now})
	network := netip.MustParsePrefix("203.0.113.0/24")
	for path, counts := range map[string]func(page.Record) bool{
		"/history?":                       func(page.Record) bool { return true },
		"/history?by=agent&":              func(page.Record) bool { return true },
		"/history?by=country&":            func(r page.Record) bool { return r.Event.SourceIP.IsValid() },
		"/history?agent=blog&":            func(r page.Record) bool { return r.Agent == "blog" },
		"/history?kind=ssh_probe&":        func(r page.Record) bool { return r.Event.Kind == attack.SSHProbe },
		"/source/203.0.113.0/24?":         func(r page.Record) bool { return network.Contains(r.Event.SourceIP) },
		"/source/203.0.0.0/8?by=country&": func(r page.Record) bool { return netip.MustParsePrefix("203.0.0.0/8").Contains(r.Event.SourceIP) },
		"/user?user=root&by=country&":     func(r page.Record) bool { return r.Event.User == "root" }, // there is no such chart
		"/user?user=root&":                func(r page.Record) bool { return r.Event.User == "root" },
		"/history?agent=vps&user=root&":   func(r page.Record) bool { return r.Agent == "vps" && r.Event.User == "root" },
	} {
		for _, span := range []struct {
			name string
			bars int
			step time.Duration
			last time.Time
		}{
			{"90m", 90, time.Minute, time.Date(2026, 11, 20, 18, 5, 0, 0, time.UTC)},
			{"24h", 144, 10 * time.Minute, time.Date(2026, 11, 20, 18, 10, 0, 0, time.UTC)},
			{"7d", 168, time.Hour, time.Date(2026, 11, 20, 19, 0, 0, 0, time.UTC)},
			{"90d", 90, 24 * time.Hour, time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)},
		} {
			want := make([]uint64, span.bars)
			for _, r := range d.Records {
				i := span.bars - 1 - int((span.last.Sub(r.Arrived)-1)/span.step)
				if i >= 0 && r.Event.Kind.Attempt() && counts(r) {
					want[i] += r.Event.Count
				}
			}
			w := ask(s, "GET", path+"range="+span.name, nil)
			if got := bars(t, w.Body.String()); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%srange=%s:\n%v, want\n%v", path, span.name, got, want)
			}
		}
	}
}

// Every link leads to a page, with what its page was filtered by.
func TestLinks(t *testing.T) {
	s := desk(nil)
	asked := map[string]bool{}
	links := regexp.MustCompile(`<a [^>]*href="([^"]+)"`)
	for _, path := range []string{
		"/", "/history?by=country", "/history?agent=blog&kind=http_probe&range=7d", "/history?from=2026-11-20T06:00:00Z&until=2026-11-20T12:00:00Z",
		"/sources", "/source/203.0.113.77", "/source/203.0.113.0/24?by=agent", "/source/192.0.0.0/8?by=country", "/user?user=root&by=country", "/user?user=root&range=7d", "/agents", "/counters", "/search?q=a",
	} {
		at, err := url.Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		found := links.FindAllStringSubmatch(ask(s, "GET", path, nil).Body.String(), -1)
		if len(found) < 10 {
			t.Errorf("%s has %d links", path, len(found))
		}
		for _, match := range found {
			link, err := at.Parse(html.UnescapeString(match[1]))
			if err != nil {
				t.Fatal(err)
			}
			link.Fragment = ""
			if asked[link.String()] {
				continue
			}
			asked[link.String()] = true
			if w := ask(s, "GET", link.String(), nil); w.Code != 200 {
				t.Errorf("%s links to %s, which answers %d", path, link, w.Code)
			}
			if strings.HasPrefix(path, "/user") && link.Path == "/user" && strings.HasPrefix(match[1], "?") && link.Query().Get("user") != "root" {
				t.Errorf("%s links to %s, of another user", path, link)
			}
		}
	}
}

// A source's page opens with the time since it was first seen.
func TestTheRangeOfASource(t *testing.T) {
	s := desk(nil)
	for path, want := range map[string]string{"/source/203.0.113.77": "24 hours", "/source/203.0.113.0/24": "90 days", "/source/203.0.113.77?range=7d": "7 days"} {
		if got := ask(s, "GET", path, nil).Body.String(); !strings.Contains(got, `aria-current="true">`+want+"<") {
			t.Errorf("%s does not show %s", path, want)
		}
	}
}

func TestPages(t *testing.T) {
	s := desk(nil)
	for path, wants := range map[string][]string{
		"/":                           {"5518", "SSH on vps", "silent, heard <time", "connected <time"},
		"/history":                    {`data-country="VN"`, "Countries", "by=country"},
		"/history?by=country":         {`<li class="hue-0"><span class="dot"></span><span data-country=`, `<li class="hue-none"><span class="dot"></span><bdi class="name">unknown`},
		"/sources":                    {"203.0.113.77", "203.0.113.0/24", "Example Cloud", "banned by", "root"},
		"/source/203.0.113.77":        {"first seen", "banned by", `/source/203.0.113.0/24`, "ssh login"},
		"/source/2001:db8:1::/64":     {"2001:db8:1::/64", "attempts"},
		"/source/203.0.0.0/8":         {"Networks", "203.0.113.0/24", "Countries", `href="?by=country&amp;range=90d&amp;source=203.0.0.0%2F8"`},
		"/user?user=root&by=country":  {`data-country="VN"`, "Countries", ">by agent<"},
		"/source/198.51.100.255":      {"<dd>never</dd>", "None in this span"},
		"/user?user=admin":            {"User name", "admin", "wordpress login"},
		"/agents":                     {"0.9.2", "connection reset by peer", "112", "below 1 s", "WordPress", "bot was blocked by the user", `<data value="31"`},
		"/counters":                   {"visits, blog"},
		"/counters?range=90m":         {"visits, blog"},
		"/search?q=adm":               {"admin", "/boaform/admin/formLogin"},
		"/search?q=ssh":               {"ssh probe"},
		"/search?q=nobody+has+this":   {"Nothing has"},
		"/search":                     {"Look for an address"},
		"/history?agent=blog&by=lamp": {"without this agent"},
	} {
		w := ask(s, "GET", path, nil)
		for _, want := range wants {
			if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: status %d, without %q", path, w.Code, want)
			}
		}
	}
	if w := ask(s, "GET", "/user?user=root", nil); strings.Contains(w.Body.String(), "by country") {
		t.Error("a user's page offers a chart by country, which no roll-up has")
	}
	// A network of many networks is in no one country.
	if w := ask(s, "GET", "/source/203.0.113.0/16", nil); strings.Contains(w.Body.String(), "<dt>country</dt>") {
		t.Error("a /16 has the country of its first address")
	}
	if w := ask(s, "GET", "/search?q=192.0.2.1", nil); w.Header().Get("Location") != "/source/192.0.2.1" {
		t.Errorf("a search for an address leads to %q", w.Header().Get("Location"))
	}
	for path, want := range map[string]int{"/nowhere": 404, "/source/home": 400, "/user": 400, "/history?range=1y": 400} {
		if w := ask(s, "GET", path, nil); w.Code != want {
			t.Errorf("%s: status %d, want %d", path, w.Code, want)
		}
	}
}

// Older pages of events begin where the newer ones end, until there are no more.
func TestEventsCanBeTurnedBackToTheFirst(t *testing.T) {
	d := pagetest.NewDesk(noon)
	s := page.New(page.Options{History: d, State: d.State, Zone: utc, Now: d.Now})
	row := regexp.MustCompile(`<tr id="e(\d+)"`)
	older := regexp.MustCompile(`<p class="older"><a href="([^"#]+)#events">`)
	next, before := len(d.Records), 0 // ids go by arrival
	for d.Records[before].Arrived.Before(time.Date(2026, 8, 23, 0, 0, 0, 0, time.UTC)) {
		before++
	}
	for query := "?range=90d"; query != ""; {
		body := ask(s, "GET", "/history"+query, nil).Body.String()
		for _, match := range row.FindAllStringSubmatch(body, -1) {
			if id, _ := strconv.Atoi(match[1]); id != next {
				t.Fatalf("event %d follows, want %d", id, next)
			}
			next--
		}
		query = ""
		if match := older.FindStringSubmatch(body); match != nil {
			query = strings.ReplaceAll(match[1], "&amp;", "&")
		}
	}
	if next != before {
		t.Errorf("%d events were not shown", next-before)
	}
}

// A correction is an entry of its own, with the reason that a person gave.
func TestACorrectionIsShown(t *testing.T) {
	d := pagetest.NewDesk(noon)
	d.Records = append(d.Records, page.Record{
		ID: int64(len(d.Records) + 1), Agent: "vps", Arrived: noon.Add(-time.Minute), By: -12345, Note: "a test <b>of mine</b>",
		Event: attack.Event{Kind: attack.SSHLogin, Observed: noon.Add(-time.Minute)},
	})
	s := page.New(page.Options{History: d, State: d.State, Zone: utc, Now: d.Now})
	for _, path := range []string{"/", "/history?range=90m"} {
		body := ask(s, "GET", path, nil).Body.String()
		if want := `ssh login corrected by <data value="-12345">-12345</data>: <bdi class="name">a test &lt;b&gt;of mine&lt;/b&gt;</bdi>`; !strings.Contains(body, want) {
			t.Errorf("%s does not show it", path)
		}
	}
}

// broken is a history whose file cannot be read.
type broken struct{ *pagetest.Desk }

func (broken) Counts(context.Context, []time.Time, page.Filter, page.Naming) ([]page.Count, error) {
	return nil, errors.New("cannot read the history: disk I/O error")
}

func TestAFailureIsSaid(t *testing.T) {
	d := pagetest.NewDesk(noon)
	s := page.New(page.Options{History: broken{d}, State: d.State, Now: d.Now})
	if w := ask(s, "GET", "/", nil); w.Code != 500 || !strings.Contains(w.Body.String(), "disk I/O error") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}
