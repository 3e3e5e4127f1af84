package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite"

	"github.com/pialert/pialert/packaging/demo/program"
	"github.com/pialert/pialert/test/browser/chromium"
)

// What the page is measured with.
const (
	large     = 10_000_000 // events of 90 days
	paints    = 7
	openPages = 20
	eventRate = 1000 // a second
	eventTime = 15 * time.Second
)

// page measures what open pages cost.
func (b *bench) page(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	p, err := b.startPairWith(ctx, program.Settings{Page: true})
	if err != nil {
		return err
	}
	defer p.end()
	if err := p.openPages(ctx); err != nil {
		return err
	}
	return b.zeroPage(ctx)
}

// paint measures how fast the page is seen beside a large history.
func (b *bench) paint(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Minute)
	defer cancel()
	p, err := b.startPairWith(ctx, program.Settings{Page: true, Display: "history: {max_age: 3650d, max_bytes: 16GiB}\n"})
	if err != nil {
		return err
	}
	defer p.end()
	if err := writeLogins(p.log, 1, 1, 1); err != nil { // so that the history knows the agent
		return err
	}
	if err := program.Poll(ctx, func() error {
		status, err := p.displaySays(ctx)
		if err == nil && status.Total == 0 {
			err = errors.New("nothing is counted yet")
		}
		return err
	}); err != nil {
		return err
	}
	return p.firstPaint(ctx)
}

// history measures what is asked of a large history, and what roll-ups cost. Other work makes a query take
// longer, so it is its processor time that counts.
func (b *bench) history(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Minute)
	defer cancel()
	const pkg = "./display/internal/history"
	all, err := benchmarks(ctx, repository, pkg, "Queries", 20)
	if err != nil {
		return err
	}
	for _, query := range []string{"24_hours", "top_networks_of_24_hours", "top_sources_of_24_hours", "users_of_24_hours", "sources_of_24_hours", "newest_events"} {
		row("the history, of "+thousands(large)+" events: "+strings.ReplaceAll(query, "_", " "), "below 20 ms",
			"%.1f ms of a core", all["BenchmarkQueries/"+query]["cpu-ms/op"])
	}
	cost, err := benchmarks(ctx, repository, pkg, "Rollups", 300)
	if err != nil {
		return err
	}
	for _, addresses := range []string{"16", "1048576"} {
		row("commits of 1,000 events from "+addresses+" addresses: what roll-ups add", "below 10 %", "%.1f %%", cost["BenchmarkRollups/"+addresses+"_addresses"]["%"])
	}
	return nil
}

// zeroPage estimates what an open page costs a Pi Zero while something sweeps, without TLS.
func (b *bench) zeroPage(ctx context.Context) error {
	const pictures = 20 // a second, the most that a page is told
	instructions, err := b.zeroInstructions(ctx, "./display/internal/page/cost")
	if err != nil {
		return err
	}
	row("ARMv6 instructions of a picture sent to an open page, with the reader's end", "", "%s", thousands(int(instructions)))
	row(fmt.Sprintf("estimate for a Pi Zero: an open page, %d pictures a second", pictures), "", "%.1f %% of a core",
		100*pictures*instructions*zeroCycles/zeroHertz)
	return nil
}

// openPages compares the display's processor time under events with and without pages that follow.
func (p *pair) openPages(ctx context.Context) error {
	alone, _, err := p.underEvents(ctx, 0, 1)
	if err != nil {
		return err
	}
	beside, told, err := p.underEvents(ctx, openPages, 1+eventRate*int(eventTime.Seconds()))
	if err != nil {
		return err
	}
	row(fmt.Sprintf("%d open pages at %s events/s: the display's processor time that they add", openPages, thousands(eventRate)),
		"below 10 % of a core", "%.1f %% of a core (%.1f %% without pages); each page was told %.0f times a second",
		100*(beside-alone), 100*alone, told)
	return nil
}

// underEvents returns the share of a core that the display uses under events while some pages are
// open, and how often a second each page is told something. Attacks are numbered from first on.
func (p *pair) underEvents(ctx context.Context, pages, first int) (share, told float64, err error) {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	var group sync.WaitGroup
	counts, problems := make([]int, pages), make([]error, pages)
	for i := range pages {
		answer, err := get(reading, p.Page+"/live")
		if err != nil {
			return 0, 0, err
		}
		group.Go(func() {
			defer answer.Body.Close()
			lines := bufio.NewScanner(answer.Body)
			lines.Buffer(nil, 1<<20)
			for lines.Scan() {
				if strings.HasPrefix(lines.Text(), "event: ") {
					counts[i]++
				}
			}
			if reading.Err() == nil {
				problems[i] = fmt.Errorf("page %d was dropped: %v", i, lines.Err())
			}
		})
	}
	before, err := processorTime(p.display.Pid())
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	const tick = 50 * time.Millisecond
	each := int(eventRate * tick.Seconds())
	for n := 0; n < int(eventRate*eventTime.Seconds()); n += each {
		if err := writeLogins(p.log, first+n, each, 1); err != nil {
			return 0, 0, err
		}
		if err := pause(ctx, time.Until(start.Add(time.Duration(n/each+1)*tick))); err != nil {
			return 0, 0, err
		}
	}
	long := time.Since(start).Seconds()
	after, err := processorTime(p.display.Pid())
	if err != nil {
		return 0, 0, err
	}
	stop()
	group.Wait()
	all := 0
	for i, n := range counts {
		all += n
		if problems[i] != nil {
			return 0, 0, problems[i]
		}
	}
	return (after - before).Seconds() / long, float64(all) / float64(max(pages, 1)) / long, nil
}

