package history_test

import (
	"database/sql"
	"net/netip"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/pialert/pialert/display/internal/history"
	"github.com/pialert/pialert/pkg/attack"
)

// large makes a history of ten million events of four agents and six kinds over 90 days, and opens it. Of
// two events one is from one of 200 addresses, the other from one of a million; of 20, one is from
// 192.0.2.7, on one day of 13. Its roll-ups are made as an upgrade makes them.
func large(b *testing.B) *running {
	b.Helper()
	path := file(b)
	h := start(b, options(path))
	for n, agent := range []string{"a", "b", "c", "d"} {
		h.commit(batch{agent: agent, epoch: 1, first: 1, events: events(n + 1)})
	}
	h.stop()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	const all = 10_000_000
	for _, statement := range []string{
		"PRAGMA synchronous=OFF", "PRAGMA cache_size=-200000", "DELETE FROM events", "DROP TABLE lists", "DELETE FROM totals",
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 10000000)
		INSERT INTO events (id, agent, epoch, sequence, arrived, observed, kind, severity, test, count, rule, source, user)
		SELECT i, 1 + i*7%4, 1, i, ` + unix(noon.AddDate(0, 0, -90)) + `000000000 + i*777600000, 0, 1 + i*11%6, 2, 0, 1, x'73736864',
		CASE WHEN i%20 = 0 AND i/111111%13 = 5 THEN x'c0000207' WHEN i%2 THEN unhex(printf('c63364%02x', i*7919%200)) ELSE unhex(printf('%08x', 184549376 + i*2654435761%1048576*16)) END,
		CAST(CASE WHEN i%3 THEN 'root' ELSE 'user' || i*7919%5000 END AS BLOB) FROM n`,
		`INSERT INTO totals SELECT CAST(strftime('%Y%m%d', arrived/1000000000, 'unixepoch') AS INTEGER), agent, kind, test, count(*), sum(count) FROM events GROUP BY 1, 2, 3, 4`,
		"PRAGMA user_version=3",
	} {
		if _, err := db.Exec(statement); err != nil {
			b.Fatalf("%s: %v", statement, err)
		}
	}
	begun := time.Now()
	h = start(b, options(path))
	b.Logf("the upgrade of %d events took %v", all, time.Since(begun))
	return h
}

// ofAgent names what is counted by its agent.
var ofAgent = history.Naming{Of: func(of history.Counted) string { return of.Agent }}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// BenchmarkQueries measures what pages and commands ask of a history of ten million events.
func BenchmarkQueries(b *testing.B) {
	h := large(b)
	ago := func(long time.Duration) history.Filter {
		return history.Filter{Span: history.Span{Since: noon.Add(-long)}}
	}
	day := 24 * time.Hour
	rare := history.Filter{Source: netip.MustParsePrefix("192.0.2.7/32")}
	for _, query := range []struct {
		name string
		ask  func() error
	}{
		{"90 minutes", func() error {
			_, err := h.Counts(b.Context(), every(time.Minute, noon.Add(-90*time.Minute), noon), history.Filter{}, ofAgent)
			return err
		}},
		{"24 hours", func() error {
			_, err := h.Counts(b.Context(), every(10*time.Minute, noon.Add(-day), noon), history.Filter{}, ofAgent)
			return err
		}},
		{"7 days", func() error {
			_, err := h.Counts(b.Context(), every(time.Hour, noon.Add(-7*day), noon), history.Filter{}, ofAgent)
			return err
		}},
		{"90 days", func() error {
			_, err := h.Counts(b.Context(), days(noon.Add(-90*day), noon, time.UTC), history.Filter{}, ofAgent)
			return err
		}},
		{"top networks of 24 hours", func() error { _, err := h.Top(b.Context(), history.Networks, ago(day), 10); return err }},
		{"top networks of 90 days", func() error { _, err := h.Top(b.Context(), history.Networks, ago(90*day), 10); return err }},
		{"top sources of 24 hours", func() error { _, err := h.Top(b.Context(), history.Sources, ago(day), 10); return err }},
		{"sources of 24 hours", func() error { _, err := h.TopSources(b.Context(), ago(day), 50); return err }},
		{"users of 24 hours", func() error { _, err := h.Top(b.Context(), history.Users, ago(day), 10); return err }},
		{"sources of 90 days", func() error { _, err := h.TopSources(b.Context(), ago(90*day), 50); return err }},
		{"a source", func() error { _, err := h.Source(b.Context(), rare); return err }},
		{"a source's 24 hours", func() error {
			_, err := h.Counts(b.Context(), every(10*time.Minute, noon.Add(-day), noon), history.Filter{Source: netip.MustParsePrefix("198.51.100.7/32")}, ofAgent)
			return err
		}},
		{"a source's events", func() error { _, err := h.Recent(b.Context(), 100, rare); return err }},
		{"users of a source", func() error { _, err := h.Top(b.Context(), history.Users, rare, 10); return err }},
		{"newest events", func() error { _, err := h.Recent(b.Context(), 100, history.Filter{}); return err }},
		{"events of a kind a month ago", func() error {
			_, err := h.Recent(b.Context(), 100, history.Filter{Span: history.Span{Until: noon.Add(-30 * day)}, Kind: attack.SSHProbe})
			return err
		}},
	} {
		b.Run(query.name, func(b *testing.B) {
			begun := processorTime(b)
			for b.Loop() {
				if err := query.ask(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((processorTime(b)-begun).Seconds()*1000/float64(b.N), "cpu-ms/op")
		})
	}
}

// processorTime is what this process has used so far: other work makes a query take longer, but not more.
func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