func get(ctx context.Context, address string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, "GET", address, nil)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(request)
}

// firstPaint measures from the browser's asking for the page until it paints, beside ten million
// events. The first round is not counted: the display has just started.
func (p *pair) firstPaint(ctx context.Context) error {
	if err := p.display.Stop(ctx); err != nil {
		return err
	}
	if err := fill(ctx, filepath.Join(p.Dir, "display", "history.db"), large, 1, 90); err != nil {
		return fmt.Errorf("cannot make a large history: %w", err)
	}
	var err error
	if p.display, err = p.StartDisplay(); err != nil {
		return err
	}
	if err := served(ctx, p.Page); err != nil {
		return err
	}
	tab, end, err := chromium.Start(ctx)
	if err != nil {
		return err
	}
	defer end()
	var painted, answers []time.Duration
	for range paints {
		if err := tab.Open(chromium.Desktop, p.Page+"/"); err != nil {
			return err
		}
		var milliseconds, answered float64
		if err := tab.Await("performance.getEntriesByName('first-contentful-paint').length > 0"); err != nil {
			return err
		}
		if err := tab.Value("performance.getEntriesByName('first-contentful-paint')[0].startTime", &milliseconds); err != nil {
			return err
		}
		if err := tab.Value("performance.getEntriesByType('navigation')[0].responseEnd", &answered); err != nil {
			return err
		}
		painted = append(painted, time.Duration(milliseconds*float64(time.Millisecond)))
		answers = append(answers, time.Duration(answered*float64(time.Millisecond)))
	}
	row(fmt.Sprintf("first paint of the page in Chromium, beside %s events", thousands(large)), "below 300 ms",
		"%.0f ms, of which the display's answer takes %.0f ms", best(painted[1:]).Seconds()*1000, best(answers[1:]).Seconds()*1000)
	return nil
}

// served returns once a page is served.
func served(ctx context.Context, page string) error {
	return program.Poll(ctx, func() error {
		answer, err := get(ctx, page+"/")
		if err == nil {
			answer.Body.Close()
		}
		return err
	})
}

// fill puts events of so many days into a history: agents in turn get five of one kind from one of 6.8 million addresses. Its
// roll-ups are left out, so that the display makes them when it opens the file, as it does after an upgrade.
func fill(ctx context.Context, path string, events, agents, days int) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	since := time.Now().AddDate(0, 0, -days).UnixNano()
	each := int64(days) * 24 * time.Hour.Nanoseconds() / int64(events)
	for _, statement := range []string{
		"PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF", "PRAGMA cache_size=-200000", "DELETE FROM events", "DROP TABLE lists", "DELETE FROM totals", "DELETE FROM agents",
		fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i < %d)
			INSERT INTO agents (id, name, dropped_events, dropped_attempts) SELECT i+1, printf('agent-%%05d', i), 0, 0 FROM n`, agents-1),
		fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %[1]d),
			bursts(i, agent, arrived, kind) AS (SELECT i, i/5%%%[2]d, %[3]d + i*%[4]d, i/5%%%[2]d + i*%[4]d/3600000000000 FROM n)
			INSERT INTO events (id, agent, epoch, sequence, arrived, observed, kind, severity, test, count, rule, source, user)
			SELECT i, 1 + agent, 1, i, arrived, 0, 1 + kind%%6, 2, 0, 1, x'73736864',
			CAST(char(1 + i/5*13%%126, 1 + i/5*7919%%5, 1 + i/5*17%%107, 1 + i/5*19%%101) AS BLOB), x'726f6f74' FROM bursts`, events, agents, since, each),
		`INSERT INTO totals SELECT CAST(strftime('%Y%m%d', arrived/1000000000, 'unixepoch') AS INTEGER), agent, kind, test, count(*), sum(count)
			FROM events GROUP BY 1, 2, 3, 4`,
		"PRAGMA user_version=3",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%.60s: %w", statement, err)
		}
	}
	return nil
}
